/**
 * Free functions of external buffers, by name.
 *
 * A function cannot be shared between threads, so an mbuf stores a number, the number stands for a name
 * in the shared table, and each thread says which of its functions the name means there.
 */

import { describeValue, LockRank, MbumaError, requireName } from '../check/index.js';
import type { AreaPlanner } from '../machine/index.js';
import { isText, isZero, readText, unsoundFields, writeText } from '../record/index.js';
import { FREE_FUNCTIONS_MAX, FreeFunctionName, FreeFunctions } from './records.js';
import type { FreeFunction, MbufContext, Report } from './types.js';

const AREA = 'mbuf free functions';
const TABLE_WORDS = 16 + FREE_FUNCTIONS_MAX * 12;
const NAME_WORDS = 12;

/** The table of names. */
export const planMbufs: AreaPlanner = () => [{ name: AREA, words: TABLE_WORDS }];

export interface FreeFunctionTable {
  register(name: unknown, freeFunction: unknown): void;
  /** Number of a function that this thread has registered, by itself or its name; HOOKS_MISSING. */
  numberOf(freeFunction: unknown): number;
  /** This thread's function of that number, or undefined. */
  byNumber(number: number): FreeFunction | undefined;
  nameOf(number: number): string;
  /** Names in the table. */
  count(): number;
  /** M10 of README.md. */
  audit(report: Report): void;
}

export function createFreeFunctions({ machine, locks }: MbufContext): FreeFunctionTable {
  const { words } = machine;
  const nameSite = machine.failpoints.site('mbuf.function', 'a place in the table of free functions');
  const table = machine.area(AREA);
  const { lock: LOCK, count: COUNT, names: NAMES } = FreeFunctions;
  const functions: (FreeFunction | undefined)[] = [];
  const numbers = new Map<string | FreeFunction, number>();

  const nameAt = (number: number): number =>
    table + NAMES + (number - 1) * NAME_WORDS + FreeFunctionName.name;
  const nameOf = (number: number): string => readText(words, nameAt(number), NAME_WORDS);

  /** Under the lock: the number of a name, new or old. */
  function enterName(name: string): number {
    const count = words[table + COUNT] as number;
    for (let number = 1; number <= count; number++) if (nameOf(number) === name) return number;
    if (count === FREE_FUNCTIONS_MAX || nameSite.fails()) {
      throw new MbumaError('OUT_OF_MEMORY', `a memory has room for ${FREE_FUNCTIONS_MAX} free functions`);
    }
    writeText(words, nameAt(count + 1), NAME_WORDS, name);
    words[table + COUNT] = count + 1;
    return count + 1;
  }

  // The count tells which names are there: what was being written is none yet.
  locks.onTakeOver(table + LOCK, table + LOCK + 1, LockRank.REGISTRY, () => {
    const count = words[table + COUNT] as number;
    if (count < FREE_FUNCTIONS_MAX) words.fill(0, nameAt(count + 1), nameAt(count + 1) + NAME_WORDS);
  });

  function register(nameGiven: unknown, freeFunction: unknown): void {
    const name = requireName(nameGiven, 'name of a free function');
    if (typeof freeFunction !== 'function') {
      throw new MbumaError(
        'BAD_ARGUMENT',
        `freeFunction must be a function, not ${describeValue(freeFunction)}`,
      );
    }
    const known = numbers.get(name);
    if (known !== undefined) {
      if (functions[known] === freeFunction) return;
      throw new MbumaError('BAD_ARGUMENT', `this thread has another free function of the name ${name}`);
    }
    locks.acquire(table + LOCK, LockRank.REGISTRY);
    let number: number;
    try {
      number = enterName(name);
    } finally {
      locks.release(table + LOCK);
    }
    functions[number] = freeFunction as FreeFunction;
    numbers.set(name, number);
    // A function of two names is known by the first.
    if (!numbers.has(freeFunction as FreeFunction)) numbers.set(freeFunction as FreeFunction, number);
  }

  return {
    register,
    numberOf(freeFunction) {
      if (typeof freeFunction !== 'string' && typeof freeFunction !== 'function') {
        throw new MbumaError(
          'BAD_ARGUMENT',
          `freeFunction must be a function or its name, not ${describeValue(freeFunction)}`,
        );
      }
      const number = numbers.get(freeFunction as string | FreeFunction);
      if (number !== undefined) return number;
      const shown = typeof freeFunction === 'string' ? freeFunction : 'given';
      throw new MbumaError('HOOKS_MISSING', `the free function ${shown} is not registered in this thread`);
    },
    byNumber: (number) => functions[number],
    nameOf,
    count: () => words[table + COUNT] as number,
    audit(report) {
      const count = words[table + COUNT] as number;
      const isSound = unsoundFields(words, machine.floats, FreeFunctions, table).length === 0;
      if (count < 0 || count > FREE_FUNCTIONS_MAX || !isSound || words[table + LOCK] !== 0) {
        report('M10', `the table of free functions is unsound, and counts ${count} names`);
        return;
      }
      for (let number = 1; number <= count; number++) {
        if (!isText(words, nameAt(number), NAME_WORDS)) report('M10', `free function ${number} has no name`);
      }
      if (!isZero(words, nameAt(count + 1), nameAt(FREE_FUNCTIONS_MAX + 1)))
        report('M10', 'names of free functions that are not there are not 0');
    },
  };
}
