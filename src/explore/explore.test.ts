import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { explore, type Report, replay, type Scenario } from './index.js';
import {
  byteFlags,
  counter,
  lock,
  lockOrder,
  mortalLock,
  publish,
  seqlock,
  stack,
  unlockOrder,
  wakeup,
} from './toys.test-kit.js';

function assertProved(report: Report): void {
  assert.equal(report.failure, null, `${report.failure?.message} ${report.failure?.schedule}`);
  assert(report.exhausted);
}

function assertFound(scenario: Scenario, kind: string, message: RegExp): Report {
  const report = explore(scenario);
  assert.equal(report.failure?.kind, kind, report.failure?.message);
  assert.match(report.failure?.message ?? '', message);
  const again = replay(scenario, report.failure?.schedule ?? '');
  assert.equal(again.failure?.message, report.failure?.message, 'the schedule gives the failure again');
  return report;
}

describe('a wrong structure is found, the right one is proved:', () => {
  const pairs: [string, Scenario, string, RegExp, Scenario][] = [
    ['a racy counter', counter(false), 'check', /the counter is 1/, counter(true)],
    ['a stack without a tag', stack(false), 'check', /popped twice/, stack(true)],
    ['a lock without compare-exchange', lock(false), 'race', /of word 1 is not ordered/, lock(true)],
    [
      'a wait without a look',
      wakeup('no recheck'),
      'deadlock',
      /thread 0, which sleeps on word 1/,
      wakeup('none'),
    ],
    ['a wait in slices', wakeup('no recheck', 100), 'lost wakeup', /thread 0/, wakeup('none', 100)],
    ['no notify', wakeup('no notify'), 'deadlock', /thread 0/, wakeup('none')],
    ['notify before the store', wakeup('notify first'), 'deadlock', /thread 0/, wakeup('none')],
    ['a wake before the unlock', unlockOrder(false), 'deadlock', /sleeps on word 0/, unlockOrder(true)],
    ['two locks in two orders', lockOrder(false), 'deadlock', /thread 0.* or thread 1/, lockOrder(true)],
    ['a plain flag', publish(false), 'race', /of word 0|of word 1/, publish(true)],
    ['words over bytes', byteFlags(false), 'race', /mixed widths/, byteFlags(true)],
    ['a seqlock that looks once', seqlock(false), 'check', /read 0 and 7|read 7 and 0/, seqlock(true)],
    ['a lock held by the dead', mortalLock(false), 'deadlock', /sleeps on word 0/, mortalLock(true)],
  ];
  for (const [name, wrong, kind, message, right] of pairs) {
    test(name, () => {
      assertFound(wrong, kind, message);
      assertProved(explore(right));
    });
  }
});
