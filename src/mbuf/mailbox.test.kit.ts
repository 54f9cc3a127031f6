/** A bounded queue of words between any number of threads, for tests: slow, and plainly right. */

export interface Mailbox {
  readonly words: Int32Array;
  /** Blocks while it is full. */
  put(word: number): void;
  /** Blocks while it is empty, for as long as `timeoutMs`; 0 then. */
  take(timeoutMs?: number): number;
}

const LOCK = 0;
const HEAD = 1;
const COUNT = 2;
const CHANGES = 3;
const FIRST = 4;

export function makeMailboxWords(capacity: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer((FIRST + capacity) * 4));
}

export function openMailbox(words: Int32Array): Mailbox {
  const capacity = words.length - FIRST;

  function locked<Type>(act: () => Type): Type {
    while (Atomics.compareExchange(words, LOCK, 0, 1) !== 0) Atomics.wait(words, LOCK, 1, 1);
    try {
      return act();
    } finally {
      Atomics.store(words, LOCK, 0);
      Atomics.notify(words, LOCK, 1);
    }
  }

  /** Tries until `attempt` gives something else than 0. */
  function insist(attempt: () => number, timeoutMs: number): number {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const seen = Atomics.load(words, CHANGES);
      const result = locked(attempt);
      if (result !== 0) {
        Atomics.add(words, CHANGES, 1);
        Atomics.notify(words, CHANGES);
        return result;
      }
      const left = deadline - performance.now();
      if (left <= 0) return 0;
      Atomics.wait(words, CHANGES, seen, Math.min(left, 50));
    }
  }

  return {
    words,
    put(word) {
      insist(() => {
        const count = words[COUNT] as number;
        if (count === capacity) return 0;
        words[FIRST + (((words[HEAD] as number) + count) % capacity)] = word;
        words[COUNT] = count + 1;
        return 1;
      }, Number.POSITIVE_INFINITY);
    },
    take(timeoutMs = Number.POSITIVE_INFINITY) {
      return insist(() => {
        const count = words[COUNT] as number;
        if (count === 0) return 0;
        const head = words[HEAD] as number;
        words[HEAD] = (head + 1) % capacity;
        words[COUNT] = count - 1;
        return words[FIRST + head] as number;
      }, timeoutMs);
    },
  };
}
