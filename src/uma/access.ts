/** Whether a range of bytes may be read or written: it must lie inside one item that is in use. */

import { hex, MbumaError, plural, requireInteger } from '../check/index.js';
import type { Items } from './items.js';

export interface Access {
  /**
   * @throws USE_AFTER_FREE, OUT_OF_BOUNDS with all that is known of the item; BAD_ARGUMENT for no range of
   *   this memory
   */
  check(address: number, length: number): void;
  /** The same; a range that lies in no slab at all, such as one of a run of pages, is let pass. */
  checkItem(address: number, length: number): void;
  /** A layer above says what lies where there are no items. */
  onOther(find: (address: number) => Block | null): void;
}

/** What is in use, and no item of a zone. */
export interface Block {
  /** As in `malloc type name`. */
  readonly what: string;
  readonly start: number;
  readonly size: number;
}

/** @param byteLength of the memory */
export function createAccess(items: Items, pageKegs: Uint16Array, byteLength: number): Access {
  const finders: ((address: number) => Block | null)[] = [];

  /** Whether the range lies in a block of another layer. @throws OUT_OF_BOUNDS when it only begins there */
  function isInBlock(address: number, length: number, range: string): boolean {
    for (const find of finders) {
      const block = find(address);
      if (block === null) continue;
      const end = block.start + block.size;
      if (address + length <= end) return true;
      const text = `${range}: not inside block ${hex(block.start)} of ${block.what}, which has ${block.size}`;
      throw new MbumaError('OUT_OF_BOUNDS', text, { address: end });
    }
    return false;
  }

  function check(address: number, length: number): void {
    requireInteger(address, 'address', 0, byteLength - 1);
    requireInteger(length, 'length', 1, byteLength - address);
    const item = items.find(address);
    const range = `${plural(length, 'byte')} at ${hex(address)}`;
    if (item === null) {
      if (isInBlock(address, length, range)) return;
      throw new MbumaError('OUT_OF_BOUNDS', `${range}: in no item`, {
        address,
        details: items.describe(address, null),
      });
    }
    const { start, size, zone, owner } = item;
    const place = { zone, owner };
    if (owner === 0) {
      throw new MbumaError(
        'USE_AFTER_FREE',
        `${range}: in item ${hex(start)} of zone ${zone}, which is free\n` +
          `Most recently used by ${items.lastUser(item)}`,
        { ...place, address, details: items.describe(address, item) },
      );
    }
    const end = start + size;
    if (address >= start && address + length <= end) return;
    const first = address < start || address >= end ? address : end;
    const isBad = (at: number): boolean =>
      at >= address && at < address + length && (at < start || at >= end);
    throw new MbumaError(
      'OUT_OF_BOUNDS',
      `${range}: not inside item ${hex(start)} of zone ${zone}, which has ${size}`,
      { ...place, address: first, details: items.describe(first, item, isBad) },
    );
  }

  return {
    check,
    checkItem(address, length) {
      if (length === 0 || pageKegs[address >>> 12] === 0) return;
      check(address, length);
    },
    onOther(find) {
      finders.push(find);
    },
  };
}
