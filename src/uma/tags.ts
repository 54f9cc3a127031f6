/**
 * Tags: what an item is used for, as a number that the layer gives which made the zone (`tagged`), such as
 * the type of a block of malloc. Beside the slab, or in the record of a guarded item; a fresh one is 0. It
 * stays when the item is freed, until the layer writes another: so it says what used a free item last.
 * FreeBSD keeps that in the last word of the item itself (mtrash of uma_dbg), where whoever uses it too late
 * overwrites it.
 *
 * Nothing here knows what a number means: the layer says, for reports.
 */

import type { BareMaps, Items } from './items.js';

/**
 * The name of a tag of a zone, -1 where items have none; '' for a zone that is not the layer's, and a tag
 * that it does not know.
 */
export type NameTag = (zone: string, tag: number) => string;

export interface Tags {
  /** Says how tags are named, in reports of this thread. */
  onName(name: NameTag): void;
  /** The tag of an item that is in use, and begins there; -1 for all else. */
  ofUsed(item: number): number;
  /** Writes the tag of an item. By who has it, or cleans up after who had. */
  set(item: number, tag: number): void;
}

export interface TagNames {
  nameOf: NameTag;
  onName(name: NameTag): void;
}

export function createTagNames(): TagNames {
  const names: NameTag[] = [];
  return {
    nameOf(zone, tag) {
      for (const name of names) {
        const text = name(zone, tag);
        if (text !== '') return text;
      }
      return '';
    },
    onName(name) {
      names.push(name);
    },
  };
}

export function createTags({ words }: BareMaps, items: Items, { onName }: TagNames): Tags {
  return {
    onName,
    ofUsed(address) {
      const item = items.find(address);
      const isUsed = item !== null && item.start === address && item.owner !== 0 && item.tag !== 0;
      return isUsed ? (words[item.tag] as number) : -1;
    },
    set(address, tag) {
      const item = items.find(address);
      if (item !== null && item.tag !== 0) words[item.tag] = tag;
    },
  };
}
