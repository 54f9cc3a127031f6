/**
 * What blocks say of themselves: their type, and whether they are counted.
 *
 * A run always does: its type is the object of its pages, the rest a note in the record of its first page. A
 * small block does where its zone is tagged (`uma`): from check level 2 on, and in types that follow a death.
 *
 *   tag    CLAIMED | number of the type + 1
 *   note   place << 10 | GUARDED | CLAIMED | slot        `Page.offset` of the first page
 *
 * CLAIMED is the truth about a block between its type's figures and its caller: from then on it is counted
 * and the caller's, until it is freed. A hand that has room for a block names it: who finds the thread dead
 * looks whether the block has been claimed, and gives the room back if it has not.
 */

import { PAGE_SHIFT } from '../machine/index.js';
import { GRANULE_SHIFT } from '../uma/index.js';
import type { MallocContext } from './context.js';
import type { TypeRef } from './records.js';
import type { Registry } from './registry.js';
import type { Runs } from './runs.js';
import { isBlockZone, ownerOfBlockZone } from './zone-names.js';

/** In a tag and in the note of a run: the block is its caller's. */
export const CLAIMED = 0x100;

/** In the note of a run: the last page of it is a redzone. */
export const GUARDED = 0x200;

const TYPE_MASK = 0xff;

/** Whose blocks are marked, and with what. */
export interface Marked {
  readonly type: TypeRef;
  /** Number of the type + 1. */
  readonly tag: number;
  readonly zoneSet: { readonly isTagged: boolean };
}

export interface Marks {
  /** The block is the type's and its caller's from here on. `index`: its class; less than 0: a run. */
  claim(of: Marked, index: number, block: number): void;
  /** It is about to be freed. @throws FREE_TWICE for a run that another thread frees at this moment */
  unclaim(of: Marked, index: number, block: number): void;
  /** Whether a block, which may be free by now, is counted for the type. */
  isClaimed(type: TypeRef, block: number): boolean;
  /** The type that a tag says has claimed a block; 0: none has. */
  claimantOf(tag: number): TypeRef | 0;
  /** The type of a small block in use that is another's than `of`; 0: it is its own, or says nothing. */
  strangerOf(of: Marked, block: number): TypeRef | 0;
}

export function createMarks({ threads, uma, pages }: MallocContext, registry: Registry, runs: Runs): Marks {
  const { tags } = uma;
  const typeOf = (tag: number): TypeRef | 0 => registry.byNumber(tag & TYPE_MASK);

  tags.onName((zone, tag) => {
    if (!isBlockZone(zone)) return '';
    // Without tags a zone of a type's own still says whose its blocks are.
    const type = tag < 0 ? registry.byNumber(ownerOfBlockZone(zone)) : typeOf(tag);
    return type === 0 ? '' : registry.nameOf(type);
  });

  return {
    claim({ tag, zoneSet }, index, block) {
      if (index < 0) runs.claim(block);
      else if (zoneSet.isTagged) tags.set(block, CLAIMED | tag);
    },
    unclaim({ tag, zoneSet }, index, block) {
      if (index < 0) runs.unclaim(block);
      else if (zoneSet.isTagged && tags.ofUsed(block) >= 0) {
        // Whoever had it: who dies from here on leaves a block of his own that is not counted.
        uma.owners[block >>> GRANULE_SHIFT] = threads.slot;
        tags.set(block, tag);
      }
    },
    isClaimed(type, block) {
      if (pages.objectOf(block >>> PAGE_SHIFT) === type) return runs.isClaimed(block);
      return tags.ofUsed(block) === (CLAIMED | (registry.indexOf(type) + 1));
    },
    claimantOf: (tag) => ((tag & ~TYPE_MASK) === CLAIMED ? typeOf(tag) : 0),
    strangerOf({ type, zoneSet }, block) {
      const tag = zoneSet.isTagged ? tags.ofUsed(block) : -1;
      const other = tag < 0 ? 0 : typeOf(tag);
      return other === type ? 0 : other;
    },
  };
}
