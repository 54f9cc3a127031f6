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
  /** Moves items out of a bucket's slots into words of the memory, and marks them with their owner. */
  readonly takeItems: (slot: number, count: number, out: number) => void;
  /**
   * Moves items from words of the memory into a bucket's slots and clears their owner bytes. Stops before the
   * first that is no item in use of the keg; answers how many it moved.
   */
  readonly giveItems: (items: number, count: number, slot: number, keg: number) => number;
  /**
   * Changes owner bytes that are `slot` to `heir`, atomically, every `step` bytes from `from` to below `to`;
   * writes the item of each to words from `out` on, and answers how many. Items lie 16 * step bytes apart,
   * from `item` on.
   * Of WebAssembly only: in JavaScript nothing is won.
   */
  readonly inherit?: (
    from: number,
    to: number,
    step: number,
    slot: number,
    heir: number,
    item: number,
    out: number,
  ) => number;
  /**
   * For takeItems and giveItems: byte addresses of the owner map and of the map of pages, bytes of the
   * memory, the owner.
   */
  readonly setMaps: (owners: number, pageKegs: number, limit: number, owner: number) => void;
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
  let owners = 0;
  let pageKegs = 0;
  let limit = 0;
  let owner = 0;
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
    setMaps(newOwners, newPageKegs, newLimit, newOwner) {
      owners = newOwners;
      pageKegs = newPageKegs;
      limit = newLimit;
      owner = newOwner;
    },
    takeItems(slot, count, out) {
      for (let at = 0; at < count; at++) {
        const item = words[(slot >>> 2) + at] as number;
        bytes[owners + (item >>> 4)] = owner;
        words[(out >>> 2) + at] = item;
        words[(slot >>> 2) + at] = 0;
      }
    },
    giveItems(items, count, slot, keg) {
      for (let at = 0; at < count; at++) {
        const item = words[(items >>> 2) + at] as number;
        if (item >>> 0 >= limit || (item & 15) !== 0) return at;
        const page = pageKegs + (item >>> 12) * 2;
        if (((bytes[page] as number) | ((bytes[page + 1] as number) << 8)) !== keg) return at;
        const granule = owners + (item >>> 4);
        if (bytes[granule] === 0) return at;
        words[(slot >>> 2) + at] = item;
        bytes[granule] = 0;
      }
      return count;
    },
  };
}
