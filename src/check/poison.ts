/** Patterns that make memory in a wrong state easy to see. Readable in a hex dump. */

/** Every word of a free item at check level 2 (the pattern of FreeBSD's uma_dbg(9) trash). */
export const TRASH_WORD: number = 0xdeadc0de | 0;

/** Every byte of a redzone (the pattern of FreeBSD's redzone(9)). */
export const REDZONE_BYTE = 0x42;

/** Four of them. */
export const REDZONE_WORD = 0x42424242;

/** Bytes of a redzone before an item, and behind it at least. */
export const REDZONE_BYTES = 16;

/** Fills the item with trash. `size` is a multiple of 4. */
export function trashFill(words: Int32Array, address: number, size: number): void {
  words.fill(TRASH_WORD, address >>> 2, (address + size) >>> 2);
}

/** Byte address of the first word that is not trash any more, or 0 when all is well. */
export function trashFindDamage(words: Int32Array, address: number, size: number): number {
  const end = (address + size) >>> 2;
  for (let word = address >>> 2; word < end; word++) {
    if (words[word] !== TRASH_WORD) return word << 2;
  }
  return 0;
}

/** The byte of trash that belongs at an address. */
function trashByte(address: number): number {
  return (TRASH_WORD >>> ((address & 3) * 8)) & 0xff;
}

/** Fills what `trashFill` leaves of an item of any size: the bytes after its last whole word. */
export function trashFillTail(bytes: Uint8Array, address: number, size: number): void {
  for (let at = address + (size & ~3); at < address + size; at++) bytes[at] = trashByte(at);
}

/** Address of the first byte of that tail that is not trash any more, or 0. */
export function trashFindTailDamage(bytes: Uint8Array, address: number, size: number): number {
  for (let at = address + (size & ~3); at < address + size; at++) if (bytes[at] !== trashByte(at)) return at;
  return 0;
}

/** Fills the bytes from `from` up to `end`. */
export function redzoneFill(bytes: Uint8Array, from: number, end: number): void {
  bytes.fill(REDZONE_BYTE, from, end);
}

/** How many bytes from `from` up to `end` are not of a redzone any more. By whole words where that goes. */
export function redzoneCountDamage(words: Int32Array, bytes: Uint8Array, from: number, end: number): number {
  let count = 0;
  for (let at = from; at < end; ) {
    if ((at & 3) === 0 && at + 4 <= end && words[at >>> 2] === REDZONE_WORD) {
      at += 4;
      continue;
    }
    if (bytes[at] !== REDZONE_BYTE) count++;
    at++;
  }
  return count;
}
