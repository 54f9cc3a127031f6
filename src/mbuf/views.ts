/**
 * Views by address, made once and found again. What is looked at again and again costs no object; the
 * number of views kept is bounded.
 */

import type { Machine } from '../machine/index.js';

/** The view of `length` bytes at `address`; `key` is the address of what it is looked up by. */
export type FindView = (key: number, address: number, length: number) => Uint8Array;

/** Views kept at one time, about 4 MB. When there are more, all are forgotten. */
const VIEWS_MAX = 32768;

/** Keys are multiples of 256, or share a place with another. */
const KEY_SHIFT = 8;
const PLACES = 16;

export function createViews({ bytes }: Machine): FindView {
  let groups: (Uint8Array | undefined)[][] = [];
  let kept = 0;

  function makeView(key: number, address: number, length: number): Uint8Array {
    if (kept >= VIEWS_MAX) {
      groups = [];
      kept = 0;
    }
    const view = bytes.subarray(address, address + length);
    const place = key >>> KEY_SHIFT;
    let group = groups[place >>> 4];
    if (group === undefined) {
      group = new Array<Uint8Array | undefined>(PLACES).fill(undefined);
      groups[place >>> 4] = group;
    }
    if (group[place & 15] === undefined) kept++;
    group[place & 15] = view;
    return view;
  }

  return (key, address, length) => {
    const place = key >>> KEY_SHIFT;
    const view = groups[place >>> 4]?.[place & 15];
    if (view !== undefined && view.byteOffset === address && view.length === length) return view;
    return makeView(key, address, length);
  };
}
