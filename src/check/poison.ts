/** Patterns that make memory in a wrong state easy to see. Readable in a hex dump. */

/** Every word of a free item at check level 2 (the pattern of FreeBSD's uma_dbg(9) trash). */
export const TRASH_WORD: number = 0xdeadc0de | 0;

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
