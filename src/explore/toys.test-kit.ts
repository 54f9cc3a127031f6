/** Small structures, each with a right form and a wrong one, or more. */

import type { ModelMemory, Scenario } from './index.js';

const FOR_EVER = Number.POSITIVE_INFINITY;

/** Two threads add one to a counter. */
export function counter(right: boolean): Scenario {
  const add = ({ atomics }: ModelMemory): void => {
    if (right) atomics.add(0, 1);
    else atomics.store(0, atomics.load(0) + 1);
  };
  return {
    name: 'counter',
    words: 2,
    threads: [add, add],
    after({ words }) {
      if (words[0] !== 2) throw new Error(`the counter is ${words[0]}`);
    },
  };
}

/** Two threads pop from a stack of three items, and one pushes again what it got: ABA without a tag. */
export function stack(tagged: boolean): Scenario {
  const HEAD = 0;
  const next = (item: number): number => 4 + item;
  const LOW = 0xffff;
  const pop = ({ words, atomics }: ModelMemory): number => {
    for (;;) {
      const head = atomics.load(HEAD);
      const item = head & LOW;
      if (item === 0) return 0;
      const after = atomics.load(next(item));
      const tag = tagged ? (head & ~LOW) + (LOW + 1) : 0;
      if (atomics.compareExchange(HEAD, head, tag | after) === head) {
        const out = atomics.add(16 + item, 1);
        if (out !== 0) throw new Error(`item ${item} was popped twice`);
        words[20 + item] = 1;
        return item;
      }
    }
  };
  const push = ({ atomics }: ModelMemory, item: number): void => {
    atomics.add(16 + item, -1);
    for (;;) {
      const head = atomics.load(HEAD);
      atomics.store(next(item), head & LOW);
      const tag = tagged ? (head & ~LOW) + (LOW + 1) : 0;
      if (atomics.compareExchange(HEAD, head, tag | item) === head) return;
    }
  };
  return {
    name: 'stack',
    words: 32,
    preemptions: 2,
    setup({ words }) {
      words.set([1], HEAD);
      words.set([2, 3, 0], next(1));
    },
    threads: [
      (memory) => pop(memory),
      (memory) => {
        const first = pop(memory);
        pop(memory);
        if (first !== 0) push(memory, first);
      },
    ],
    // That two have popped one item is the thing to find, not that their plain stores race.
    detectRaces: false,
    after(memory) {
      while (pop(memory) !== 0);
    },
  };
}

/** A lock: by compare-exchange, or by looking and then storing. The section it guards counts plainly. */
export function lock(right: boolean): Scenario {
  const body = ({ words, atomics, wait }: ModelMemory): void => {
    for (;;) {
      if (right) {
        if (atomics.compareExchange(0, 0, 1) === 0) break;
      } else if (atomics.load(0) === 0) {
        atomics.store(0, 1);
        break;
      }
      wait(0, 1);
    }
    words[1] = (words[1] as number) + 1;
    atomics.store(0, 0);
    atomics.notify(0, 1);
  };
  return { name: 'lock', words: 2, threads: [body, body] };
}

/** A lock that wakes a sleeper after it is free, or before: who is woken too early sleeps again for ever. */
export function unlockOrder(right: boolean): Scenario {
  const body = ({ atomics, wait }: ModelMemory): void => {
    while (atomics.compareExchange(0, 0, 1) !== 0) wait(0, 1);
    if (!right) atomics.notify(0, 1);
    atomics.store(0, 0);
    if (right) atomics.notify(0, 1);
  };
  return { name: 'unlock order', words: 2, threads: [body, body] };
}

export type WakeupFault = 'none' | 'no recheck' | 'no notify' | 'notify first';

/** One thread sleeps until the other has set a flag. */
export function wakeup(fault: WakeupFault, timeoutMs = FOR_EVER): Scenario {
  return {
    name: `wakeup, ${fault}`,
    words: 2,
    threads: [
      ({ atomics, wait }) => {
        if (fault === 'no recheck') {
          // The word that is slept on does not change with the flag: the flag may be set in between.
          if (atomics.load(0) === 0) wait(1, 0, timeoutMs);
          return;
        }
        while (atomics.load(0) === 0) wait(0, 0, timeoutMs);
      },
      ({ atomics }) => {
        const at = fault === 'no recheck' ? 1 : 0;
        if (fault === 'notify first') atomics.notify(at, 1);
        atomics.store(0, 1);
        if (fault === 'none' || fault === 'no recheck') atomics.notify(at, 1);
      },
    ],
  };
}

/** Two locks, taken in one order or in two. */
export function lockOrder(right: boolean): Scenario {
  const both =
    (first: number, second: number) =>
    ({ atomics, wait }: ModelMemory): void => {
      for (const at of [first, second]) while (atomics.compareExchange(at, 0, 1) !== 0) wait(at, 1);
      for (const at of [second, first]) {
        atomics.store(at, 0);
        atomics.notify(at, 1);
      }
    };
  return { name: 'lock order', words: 2, threads: [both(0, 1), right ? both(0, 1) : both(1, 0)] };
}

/** A value published by a flag: an atomic one, or a plain one. */
export function publish(right: boolean): Scenario {
  return {
    name: 'publish',
    words: 2,
    threads: [
      ({ words, atomics }) => {
        words[1] = 42;
        if (right) atomics.store(0, 1);
        else words[0] = 1;
      },
      ({ words, atomics }) => {
        const ready = right ? atomics.load(0) : words[0];
        return ready === 1 ? words[1] : 42;
      },
    ],
    after(_, { results }) {
      if (results[1] !== 42) throw new Error(`read ${results[1]}`);
    },
  };
}

/** Flags in the four bytes of a word: by bytes, or by changing the whole word. */
export function byteFlags(right: boolean): Scenario {
  return {
    name: 'byte flags',
    words: 2,
    threads: [
      ({ bytesAt }) => {
        bytesAt(0, 4)[0] = 1;
      },
      ({ bytesAt, words }) => {
        if (right) bytesAt(0, 4)[1] = 1;
        else words[0] = (words[0] as number) | 0x100;
      },
    ],
  };
}

/** A pair of words that readers see whole: they look at a counter before and after. */
export function seqlock(right: boolean): Scenario {
  return {
    name: 'seqlock',
    words: 4,
    preemptions: 3,
    threads: [
      ({ atomics }) => {
        atomics.add(0, 1);
        atomics.store(1, 7);
        atomics.store(2, 7);
        atomics.add(0, 1);
      },
      ({ atomics }) => {
        for (;;) {
          const before = atomics.load(0);
          const pair = [atomics.load(1), atomics.load(2)];
          if ((before & 1) === 0 && (!right || atomics.load(0) === before)) return pair;
        }
      },
    ],
    after(_, { results }) {
      const [first, second] = results[1] as number[];
      if (first !== second) throw new Error(`read ${first} and ${second}`);
    },
  };
}

/** A lock whose holder may die: in the robust form the word says who it is, and a taker looks if it lives. */
export function mortalLock(robust: boolean): Scenario {
  const body = ({ words, atomics, wait, thread }: ModelMemory): void => {
    for (;;) {
      const owner = atomics.compareExchange(0, 0, thread + 1);
      if (owner === 0) break;
      if (robust && atomics.load(1 + owner) === 1 && atomics.compareExchange(0, owner, thread + 1) === owner)
        break;
      wait(0, owner, robust ? 20 : FOR_EVER);
    }
    words[4] = (words[4] as number) + 1;
    atomics.store(0, 0);
    atomics.notify(0, 1);
  };
  return {
    name: 'mortal lock',
    words: 6,
    kill: true,
    threads: [body, body],
    died: (thread, { atomics }) => atomics.store(2 + thread, 1),
  };
}
