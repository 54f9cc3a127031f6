/**
 * The two kinds of names for a place in the memory, and the only conversions between them.
 *
 * A *record* is named by its word index, `Ref`; *payload* by its byte address, `Addr`. Both are plain
 * numbers at run time and cannot be mixed by accident at compile time. 0 is null in both: page 0 is
 * never handed out.
 */

declare const refBrand: unique symbol;
declare const addrBrand: unique symbol;

/** Index, in 32-bit words, of a record of the kind `Kind`. */
export type Ref<Kind extends string = string> = number & { readonly [refBrand]: Kind };

/** Byte address of payload: 0 to 2^31 - 1. 0 is null. */
export type Addr = number & { readonly [addrBrand]: true };

/** The null address. `tryAlloc` gives it when there is no memory. */
export const NULL_ADDR: 0 = 0;

/** Bytes in a word, as a shift. */
export const WORD_SHIFT = 2;

/** Names the record that starts at byte address `address` (a multiple of 4). */
export function addrToRef<Kind extends string>(address: number): Ref<Kind> {
  return (address >>> WORD_SHIFT) as Ref<Kind>;
}

/** The byte address of the first word of a record. */
export function refToAddr(ref: number): Addr {
  return (ref << WORD_SHIFT) as Addr;
}

/** Says that `index` is a word index of a record of the given kind. The caller knows. */
export function asRef<Kind extends string>(index: number): Ref<Kind> {
  return index as Ref<Kind>;
}

/** Says that `address` is a byte address of payload. The caller knows. */
export function asAddr(address: number): Addr {
  return address as Addr;
}
