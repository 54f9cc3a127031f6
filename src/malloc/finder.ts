/** What lies at an address: a block of a type, or what is wrong with it. */

import { type ErrorCode, hex, MbumaError, requireInteger } from '../check/index.js';
import { PAGE_SHIFT, PAGE_SIZE } from '../machine/index.js';
import { PageQueue } from '../phys/index.js';
import type { OpenType } from './blocks.js';
import { CLASS_SIZES } from './classes.js';
import type { MallocContext } from './context.js';
import type { Marks } from './marks.js';
import type { TypeRef } from './records.js';
import type { Registry } from './registry.js';
import type { Runs } from './runs.js';

export interface Finder {
  /**
   * Class of a block of this type, or how many pages a run has, less than 0.
   *
   * @param isFreed false for other calls that need a block: then the words are not those of a free
   * @throws BAD_ARGUMENT, FREE_FOREIGN, FREE_WRONG_TYPE, FREE_UNALIGNED; of a small block its zone knows more
   */
  kindOf(of: OpenType, given: unknown, isFreed: boolean): number;
  /** Bytes of a block of this kind. */
  lengthOf(kind: number): number;
}

export function createFinder(
  { machine, pages, uma }: MallocContext,
  registry: Registry,
  runs: Runs,
  marks: Marks,
): Finder {
  const { bytes } = machine;

  function kindOf(of: OpenType, given: unknown, isFreed: boolean): number {
    const { type, zoneSet } = of;
    const block = requireInteger(given, 'block', 1, bytes.length - 1);
    const index = zoneSet.classAt(block);
    const other = index < 0 ? 0 : marks.strangerOf(of, block);
    if (other !== 0) throw wrongType(of, block, isFreed, other);
    if (index >= 0) return index;
    const length = runs.lengthAt(type, block);
    if (length > 0) return -length;
    throw stranger(of, block, isFreed);
  }

  const toldAddress = (block: number, isFreed: boolean): string =>
    `${isFreed ? 'free: address ' : ''}${hex(block)}`;

  /** Blocks say whose they are from check level 2 on. */
  function wrongType({ name }: OpenType, address: number, isFreed: boolean, other: TypeRef): MbumaError {
    const text = `${toldAddress(address, isFreed)} is a block of malloc type ${registry.nameOf(other)}, not ${name}`;
    return new MbumaError('FREE_WRONG_TYPE', text, { address, details: uma.describe(address) });
  }

  /** What is wrong with an address where no block of the type can begin. */
  function stranger({ type, name }: OpenType, block: number, isFreed: boolean): MbumaError {
    const what = toldAddress(block, isFreed);
    const refuse = (code: ErrorCode, text: string): MbumaError =>
      new MbumaError(code, `${what} ${text}`, { address: block });
    const object = pages.objectOf(block >>> PAGE_SHIFT);
    if (pages.queueOf(block >>> PAGE_SHIFT) !== PageQueue.NONE)
      return refuse('FREE_TWICE', 'has been set aside: take it back first');
    if (object === type) return refuse('FREE_UNALIGNED', `lies inside a run of malloc type ${name}`);
    if (registry.isType(object))
      return refuse(
        'FREE_WRONG_TYPE',
        `lies in a run of malloc type ${registry.nameOf(object)}, not ${name}`,
      );
    if (uma.pageKegs[block >>> PAGE_SHIFT] !== 0)
      return refuse('FREE_WRONG_TYPE', `has not been allocated by malloc type ${name}, nor in its zones`);
    return refuse('FREE_FOREIGN', 'has not been allocated');
  }

  return {
    kindOf,
    lengthOf: (kind) => (kind < 0 ? -kind * PAGE_SIZE : (CLASS_SIZES[kind] as number)),
  };
}
