/**
 * Epochs: who reads shared structures without a lock, and since when. After FreeBSD's smr(9).
 *
 * A thread that reads writes down the sequence that it saw at enter, and 0 at leave. What has been unlinked
 * is tagged with the sequence; it has been forgotten by every reader once the sequence has gone on often
 * enough, for it only goes on when nobody reads with an older one.
 *
 *   sequence   e        e+1        e+2                        step 2, always odd: never 0
 *              |         |          |
 *   reader     enter(e) .......... leave      e+1 -> e+2 must wait for it
 *   writer       unlink, tag e      may be reused (where all is in order)
 *
 * No fence, no atomic: a reader's store may be seen late, its loads may be done a little earlier or later
 * than the program says. So the sequence goes on at most once a *tick*, which is a thousand times longer than
 * any such delay, and a tag needs two more steps. See docs/decisions/0018.
 */

import { MbumaError } from '../check/index.js';
import type { Machine } from './machine.js';
import { EpochState, ThreadSlot } from './records.js';
import type { ThreadName, Threads } from './threads.js';

/** The sequence grows by this: odd numbers only, so that it may wrap and never is 0. */
const STEP = 2;
/** The first sequence of a memory. */
export const FIRST_SEQUENCE = 1;
/** Steps after which no reader knows what was tagged, where every access is seen at once. */
const STEPS_IN_ORDER = 2;
/**
 * Steps more where accesses are seen late: a reader may have seen the sequence a step later than what it
 * read, and it may be seen to have left before its last load is done.
 */
const STEPS_FOR_DELAY = 2;

/** Ends a read section at the end of a block: `using section = memory.reading()`. */
export interface ReadSection {
  [Symbol.dispose](): void;
}

export interface Epochs {
  /**
   * From now on, until `leave`, what this thread finds in shared structures is not reused. About 1 ns.
   *
   * @throws READ_SECTION where this thread reads already; DETACHED, GIVEN_UP
   */
  enter(): void;
  /** @throws READ_SECTION where this thread does not read; DETACHED, GIVEN_UP */
  leave(): void;
  /** `enter` whose `leave` is called by `using`. */
  reading(): ReadSection;
  /** The section ends without a check: this thread detaches. */
  abandon(): void;
  /** What is unlinked before this call is tagged with it. Never 0. */
  tag(): number;
  /** Whether nobody can know any more what was tagged so. Does not look at threads. */
  hasPassed(tag: number): boolean;
  /**
   * Lets the sequence go on, if it has stood for a tick of this thread's clock and nobody reads with an older
   * one. It goes on only by somebody calling this.
   */
  advance(): void;
  /** Milliseconds after which it is worth calling `advance` again; 0: at once. */
  readonly tickMs: number;
  /** The sequence now. */
  sequence(): number;
  /** Threads that read, and have since before the last step: while they do, the sequence stands still. */
  overdue(): ThreadName[];
}

export function createEpochs(machine: Machine, threads: Threads): Epochs {
  const { words, now, delayMs: tickMs } = machine;
  const { load, compareExchange } = machine.atomics;
  const { self, stateHere: here, maxThreads, slotRef, assertHere } = threads;
  const { section: SECTION_OF, state: STATE_OF } = ThreadSlot;
  const section = self + SECTION_OF;
  const state = self + STATE_OF;
  const sequence = machine.area('epochs') + EpochState.sequence;
  const span = (tickMs === 0 ? STEPS_IN_ORDER : STEPS_IN_ORDER + STEPS_FOR_DELAY) * STEP;
  /** The sequence that this thread found last, and when by its own clock: clocks of threads differ. */
  let seen = 0;
  let seenAt = 0;
  machine.onRewind(() => {
    seen = 0;
    seenAt = 0;
  });

  function refuse(message: string): never {
    assertHere();
    throw new MbumaError('READ_SECTION', message);
  }

  function enter(): void {
    if (words[section] !== 0 || words[state] !== here)
      refuse('this thread is in a read section already: sections do not nest');
    words[section] = words[sequence] as number;
  }

  function leave(): void {
    if (words[section] === 0 || words[state] !== here) refuse('this thread is in no read section');
    words[section] = 0;
  }

  /** Whether somebody reads with another sequence than this one, which was the last when it was read. */
  function isHeldUp(current: number): boolean {
    for (let slot = 1; slot <= maxThreads; slot++) {
      const reads = load(slotRef(slot) + SECTION_OF);
      if (reads !== 0 && reads !== current) return true;
    }
    return false;
  }

  function advance(): void {
    const current = load(sequence);
    if (tickMs !== 0) {
      const time = now();
      if (current !== seen) {
        seen = current;
        seenAt = time;
        return;
      }
      if (time - seenAt < tickMs) return;
    }
    if (isHeldUp(current)) return;
    compareExchange(sequence, current, (current + STEP) | 0);
  }

  const readSection: ReadSection = { [Symbol.dispose]: leave };
  return {
    enter,
    leave,
    reading() {
      enter();
      return readSection;
    },
    abandon() {
      words[section] = 0;
    },
    tag: () => load(sequence),
    // A tag is never ahead of the sequence: the difference counts the steps, also when it has wrapped.
    hasPassed: (tag) => (load(sequence) - tag) >>> 0 >= span,
    advance,
    tickMs,
    sequence: () => load(sequence),
    overdue() {
      const found: ThreadName[] = [];
      const current = load(sequence);
      for (let slot = 1; slot <= maxThreads; slot++) {
        const reads = load(slotRef(slot) + SECTION_OF);
        if (reads !== 0 && reads !== current) found.push(threads.nameOf(slot));
      }
      return found;
    },
  };
}
