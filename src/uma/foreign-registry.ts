/**
 * Which foreign kegs there are: found by name, made and ended, under the lock of the registry of zones.
 *
 * A handle remembers the serial that the record had when it was opened. Ending a keg changes that first: so a
 * handle of a keg that is no more is refused, and never taken for one of the next keg in the same record.
 */

import { LockRank, MbumaError } from '../check/index.js';
import { writeText } from '../record/index.js';
import type { UmaContext } from './context.js';
import { type CheckedForeignOptions, type ForeignKegOptions, readForeignOptions } from './foreign-options.js';
import { FOREIGN_KEG_WORDS, FOREIGN_KEGS_MAX, ForeignKegRecord, foreignNameOf } from './foreign-records.js';
import type { Registry } from './registry.js';

/** A foreign keg as one thread has opened it. */
export interface OpenForeignKeg {
  readonly record: number;
  readonly serial: number;
  readonly options: CheckedForeignOptions;
}

export interface ForeignRegistry {
  /** The keg of the options' name; made, if there is none. */
  open(given: ForeignKegOptions): OpenForeignKeg;
  /** @throws ZONE_CLOSED when the keg has been destroyed */
  assertOpen(keg: OpenForeignKeg): void;
  /** Takes the keg's lock. @throws ZONE_CLOSED, without the lock */
  acquire(keg: OpenForeignKeg): void;
  /** Ends the keg if it has no runs. Otherwise: items of them that are in use, and -1 when none is. */
  end(keg: OpenForeignKeg): number;
  nameOf(record: number): string;
  recordOf(index: number): number;
  indexOf(record: number): number;
}

export function createForeignRegistry({ machine, locks }: UmaContext, registry: Registry): ForeignRegistry {
  const { words } = machine;
  const area = machine.area('foreign kegs');
  const { serial: SERIAL, itemSize: SIZE, runCount: RUN_COUNT, freeItems: FREE } = ForeignKegRecord;
  const read = (index: number): number => words[index] as number;
  const recordOf = (index: number): number => area + index * FOREIGN_KEG_WORDS;
  const nameOf = (record: number): string => foreignNameOf(words, record);

  function findByName(name: string): number {
    for (let index = 0; index < FOREIGN_KEGS_MAX; index++)
      if (read(recordOf(index) + SIZE) !== 0 && nameOf(recordOf(index)) === name) return recordOf(index);
    return 0;
  }

  function checkAgreement(record: number, options: CheckedForeignOptions): void {
    for (const field of ['size', 'align', 'runBytes'] as const) {
      const known = read(record + ForeignKegRecord[field]);
      if (known === options[field]) continue;
      const text = `foreign keg ${options.name} exists: ${field} is ${known}, not ${options[field]}`;
      throw new MbumaError('LAYOUT_MISMATCH', text, { zone: options.name });
    }
  }

  function create(options: CheckedForeignOptions): number {
    for (let index = 0; index < FOREIGN_KEGS_MAX; index++) {
      const record = recordOf(index);
      if (read(record + SIZE) !== 0) continue;
      for (const field of ['itemsPerRun', 'runBytes', 'align', 'size', 'headerKeg'] as const)
        words[record + ForeignKegRecord[field]] = options[field];
      writeText(words, record + ForeignKegRecord.name, 12, options.name);
      machine.atomics.store(record + SIZE, options.itemSize);
      return record;
    }
    throw new MbumaError('TOO_MANY_ZONES', `all ${FOREIGN_KEGS_MAX} foreign kegs are taken`);
  }

  /** A record of no keg is empty, but for its lock and its serial, by which others may come too late. */
  function clear(record: number): void {
    words.fill(0, record + ForeignKegRecord.root, record + FOREIGN_KEG_WORDS);
  }

  function assertOpen({ record, serial, options }: OpenForeignKeg): void {
    if (read(record + SERIAL) === serial) return;
    const text = `foreign keg ${options.name} has been destroyed`;
    throw new MbumaError('ZONE_CLOSED', text, { zone: options.name });
  }

  function acquire(keg: OpenForeignKeg): void {
    locks.acquire(keg.record, LockRank.KEG);
    try {
      assertOpen(keg);
    } catch (error) {
      locks.release(keg.record);
      throw error;
    }
  }

  function endLocked({ record, options }: OpenForeignKeg): number {
    const runs = read(record + RUN_COUNT);
    if (runs !== 0) return runs * options.itemsPerRun - read(record + FREE) || -1;
    words[record + SERIAL] = (read(record + SERIAL) + 1) | 0;
    machine.atomics.store(record + SIZE, 0);
    clear(record);
    return 0;
  }

  registry.onRepair(() => {
    for (let index = 0; index < FOREIGN_KEGS_MAX; index++)
      if (read(recordOf(index) + SIZE) === 0) clear(recordOf(index));
  });

  return {
    open(given) {
      const options = readForeignOptions(given);
      return registry.locked(() => {
        const known = findByName(options.name);
        if (known !== 0) checkAgreement(known, options);
        const record = known || create(options);
        return { record, serial: read(record + SERIAL), options };
      });
    },
    assertOpen,
    acquire,
    end: (keg) =>
      registry.locked(() => {
        acquire(keg);
        try {
          return endLocked(keg);
        } finally {
          locks.release(keg.record);
        }
      }),
    nameOf,
    recordOf,
    indexOf: (record) => (record - area) / FOREIGN_KEG_WORDS,
  };
}
