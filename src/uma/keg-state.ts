/** A keg's record, and what a thread knows of it. */

import { LockRank, REDZONE_BYTES } from '../check/index.js';
import { readText, writeText } from '../record/index.js';
import { BUCKET_KEG } from './context.js';
import { type Geometry, headerItemBytes, type Shape } from './geometry.js';
import type { Hook } from './hooks.js';
import { KEG_WORDS, Keg, KegFlag } from './records.js';

/** What stands in the headers of a keg's slabs behind the bitmap, and whose it is. */
export const HeaderKind = {
  /** Nothing. */
  PLAIN: 0,
  /** A reference counter for each item, of `counters.ts`. */
  COUNTED: 1,
  /** The same, of the layer that made the zone. */
  LAYER: 2,
} as const;

/** What all kegs have, as this thread knows it. Never changes, but for the hooks: each thread has its own. */
interface AnyKeg {
  readonly record: number;
  readonly number: number;
  /** Tells it from a keg that had the number before. */
  readonly serial: number;
  readonly name: string;
  readonly size: number;
  /** Bytes that the users of an item may touch: `size`, or all copies of a `perThread` item. */
  readonly extent: number;
  readonly itemSize: number;
  readonly align: number;
  readonly itemsPerSlab: number;
  readonly pagesPerSlab: number;
  readonly headerOffset: number;
  readonly headerKeg: number;
  /** Bytes from the start of a run to its first item. */
  readonly dataOffset: number;
  /** Words from a slab's header to the first item's sites; 0 when there are none. */
  readonly siteOffset: number;
  /** Words from a slab's header to the first item's tag; 0 when there are none. */
  readonly tagOffset: number;
  /** Bytes of an item that zeros and trash fill: up to the next item, or to its redzone. */
  readonly fillBytes: number;
  readonly flags: number;
  /** Number of the backend that its pages come from. */
  readonly backend: number;
  readonly lockRank: LockRank;
  /** Hooks of the primary zone that work on slabs. */
  init: Hook | null;
  fini: Hook | null;
}

/** A keg whose slabs have no counters: by its type, there is no way to ask where they are. */
export interface PlainKeg extends AnyKeg {
  readonly header: typeof HeaderKind.PLAIN;
}

/** A keg whose slabs have counters. */
export interface CountedKeg extends AnyKeg {
  readonly header: typeof HeaderKind.COUNTED | typeof HeaderKind.LAYER;
  /** Words from a slab's header to the counter of its first item. */
  readonly counterOffset: number;
}

/** A keg of any kind: look at `header` before asking for its counters. */
export type KegState = PlainKeg | CountedKeg;

function headerKindOf(flags: number): PlainKeg['header'] | CountedKeg['header'] {
  if ((flags & KegFlag.REFERENCE_COUNTED) === 0) return HeaderKind.PLAIN;
  return (flags & KegFlag.LAYER_COUNTED) === 0 ? HeaderKind.COUNTED : HeaderKind.LAYER;
}

/** Sizes of the off-page header kegs, in bytes. */
export const HEADER_SIZES = [64, 128, 256, 512, 1024] as const;

/** Number of the keg of off-page headers of that many bytes. */
export function headerKegNumber(bytes: number): number {
  return BUCKET_KEG + 1 + HEADER_SIZES.indexOf(bytes as 64);
}

/** What lies between the copies of a `perThread` item, and behind the last up to the redzone, is theirs. */
function extentOf(size: number, itemSize: number, flags: number): number {
  if ((flags & KegFlag.PER_THREAD) === 0) return size;
  return (flags & KegFlag.REDZONE) === 0 ? itemSize : itemSize - 2 * REDZONE_BYTES;
}

/** Reads the record of a keg that there is. */
export function readKeg(words: Int32Array, record: number): KegState {
  const read = (offset: number): number => words[record + offset] as number;
  const flags = read(Keg.flags);
  const extent = extentOf(read(Keg.size), read(Keg.itemSize), flags);
  // One shape for all kinds, for V8; which of its fields may be read, the type says.
  return {
    record,
    number: read(Keg.number),
    serial: read(Keg.serial),
    name: readText(words, record + Keg.name, 12),
    size: read(Keg.size),
    extent,
    itemSize: read(Keg.itemSize),
    align: read(Keg.align),
    itemsPerSlab: read(Keg.itemsPerSlab),
    pagesPerSlab: read(Keg.pagesPerSlab),
    headerOffset: read(Keg.headerOffset),
    headerKeg: read(Keg.headerKeg),
    header: headerKindOf(flags),
    counterOffset: read(Keg.counterOffset),
    dataOffset: read(Keg.dataOffset),
    siteOffset: read(Keg.siteOffset),
    tagOffset: read(Keg.tagOffset),
    fillBytes: (flags & KegFlag.REDZONE) === 0 ? read(Keg.itemSize) : extent,
    flags,
    backend: read(Keg.backend),
    lockRank: (flags & KegFlag.INTERNAL) === 0 ? LockRank.KEG : LockRank.KEG_INTERNAL,
    init: null,
    fini: null,
  } as KegState;
}

/** Writes the record of a new keg, all but the number that says that it is there. */
export function writeKeg(
  words: Int32Array,
  record: number,
  serial: number,
  name: string,
  shape: Shape,
  geometry: Geometry,
  backend: number,
): void {
  const write = (offset: number, value: number): void => {
    words[record + offset] = value;
  };
  words.fill(0, record, record + KEG_WORDS);
  write(Keg.serial, serial);
  write(Keg.size, shape.size);
  write(Keg.itemSize, geometry.itemSize);
  write(Keg.align, shape.align);
  write(Keg.itemsPerSlab, geometry.itemsPerSlab);
  write(Keg.pagesPerSlab, geometry.pagesPerSlab);
  write(Keg.headerOffset, geometry.headerOffset);
  const headerBytes = headerItemBytes(geometry.headerWords);
  write(Keg.headerKeg, geometry.offPage ? headerKegNumber(headerBytes) : 0);
  write(Keg.headerWords, geometry.headerWords);
  write(Keg.counterOffset, geometry.counterOffset);
  write(Keg.dataOffset, geometry.dataOffset);
  write(Keg.siteOffset, geometry.siteOffset);
  write(Keg.tagOffset, geometry.tagOffset);
  write(Keg.flags, shape.flags);
  write(Keg.backend, backend);
  writeText(words, record + Keg.name, 12, name);
}
