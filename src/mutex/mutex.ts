/// <reference lib="esnext.disposable" preserve="true" />
/** What users see of a mutex. */

/** How a mutex is made. Every thread says the same. */
export interface MutexOptions {
  /**
   * Class whose order the witness judges; 1 to 47 printable ASCII characters. Default: the mutex's name, so
   * that it has a class of its own. Two mutexes of one class must not be held at a time.
   */
  readonly class?: string;
  /**
   * Place of the class in the order of taking, 1 to 2^31 - 1: a lock may be taken while those of a lower
   * rank are held. Default: none, and the order is learned.
   */
  readonly rank?: number;
}

/** How an asynchronous call waits. */
export interface LockAsyncOptions {
  /** Ends the wait: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Tokens that this task has while it asks. The witness cannot tell the tasks of a thread apart: of locks
   * that were taken by `lockAsync` it knows here only what it is told.
   */
  readonly holding?: UnlockToken | readonly UnlockToken[] | undefined;
}

/**
 * The right to unlock a mutex, named as in the proposal for `Atomics.Mutex`. It belongs to the thread that
 * got it, and cannot be sent. `using token = mutex.lock();` unlocks at the end of the block.
 */
export interface UnlockToken {
  /** Whether the mutex is still had by this token. */
  readonly locked: boolean;
  /**
   * Whether a thread ended, or detached, while it had the mutex, and no one has unlocked it since: what the
   * mutex guards may be half-done. As EOWNERDEAD of POSIX's robust mutexes; unlike there, unlocking says
   * that all is well again, and nothing makes a mutex unusable.
   */
  readonly ownerDied: boolean;
  /**
   * Gives the mutex to the longest waiting, or frees it. False: this token has unlocked before.
   *
   * @throws LOCK_ORDER when the mutex is another's by now; GIVEN_UP
   */
  unlock(): boolean;
  /** The same for `using`. There where the platform has `Symbol.dispose`, or has been given it. */
  [Symbol.dispose](): void;
}

/**
 * A lock of the user's own, found by its name in every thread. It has one owner, is not recursive, and is
 * handed over first come, first served, to blocking and asynchronous callers alike. Should its owner end,
 * the next gets it, with `ownerDied`. Semantics after pthread mutexes (robust, error-checking) and the
 * proposal for `Atomics.Mutex`; order and sleeping are judged as by witness(4) of FreeBSD.
 */
export interface Mutex {
  readonly name: string;
  /** Slot of the thread that has it; 0: nobody. A hint. */
  readonly owner: number;
  /** Whether anybody has it: a hint. */
  readonly locked: boolean;
  /** Calls that wait for it: a hint. */
  readonly sleepers: number;
  /**
   * Takes the mutex; blocks this thread until it has it. About 0.3 us when it is free; at check level 1 and
   * above 5 us more, for the call site.
   *
   * @param timeoutMs gives up with TIMED_OUT after so many milliseconds; without it, never
   * @throws LOCK_ORDER when this thread has it already or waits for it asynchronously, and at check level 1
   *   when the order is wrong; WOULD_BLOCK where this thread must not block; TIMED_OUT; DETACHED
   */
  lock(timeoutMs?: number): UnlockToken;
  /** Takes the mutex if it is free; else null, also when this thread has it. Never waits. */
  tryLock(): UnlockToken | null;
  /**
   * The same as `lock` without blocking the event loop; keeps the process alive while it waits. Other tasks
   * of this thread that took it by `lockAsync` are waited for like other threads.
   *
   * @throws LOCK_ORDER when this task has it (it was taken by `lock`, or `holding` says so), or the order
   *   is wrong; the signal's reason; DETACHED
   */
  lockAsync(options?: LockAsyncOptions): Promise<UnlockToken>;
}
