import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { explore, type ModelMemory, type Scenario } from './index.js';

type Body = (m: ModelMemory) => unknown;

function failureOf(threads: readonly Body[], more: Partial<Scenario> = {}) {
  return explore({ words: 8, threads, ...more }).failure;
}

function assertRace(threads: readonly Body[], more: Partial<Scenario> = {}): void {
  const failure = failureOf(threads, more);
  assert.equal(failure?.kind, 'race', `${failure?.kind} ${failure?.message}`);
}

function assertNone(threads: readonly Body[], more: Partial<Scenario> = {}): void {
  const failure = failureOf(threads, more);
  assert.equal(failure, null, `${failure?.message} ${failure?.schedule}`);
}

const read: Body = ({ words }) => words[0];
const write: Body = ({ words }) => {
  words[0] = 1;
};

describe('two accesses to one word', () => {
  test('race when one of them writes and one is plain', () => {
    assertNone([read, read]);
    assertRace([read, write]);
    assertRace([write, write]);
    assertRace([read, ({ atomics }) => atomics.store(0, 1)]);
    assertRace([write, ({ atomics }) => atomics.load(0)]);
    assertNone([read, ({ atomics }) => atomics.load(0)]);
    assertNone([({ atomics }) => atomics.add(0, 1), ({ atomics }) => atomics.store(0, 1)]);
    assertNone([read, ({ atomics }) => atomics.compareExchange(0, 5, 6)]);
    assertRace([read, ({ atomics }) => atomics.compareExchange(0, 0, 6)]);
  });

  test('are ordered by a lock, by a flag and by notify', () => {
    const locked: Body = ({ words, atomics, wait }) => {
      while (atomics.compareExchange(1, 0, 1) !== 0) wait(1, 1);
      words[0] = (words[0] as number) + 1;
      atomics.exchange(1, 0);
      atomics.notify(1, 1);
    };
    assertNone([locked, locked, locked], { preemptions: 1 });
    const waits: Body = ({ words, wait }) => {
      wait(1, 0);
      return words[0];
    };
    const wakes: Body = ({ words, atomics }) => {
      words[0] = 1;
      while (atomics.notify(1, 1) === 0);
    };
    assertNone([waits, wakes]);
  });

  test('are not ordered by an atomic access to another word, or by a read alone', () => {
    const publish: Body = ({ words, atomics }) => {
      words[0] = 1;
      atomics.store(1, 1);
    };
    assertRace([publish, ({ words, atomics }) => (atomics.load(2) === 0 ? words[0] : 0)]);
    const readsOnly: Body = ({ words, atomics }) => {
      words[0] = 1;
      atomics.load(1);
    };
    assertRace([readsOnly, ({ words, atomics }) => (atomics.load(1) === 0 ? words[0] : 0)]);
  });

  test('are ordered by a death when the news of it was read, and not without', () => {
    const guarded = (waits: boolean): Scenario => ({
      words: 4,
      kill: { threads: [0] },
      threads: [
        ({ words, atomics }) => {
          words[0] = 1;
          atomics.store(1, 1);
        },
        ({ words, atomics }) => {
          const known = atomics.load(1) !== 0 || (waits ? atomics.load(2) !== 0 : true);
          return known ? words[0] : 0;
        },
      ],
      died: (_, { atomics }) => atomics.store(2, 1),
    });
    assert.equal(explore(guarded(true)).failure, null);
    assert.equal(explore(guarded(false)).failure?.kind, 'race');
  });

  test('may race where it is allowed, and are switched at there', () => {
    const count: Body = ({ words }) => {
      words[0] = (words[0] as number) + 1;
    };
    const more: Partial<Scenario> = {
      allowedRaces: [{ where: 'word 0', reason: 'a test' }],
      after: ({ words }) => assert.equal(words[0], 2),
    };
    assert.equal(failureOf([count, count], more)?.kind, 'check', 'an update is lost');
    const byIndex = [{ where: (word: number) => word === 0, reason: 'a test' }];
    assertNone([read, write], { allowedRaces: byIndex });
    assertRace([read, write], { allowedRaces: [{ where: 'word 1', reason: 'another word' }] });
  });
});

describe('widths', () => {
  const writeByte =
    (at: number): Body =>
    ({ bytes }) => {
      bytes[at] = 1;
    };

  test('bytes beside each other do not race, a byte and its word do', () => {
    assertNone([writeByte(0), writeByte(1)]);
    assertRace([writeByte(1), writeByte(1)]);
    for (const at of [0, 1, 3]) {
      assertRace([writeByte(at), read]);
      assertRace([read, writeByte(at)]);
    }
    assertNone([writeByte(4), read]);
  });

  test('a map of bytes may be changed by bytes and by compare-exchange, and not by words', () => {
    const exchange: Body = ({ atomics, bytesAt }) => {
      bytesAt(0, 8);
      atomics.compareExchangeByte(5, 0, 1);
    };
    assertNone([exchange, exchange]);
    const inMap: Body = ({ words, bytesAt }) => {
      bytesAt(0, 8);
      return words[1];
    };
    assert.match(failureOf([inMap])?.message ?? '', /mixed widths.*word 1/);
  });

  test('can be left unwatched', () => {
    assertNone([write, write], { detectRaces: false });
  });
});
