/**
 * The fabric: everything that a thread can do to shared memory and to time, in one object. All code above
 * reads, writes, waits and looks at the clock through it; so the same source runs over a real buffer,
 * and under the explorer, which gives it another fabric and decides what happens between any two steps.
 *
 * Views have an explicit length and are never replaced: the buffer is allocated whole and never grows.
 */

import { damaged } from '../check/index.js';
import { WORD_SHIFT } from '../record/index.js';
import { createPlainHelper, type Helper, instantiateHelper, type WasmMemory } from './helper/index.js';

/** The atomic operations, on word indexes. Sequentially consistent, all of them. */
export interface AtomicWords {
  load(index: number): number;
  store(index: number, value: number): void;
  add(index: number, value: number): number;
  exchange(index: number, value: number): number;
  compareExchange(index: number, expected: number, replacement: number): number;
  /** On one byte of a byte map that is never accessed by words; named by its byte address. */
  compareExchangeByte(address: number, expected: number, replacement: number): number;
  /** Wakes up to `count` threads that sleep on the word. */
  notify(index: number, count: number): number;
}

/** One thread's access to the memory. */
export interface Fabric {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  /** 64-bit floats, for counters: index = word index / 2. */
  readonly floats: Float64Array;
  /** A map of `length` bytes that starts at a word. */
  bytesAt(index: number, length: number): Uint8Array;
  /** A map of `length` 16-bit numbers that starts at a word. */
  halvesAt(index: number, length: number): Uint16Array;
  readonly atomics: AtomicWords;
  /** See helper/helper.wat. */
  readonly helper: Helper;
  /** Whether this thread may block in `wait` (not in a browser's main thread). */
  readonly mayBlock: boolean;
  /** Sleeps while the word is `expected`, until it is notified or the time is up. */
  wait(index: number, expected: number, timeoutMs: number): void;
  /** The same without blocking. Keeps the process alive meanwhile. May end early. */
  waitAsync(index: number, expected: number, timeoutMs: number): Promise<void>;
  /** Milliseconds that only go forward. */
  now(): number;
  /**
   * Milliseconds that are longer, by far, than a plain access takes to be seen by all threads; 0: each is
   * seen at once, and in order.
   */
  readonly delayMs: number;
  /** How often a word is worth being looked at again before a sleep on it. */
  readonly spinLoads: number;
  /**
   * Registers how to forget what a closure of this thread keeps outside of the shared memory, and to be again
   * as it was when the thread had just attached. Only the explorer ever asks for it.
   */
  onRewind(reset: () => void): void;
}

type WaitAsync = (
  words: Int32Array,
  index: number,
  value: number,
  timeoutMs: number,
) => { async: false; value: string } | { async: true; value: Promise<string> };

/** Loads before a sleep: about as long as a lock is held. */
const SPIN_LOADS = 60;

/** Store buffers empty, and pipelines drain, within a microsecond or so: this is a thousand times longer. */
const DELAY_MS = 1;

/** Without `Atomics.waitAsync` a word is looked at so often. */
const LOOK_EVERY_MS = 2;

/** `Atomics.wait` throws where blocking is forbidden, even when it would not wait. */
function detectMayBlock(words: Int32Array): boolean {
  try {
    // The last word: the first may be a module's.
    Atomics.wait(words, words.length - 1, 1, 0);
    return true;
  } catch {
    return false;
  }
}

/** The helper beats `Atomics`, which V8 calls and does not inline, by 2 to 3 times: see helper/README.md. */
function createAtomics(helper: Helper, bytes: Uint8Array): AtomicWords {
  const { load, store, add, exchange, compareExchange, notify } = helper;
  const end = bytes.length >>> WORD_SHIFT;
  /**
   * An index that was read from the memory may be anything, when something has written there. Not asked where
   * locks and counters of this build's own records are meant: those are hot.
   */
  function addressOf(index: number): number {
    if (index >= 0 && index < end) return index << WORD_SHIFT;
    throw damaged(`it names word ${index}, and has ${end}`);
  }
  return {
    load: (index) => load(index << WORD_SHIFT),
    store: (index, value) => store(index << WORD_SHIFT, value),
    add: (index, value) => add(addressOf(index), value),
    exchange: (index, value) => exchange(index << WORD_SHIFT, value),
    compareExchange: (index, expected, replacement) =>
      compareExchange(index << WORD_SHIFT, expected, replacement),
    compareExchangeByte: (address, expected, replacement) =>
      Atomics.compareExchange(bytes, address, expected, replacement),
    notify: (index, count) => notify(addressOf(index), count),
  };
}

/** The fabric of production: views of one buffer, `Atomics`, the clock of the platform. */
export function createFabric(buffer: SharedArrayBuffer, wasm: WasmMemory | null, byteLength: number): Fabric {
  const words = new Int32Array(buffer, 0, byteLength / 4);
  const bytes = new Uint8Array(buffer, 0, byteLength);
  const helper: Helper = (wasm === null ? null : instantiateHelper(wasm)) ?? createPlainHelper(words, bytes);
  const waitOnWord = (Atomics as unknown as { waitAsync?: WaitAsync }).waitAsync;
  return {
    words,
    bytes,
    floats: new Float64Array(buffer, 0, byteLength / 8),
    bytesAt: (index, length) => new Uint8Array(buffer, index << WORD_SHIFT, length),
    halvesAt: (index, length) => new Uint16Array(buffer, index << WORD_SHIFT, length),
    atomics: createAtomics(helper, bytes),
    helper,
    mayBlock: detectMayBlock(words),
    wait(index, expected, timeoutMs) {
      Atomics.wait(words, index, expected, timeoutMs);
    },
    async waitAsync(index, expected, timeoutMs) {
      if (waitOnWord === undefined) {
        await new Promise((resolve) => setTimeout(resolve, Math.min(timeoutMs, LOOK_EVERY_MS)));
        return;
      }
      // A pending waitAsync does not keep a process alive: a timer of our own does.
      const keepAlive = setTimeout(() => {}, timeoutMs + 1000);
      try {
        const wait = waitOnWord(words, index, expected, timeoutMs);
        if (wait.async) await wait.value;
      } finally {
        clearTimeout(keepAlive);
      }
    },
    now: () => performance.now(),
    delayMs: DELAY_MS,
    spinLoads: SPIN_LOADS,
    onRewind() {},
  };
}
