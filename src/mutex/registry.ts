/** Mutexes and their classes by name: made by the first thread that asks, found by the others. */

import { LockRank, MbumaError } from '../check/index.js';
import { asRef, readText, writeText } from '../record/index.js';
import type { MutexContext } from './context.js';
import {
  MUTEX_CLASS_WORDS,
  MUTEX_NAME_WORDS,
  MUTEX_WORDS,
  Mutex,
  MutexClass,
  type MutexRef,
  MutexRegistry,
  mutexesMax,
} from './records.js';

export interface Registry {
  /** Most mutexes, and most classes. */
  readonly most: number;
  /**
   * The mutex of this name; makes it when there is none.
   *
   * @throws LAYOUT_MISMATCH when it has another class, or the class another rank; OUT_OF_MEMORY. Failpoint
   *   `mutex.create`.
   */
  open(name: string, className: string, rank: number): MutexRef;
  /** Mutexes that exist. */
  count(): number;
  at(index: number): MutexRef;
  nameOf(mutex: MutexRef): string;
  classOf(mutex: MutexRef): number;
  /** Classes that exist: their numbers are 1 to this. */
  classes(): number;
  classAt(number: number): number;
  classNameOf(number: number): string;
  rankOf(number: number): number;
}

export function createRegistry(context: MutexContext): Registry {
  const { machine, locks } = context;
  const { words } = machine;
  const { load, store } = machine.atomics;
  const registry = machine.area('mutex registry');
  const classArea = machine.area('mutex classes');
  const mutexArea = machine.area('mutexes');
  const lock = registry + MutexRegistry.lock;
  const most = mutexesMax(machine.layout.parameters.pageCount);
  const creation = machine.failpoints.site('mutex.create', 'a record for a new mutex');

  const at = (index: number): MutexRef => asRef(mutexArea + index * MUTEX_WORDS);
  const classAt = (number: number): number => classArea + (number - 1) * MUTEX_CLASS_WORDS;
  // Damage must not lead out of the tables.
  const count = (): number => Math.min(load(registry + MutexRegistry.count) >>> 0, most);
  const classes = (): number => Math.min(load(registry + MutexRegistry.classes) >>> 0, most);
  const nameOf = (mutex: MutexRef): string => readText(words, mutex + Mutex.name, MUTEX_NAME_WORDS);
  const classOf = (mutex: MutexRef): number => words[mutex + Mutex.class] as number;
  const rankOf = (number: number): number => words[classAt(number) + MutexClass.rank] as number;
  const classNameOf = (number: number): string =>
    readText(words, classAt(number) + MutexClass.name, MUTEX_NAME_WORDS);

  function outOfMemory(name: string, what: string): MbumaError {
    return new MbumaError(
      'OUT_OF_MEMORY',
      `cannot make mutex ${name}: there can be no more than ${most} ${what}`,
    );
  }

  function findClassLocked(className: string): number {
    for (let number = classes(); number > 0; number--) if (classNameOf(number) === className) return number;
    return 0;
  }

  /** The class of this name; made when there is none. */
  function classLocked(name: string, className: string, rank: number): number {
    const found = findClassLocked(className);
    if (found !== 0) {
      if (rankOf(found) === rank) return found;
      throw new MbumaError(
        'LAYOUT_MISMATCH',
        `mutex ${name}: class ${className} has ${rankText(rankOf(found))}, but ${rankText(rank)} was given`,
      );
    }
    const number = classes() + 1;
    if (number > most) throw outOfMemory(name, 'classes');
    words[classAt(number) + MutexClass.rank] = rank;
    writeText(words, classAt(number) + MutexClass.name, MUTEX_NAME_WORDS, className);
    store(registry + MutexRegistry.classes, number);
    return number;
  }

  function createLocked(name: string, className: string, rank: number): MutexRef {
    const index = count();
    if (index >= most || creation.fails(name)) throw outOfMemory(name, 'mutexes');
    const mutex = at(index);
    words[mutex + Mutex.class] = classLocked(name, className, rank);
    writeText(words, mutex + Mutex.name, MUTEX_NAME_WORDS, name);
    store(registry + MutexRegistry.count, index + 1);
    return mutex;
  }

  function findLocked(name: string): MutexRef | 0 {
    for (let index = count() - 1; index >= 0; index--) if (nameOf(at(index)) === name) return at(index);
    return 0;
  }

  function open(name: string, className: string, rank: number): MutexRef {
    locks.acquire(lock, LockRank.REGISTRY);
    try {
      const found = findLocked(name);
      if (found === 0) return createLocked(name, className, rank);
      const has = classOf(found);
      if (classNameOf(has) !== className) {
        throw new MbumaError(
          'LAYOUT_MISMATCH',
          `mutex ${name} is of class ${classNameOf(has)}, not of ${className}`,
        );
      }
      classLocked(name, className, rank);
      return found;
    } finally {
      locks.release(lock);
    }
  }

  return { most, open, count, at, nameOf, classOf, classes, classAt, classNameOf, rankOf };
}

function rankText(rank: number): string {
  return rank === 0 ? 'no rank' : `rank ${rank}`;
}

/** A class that no mutex is of was made by a thread that died before it had made the mutex. */
function isUnused(registry: Registry, number: number): boolean {
  for (let index = registry.count() - 1; index >= 0; index--)
    if (registry.classOf(registry.at(index)) === number) return false;
  return true;
}

/** The registry's lock has been taken over: what is not counted does not exist, and is empty again. */
export function repairRegistry({ machine }: MutexContext, registry: Registry): void {
  const { words, atomics } = machine;
  const { most } = registry;
  const header = machine.area('mutex registry');
  for (let number = registry.classes(); number > 0 && isUnused(registry, number); number--)
    atomics.store(header + MutexRegistry.classes, number - 1);
  const next = registry.classes() + 1;
  if (next <= most) words.fill(0, registry.classAt(next), registry.classAt(next + 1));
  const count = registry.count();
  if (count < most) words.fill(0, registry.at(count), registry.at(count + 1));
}
