/**
 * Settings, threads and failpoints in the tree of tunables and figures. Here, and not in `machine` and
 * `check`: those are below the folder that leaves are declared by.
 *
 * A setting that is added to `Tunables` and `SETTING_RANGES` has a leaf at once, described by the sentence of
 * its word: it needs a row in `settingNames` only for a better name than `vm.<its_name>`.
 */

import { CHECK_LEVEL_MAX, type Failpoints, type FailSiteStats } from './check/index.js';
import {
  type Attachment,
  generationOf,
  SETTING_RANGES,
  THREADS_MAX,
  ThreadSlot,
  type Tunable,
  Tunables,
} from './machine/index.js';
import { layoutOf } from './record/index.js';
import {
  type Branch,
  branch,
  family,
  flag,
  integer,
  keyed,
  type Leaf,
  type SysctlUnit,
} from './sysctl/index.js';

/** Names that FreeBSD knows, and units. */
const settingNames: Readonly<Partial<Record<Tunable, readonly [name: string, unit: SysctlUnit]>>> = {
  zoneWarnings: ['vm.zone_warnings', ''],
  warningSeconds: ['vm.zone_warning_seconds', 'seconds'],
  timerMs: ['vm.uma_timeout_ms', 'milliseconds'],
  noSleepWithLocks: ['debug.nosleepwithlocks', ''],
  checkDivisor: ['vm.debug.divisor', ''],
  guardFrequency: ['vm.memguard.frequency', ''],
};

function settingLeaves({ settings }: Attachment): Leaf[] {
  const sentences = new Map(layoutOf(Tunables).fields.map(({ name, doc }) => [name, doc]));
  return (Object.keys(SETTING_RANGES) as Tunable[]).map((setting) => {
    const { least, most } = SETTING_RANGES[setting];
    const snake = setting.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const [name, unit] = settingNames[setting] ?? [`vm.${snake}`, ''];
    const sentence = sentences.get(setting) ?? '';
    if (least === 0 && most === 1) {
      return flag(
        name,
        sentence,
        () => settings.read(setting) !== 0,
        (_, on) => settings.write(setting, on ? 1 : 0),
      );
    }
    return integer(name, unit, sentence, () => settings.read(setting), {
      least,
      most,
      write: (_, value) => settings.write(setting, value),
    });
  });
}

function threadBranches({ machine, threads }: Attachment): Branch[] {
  const { load } = machine.atomics;
  const { maxThreads, slotRef } = threads;

  function* attached(): Generator<readonly [key: string, slot: number]> {
    for (let slot = 1; slot <= maxThreads; slot++) if (threads.isLive(slot)) yield [String(slot), slot];
  }

  const word = (field: number) => (slot: number) => load(slotRef(slot) + field) >>> 0;
  return [
    branch('kern.threads', [
      integer('max', 'threads', 'Threads that can be attached at one time.', () => maxThreads, {
        least: 1,
        most: THREADS_MAX,
      }),
      integer('attached', 'threads', 'Threads that are attached.', threads.attachedCount, {
        most: THREADS_MAX,
      }),
      integer('deaths', 'threads', 'Threads that were ever declared dead.', threads.deaths),
      integer('self', '', 'Slot of the thread that asks.', () => threads.slot, {
        least: 1,
        most: THREADS_MAX,
      }),
    ]),
    family('kern.thread', attached, [
      integer('generation', '', 'Which of the threads that had the slot it is.', (slot) =>
        generationOf(word(ThreadSlot.state)(slot)),
      ),
      integer('heartbeat', 'times', 'How often it polled or went a slow way.', word(ThreadSlot.heartbeat)),
      integer('locks', '', 'Locks that it holds.', word(ThreadSlot.heldCount)),
      integer('hands', '', 'Things that it has in hand, in no structure.', word(ThreadSlot.handCount)),
      flag('sleeping', 'Whether it sleeps.', (slot) => word(ThreadSlot.sleepingOn)(slot) !== 0),
    ]),
  ];
}

/** Failpoints are those of the thread that asks. */
function failpointBranch(failpoints: Failpoints): Branch {
  const sites = (): Iterable<readonly [string, FailSiteStats]> =>
    keyed(failpoints.list().map((site) => [site.name, site] as const));
  return family('debug.fail_point', sites, [
    integer('hits', 'times', 'Calls that this thread made there.', ({ hits }) => hits),
    integer('failures', 'times', 'Calls that were made to fail.', ({ failures }) => failures),
    flag('armed', 'Whether it is armed in this thread.', ({ armed }) => armed !== null),
  ]);
}

export function machineBranches(attachment: Attachment): readonly Branch[] {
  const { machine } = attachment;
  return [
    branch('', settingLeaves(attachment)),
    branch('debug', [
      integer('check_level', '', 'How much is checked: see CheckLevel.', () => machine.checkLevel, {
        most: CHECK_LEVEL_MAX,
      }),
    ]),
    ...threadBranches(attachment),
    failpointBranch(machine.failpoints),
  ];
}
