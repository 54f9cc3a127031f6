// The operations on a memory's bytes and words for which WebAssembly beats JavaScript, and the same in plain
// JavaScript for where there is no WebAssembly. Which of them is worth a call is measured: README.md.

import { helperModule } from './helper.generated.js';
import { instantiateOver, type WasmMemory } from './webassembly.js';

/** The operations of helper.wat. Addresses are byte addresses; words are signed 32-bit integers. */
export interface Helper {
  readonly kind: 'wasm' | 'plain';
  /** Sets `length` bytes at `address` to the low 8 bits of `byteValue`. */
  readonly fill: (address: number, byteValue: number, length: number) => void;
  /** Copies `length` bytes; the two ranges may overlap. */
  readonly copy: (target: number, source: number, length: number) => void;
  readonly load: (byteAddress: number) => number;
  readonly store: (byteAddress: number, value: number) => void;
  /** Adds to the word; answers what it was. */
  readonly add: (byteAddress: number, value: number) => number;
  /** Replaces the word; answers what it was. */
  readonly exchange: (byteAddress: number, value: number) => number;
  /** Replaces the word if it is `expected`; answers what it was. */
  readonly compareExchange: (byteAddress: number, expected: number, replacement: number) => number;
  /** Wakes at most `count` threads waiting on the word (-1: all); answers how many. */
  readonly notify: (byteAddress: number, count: number) => number;
}

/** The WebAssembly helper over `memory`, or null where WebAssembly is not there or may not be compiled. */
export function instantiateHelper(memory: WasmMemory): Helper | null {
  const exports = instantiateOver(memory, helperModule);
  if (exports === null) return null;
  return { kind: 'wasm', ...(exports as Omit<Helper, 'kind'>) };
}

/**
 * The same operations in plain JavaScript, over both views of one buffer from its byte 0.
 * What the module refuses by a trap (out of the memory, misaligned word) is refused by a RangeError here.
 */
export function createPlainHelper(words: Int32Array, bytes: Uint8Array): Helper {
  const byteLength = bytes.length;

  function wordIndex(byteAddress: number): number {
    if ((byteAddress & 3) !== 0) throw new RangeError(`word address ${byteAddress} is not divisible by 4`);
    return byteAddress >>> 2;
  }

  function checkRange(address: number, length: number): void {
    if (address + length > byteLength) {
      throw new RangeError(`${length} bytes at ${address} do not fit in a memory of ${byteLength}`);
    }
  }

  return {
    kind: 'plain',
    fill(address, byteValue, length) {
      const start = address >>> 0;
      checkRange(start, length >>> 0);
      bytes.fill(byteValue, start, start + (length >>> 0));
    },
    copy(target, source, length) {
      const from = source >>> 0;
      const count = length >>> 0;
      checkRange(target >>> 0, count);
      checkRange(from, count);
      bytes.copyWithin(target >>> 0, from, from + count);
    },
    load: (byteAddress) => Atomics.load(words, wordIndex(byteAddress)),
    store(byteAddress, value) {
      Atomics.store(words, wordIndex(byteAddress), value);
    },
    add: (byteAddress, value) => Atomics.add(words, wordIndex(byteAddress), value),
    exchange: (byteAddress, value) => Atomics.exchange(words, wordIndex(byteAddress), value),
    compareExchange: (byteAddress, expected, replacement) =>
      Atomics.compareExchange(words, wordIndex(byteAddress), expected, replacement),
    notify: (byteAddress, count) => Atomics.notify(words, wordIndex(byteAddress), count >>> 0),
  };
}
