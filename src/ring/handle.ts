/** Makes a ring's handle: checks arguments, and chooses how to wait. */

import { MbumaError, requireTimeout } from '../check/index.js';
import { ThreadSlot } from '../machine/index.js';
import { isWord, requireWord, requireWords, signalOf } from './arguments.js';
import type { AsyncLine } from './async-line.js';
import type { RingContext } from './context.js';
import type { End, HandOver } from './hand-over.js';
import { type Line, NO_GIFT } from './line.js';
import { PutGift, Ring as RingRecord, type RingRef } from './records.js';
import type { Ring } from './ring.js';
import { PUT_CLOSED, type RingWords } from './words.js';

/** What a handle is made of. */
export interface RingParts {
  readonly context: RingContext;
  readonly handOver: HandOver;
  readonly ringWords: RingWords;
  readonly line: Line;
  readonly asyncLine: AsyncLine;
  /** `here` becomes false when this thread detaches from the memory. */
  readonly attachment: { here: boolean };
}

/**
 * How often a blocking call looks at the other end's counter before it lies down: 1 to 35 microseconds. A
 * look that pays makes the next call look longer, up to about what a sleep and a wake cost; one that
 * does not, less long. The pause between looks leaves the counter's line to those who write it.
 */
const LOOKS_MIN = 16;
const LOOKS_MAX = 512;
const PAUSE_LOADS = 16;

export function createRingHandle(parts: RingParts, ring: RingRef, name: string): Ring {
  const { handOver, ringWords, line, asyncLine, attachment } = parts;
  const { words, now, spinLoads } = parts.context.machine;
  const { load } = parts.context.machine.atomics;
  const { putEnd, takeEnd } = handOver;
  const { putWord, putWords, takeWord, takeWords } = ringWords;
  const { head: HEAD, tail: TAIL, closed: CLOSED } = RingRecord;
  const { failpoints } = parts.context.machine;
  const putSite = failpoints.site(
    'ring.put',
    '`tryPut`, `tryPutMany`: as if the ring were full; by its name',
  );
  const takeSite = failpoints.site('ring.take', '`tryTake`, `tryTakeMany`: as if it were empty; by its name');
  /** A word that nobody else writes to: loading it passes the time. */
  const own = parts.context.threads.self + ThreadSlot.agent;
  const capacity = words[ring + RingRecord.capacity] as number;
  // How errors name the calls that may sleep.
  const PUT = `put to ring ${name}`;
  const PUT_MANY = `putMany to ring ${name}`;
  const TAKE = `take from ring ${name}`;
  const TAKE_MANY = `takeMany from ring ${name}`;

  /** A call that may sleep, whether it will or not. */
  function assertSleepable(what: string, awaits = false): void {
    assertAttached();
    parts.context.waiting.assertMaySleep(what, awaits);
  }

  function assertAttached(): void {
    if (!attachment.here) {
      throw new MbumaError('DETACHED', `ring ${name}: this thread has detached from the memory`);
    }
  }

  function refuseWord(word: unknown): void {
    assertAttached();
    requireWord(word);
  }

  function length(): number {
    const head = load(ring + HEAD);
    // The tail is read later than the head, and may have gone on.
    return Math.min((load(ring + TAIL) - head) | 0, capacity);
  }

  function closedError(): MbumaError {
    return new MbumaError('RING_CLOSED', `ring ${name} is closed for new words`);
  }

  /** The count as the user sees it. */
  function accepted(count: number): number {
    if (count === PUT_CLOSED) throw closedError();
    return count;
  }

  /** A gift, for `AsyncLine.wait` and the like: the oldest word, 0 at the end of a closed ring, NO_GIFT. */
  function takeGift(): number {
    const word = takeWord(ring);
    if (word !== 0) return word;
    // Nothing is put after the close, so what is seen after it is final.
    return load(ring + CLOSED) === 0 ? NO_GIFT : takeWord(ring);
  }

  function putGift(word: number): number {
    const count = putWord(ring, word);
    if (count === PUT_CLOSED) return PutGift.CLOSED;
    return count === 0 ? NO_GIFT : PutGift.ACCEPTED;
  }

  let looks = LOOKS_MAX;

  /** Looks for a while whether there is something to take or room; not when others wait for it. */
  function spin(end: End, worthwhile: (length: number) => boolean): boolean {
    if (spinLoads === 0) return false;
    for (let look = 0; look < looks; look++) {
      if (worthwhile((load(ring + TAIL) - load(ring + HEAD)) | 0)) {
        looks = Math.min(looks * 2, LOOKS_MAX);
        return load(ring + end.waiting) === 0;
      }
      for (let loads = 0; loads < PAUSE_LOADS; loads++) load(own);
    }
    looks = Math.max(looks >> 1, LOOKS_MIN);
    return false;
  }

  const hasWords = (count: number): boolean => count > 0;
  const hasRoom = (count: number): boolean => count < capacity;

  function takeSlow(timeoutMs: number, what: string): number {
    let gift = takeGift();
    if (gift !== NO_GIFT || timeoutMs === 0) return gift === NO_GIFT ? 0 : gift;
    parts.context.waiting.assertMayBlock(what);
    if (spin(takeEnd, hasWords)) {
      gift = takeGift();
      if (gift !== NO_GIFT) return gift;
    }
    gift = line.wait(takeEnd, ring, 0, timeoutMs, what);
    return gift === NO_GIFT ? 0 : gift;
  }

  /** A gift of the put end, or NO_GIFT when the time is up. */
  function putSlow(word: number, timeoutMs: number, what: string): number {
    if (timeoutMs <= 0) return NO_GIFT;
    parts.context.waiting.assertMayBlock(what);
    if (spin(putEnd, hasRoom)) {
      const gift = putGift(word);
      if (gift !== NO_GIFT) return gift;
    }
    return line.wait(putEnd, ring, word, timeoutMs, what);
  }

  function putManySlow(items: Int32Array, start: number, n: number, timeoutMs: number): number {
    const deadline = now() + timeoutMs;
    let count = start;
    try {
      while (count < n) {
        const word = items[count] as number;
        // The array may be shared, and may have changed since it was looked at.
        requireWord(word);
        const gift = putSlow(word, deadline - now(), PUT_MANY);
        if (gift === NO_GIFT) break;
        if (gift === PutGift.CLOSED) throw closedError();
        count++;
        if (count < n) count += accepted(putWords(ring, items, count, n - count, false));
      }
    } catch (error) {
      if (count === 0) throw error;
    }
    return count;
  }

  async function putManyAsyncSlow(
    items: Int32Array,
    start: number,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    let count = 0;
    try {
      while (count < items.length) {
        const word = items[count] as number;
        const gift = await asyncLine.wait(putEnd, ring, word, PUT_MANY, () => putGift(word), signal);
        if (gift === PutGift.CLOSED) throw closedError();
        count++;
        assertAttached();
        if (count < items.length)
          count += accepted(putWords(ring, items, count, items.length - count, false));
      }
    } catch (error) {
      if (start + count === 0) throw error;
    }
    return start + count;
  }

  return {
    name,
    capacity,
    get length() {
      assertAttached();
      return length();
    },
    get closed() {
      assertAttached();
      return load(ring + CLOSED) !== 0;
    },

    tryPut(word) {
      if (!attachment.here || !isWord(word)) refuseWord(word);
      if (putSite.armed !== null && putSite.fails(name)) return false;
      const count = putWord(ring, word);
      if (count === PUT_CLOSED) throw closedError();
      return count !== 0;
    },
    put(word, timeoutMs) {
      assertSleepable(PUT);
      const limit = requireTimeout(timeoutMs);
      requireWord(word);
      if (accepted(putWord(ring, word)) !== 0) return;
      const gift = putSlow(word, limit, PUT);
      if (gift === PutGift.CLOSED) throw closedError();
      if (gift === NO_GIFT) {
        throw new MbumaError('TIMED_OUT', `ring ${name} was full for ${limit} ms`);
      }
    },
    async putAsync(word, options) {
      assertSleepable(PUT, true);
      requireWord(word);
      const signal = signalOf(options);
      const gift = await asyncLine.wait(putEnd, ring, word, PUT, () => putGift(word), signal);
      if (gift === PutGift.CLOSED) throw closedError();
    },
    tryTake() {
      if (!attachment.here) assertAttached();
      if (takeSite.armed !== null && takeSite.fails(name)) return 0;
      return takeWord(ring);
    },
    take(timeoutMs) {
      assertSleepable(TAKE);
      const limit = requireTimeout(timeoutMs);
      const word = takeWord(ring);
      return word !== 0 ? word : takeSlow(limit, TAKE);
    },
    async takeAsync(options) {
      assertSleepable(TAKE, true);
      return asyncLine.wait(takeEnd, ring, 0, TAKE, takeGift, signalOf(options));
    },

    tryPutMany(items, n) {
      assertAttached();
      requireWords(items, n, 'items', 0);
      if (putSite.armed !== null && putSite.fails(name)) return 0;
      return accepted(putWords(ring, items, 0, n, false));
    },
    putMany(items, n, timeoutMs) {
      assertSleepable(PUT_MANY);
      requireWords(items, n, 'items', 0);
      const limit = requireTimeout(timeoutMs);
      const count = accepted(putWords(ring, items, 0, n, true));
      return count === n ? n : putManySlow(items, count, n, limit);
    },
    async putManyAsync(items, n, options) {
      assertSleepable(PUT_MANY, true);
      requireWords(items, n, 'items', 0);
      const signal = signalOf(options);
      signal?.throwIfAborted();
      const count = accepted(putWords(ring, items, 0, n, true));
      return count === n ? n : putManyAsyncSlow(items.slice(count, n), count, signal);
    },
    tryTakeMany(out, n) {
      assertAttached();
      requireWords(out, n, 'out', 0);
      if (takeSite.armed !== null && takeSite.fails(name)) return 0;
      return takeWords(ring, out, 0, n);
    },
    takeMany(out, n, timeoutMs) {
      assertSleepable(TAKE_MANY);
      requireWords(out, n, 'out', 1);
      const limit = requireTimeout(timeoutMs);
      const count = takeWords(ring, out, 0, n);
      if (count !== 0) return count;
      const word = takeSlow(limit, TAKE_MANY);
      if (word === 0) return 0;
      out[0] = word;
      return 1 + takeWords(ring, out, 1, n - 1);
    },
    async takeManyAsync(out, n, options) {
      assertSleepable(TAKE_MANY, true);
      requireWords(out, n, 'out', 1);
      const word = await asyncLine.wait(takeEnd, ring, 0, TAKE_MANY, takeGift, signalOf(options));
      if (word === 0) return 0;
      if (out.length < n) {
        throw new MbumaError('BAD_ARGUMENT', `out has become too short while word ${word} was on its way`);
      }
      out[0] = word;
      return attachment.here ? 1 + takeWords(ring, out, 1, n - 1) : 1;
    },

    close() {
      assertAttached();
      handOver.close(ring);
    },
  };
}
