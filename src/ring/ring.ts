/** A ring as its users see it. `handle.ts` makes it. */

/** What an asynchronous call may be given. */
export interface RingWaitOptions {
  /** Ends the wait: the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A bounded queue of words that are not 0, first in first out, between any number of threads.
 *
 * A word is a whole number from -2^31 to 2^31 - 1, but not 0. `try...` never waits, and does not
 * overtake those who do. Whoever waits is served in the order of arrival, blocking and asynchronous
 * calls in one line.
 *
 * Where many words are put and something goes wrong after some of them were accepted (the time is up, the
 * ring is closed, the signal aborts), the answer is how many were accepted; an error means that none was.
 */
export interface Ring {
  readonly name: string;
  /** Words that it holds at most. */
  readonly capacity: number;
  /** Words in it now. Others may change it at any moment. */
  readonly length: number;
  /** Whether `close` was called. Words may still be there to be taken. */
  readonly closed: boolean;

  /** Puts `word`; false when the ring is full. */
  tryPut(word: number): boolean;
  /** Puts `word`; waits for room. Throws TIMED_OUT. */
  put(word: number, timeoutMs?: number): void;
  putAsync(word: number, options?: RingWaitOptions): Promise<void>;
  /** Takes the oldest word; 0 when the ring is empty. */
  tryTake(): number;
  /** Takes the oldest word; waits for one. 0 when the time is up, or the ring is closed and empty. */
  take(timeoutMs?: number): number;
  takeAsync(options?: RingWaitOptions): Promise<number>;

  /** Puts the first of `n` words for which there is room; says how many. */
  tryPutMany(items: Int32Array, n: number): number;
  /** Puts all `n` words; waits for room. Says how many were accepted: all, unless the wait was ended. */
  putMany(items: Int32Array, n: number, timeoutMs?: number): number;
  /** As `putMany`. The items are copied before it waits. */
  putManyAsync(items: Int32Array, n: number, options?: RingWaitOptions): Promise<number>;
  /** Takes up to `n` words; says how many. */
  tryTakeMany(out: Int32Array, n: number): number;
  /** Takes up to `n` words; waits for the first. 0 when the time is up, or the ring is closed and empty. */
  takeMany(out: Int32Array, n: number, timeoutMs?: number): number;
  takeManyAsync(out: Int32Array, n: number, options?: RingWaitOptions): Promise<number>;

  /** Accepts no more words: puts throw RING_CLOSED, takes give what is left and then 0. */
  close(): void;
}
