/**
 * How a slab is cut: the smallest slab that reaches 90 %, header inline or off-page.
 *
 * One pass over growing slabs; for each, the inline form and the off-page form are tried; what is
 * strictly better than all before is kept; the first that reaches 90 % ends it. Source of the rule:
 * FreeBSD's keg_layout, with our header sizes.
 */

import { REDZONE_BYTES } from '../check/index.js';
import { alignUp } from '../record/index.js';
import {
  BUCKET_ITEMS,
  COUNTER_STRIDE,
  GRANULE,
  ITEM_SITES_WORDS,
  KegFlag,
  SLAB_HEADER_WORDS,
} from './records.js';

/** A way to cut slabs. */
export interface Geometry {
  /** Bytes from one item to the next. */
  readonly itemSize: number;
  readonly itemsPerSlab: number;
  readonly pagesPerSlab: number;
  readonly offPage: boolean;
  /** Bytes from the start of the run to the inline header; 0 when off-page. */
  readonly headerOffset: number;
  readonly headerWords: number;
  /** Words from the header to the first counter; 0 when there are none. */
  readonly counterOffset: number;
  /** Bytes from the start of the run to the first item. */
  readonly dataOffset: number;
  /** Words from the header to the first item's sites; 0 when there are none. */
  readonly siteOffset: number;
  /** Words from the header to the first item's tag; 0 when there are none. */
  readonly tagOffset: number;
  /** Bytes of items, and of their sites and tags, over all bytes, 0 to 1. */
  readonly efficiency: number;
}

/** What the items need. */
export interface Shape {
  readonly size: number;
  readonly align: number;
  /** KegFlag bits. */
  readonly flags: number;
  /** Kegs that off-page headers come from must be inline themselves. */
  readonly inlineOnly?: boolean;
  /** Copies of an item that is one for each thread slot; else 1. */
  readonly copies?: number;
}

const PAGE = 4096;

/** Bytes of a cache line, and of the unit in which copies and spread items are laid out. */
export const CACHE_LINE = 64;

function isCounted({ flags }: Shape): boolean {
  return (flags & KegFlag.REFERENCE_COUNTED) !== 0;
}

/** At least 16 bytes before and behind each item are nobody's. */
function hasRedzones({ flags }: Shape): boolean {
  return (flags & KegFlag.REDZONE) !== 0;
}

/** Beside the slab stands who allocated and freed each item. */
function hasSites({ flags }: Shape): boolean {
  return (flags & KegFlag.SITES) !== 0;
}

/** Beside the slab stands what each item is used for. */
function isTagged({ flags }: Shape): boolean {
  return (flags & KegFlag.TAGGED) !== 0;
}

/** A slab holds at most this many items: one bit each in a bitmap of 16 words. */
export const ITEMS_PER_SLAB_MAX = 512;

/** The first form at least this good is taken. */
const EFFICIENCY_WANTED = 0.9;

/** Largest off-page header: the largest of the header kegs. */
export const HEADER_BYTES_MAX = 1024;

/** Largest slab, in pages; an item larger than half of it gets a slab of its own. */
const SLAB_PAGES_MAX = 512;

/** Words of header, bitmap, counters, sites and tags for `items` items, and where the last three start. */
export function headerShape(
  items: number,
  counted: boolean,
  sites = false,
  tagged = false,
): { words: number; counterOffset: number; siteOffset: number; tagOffset: number } {
  const bitmapEnd = SLAB_HEADER_WORDS + Math.ceil(items / 32);
  const counterOffset = counted ? alignUp(bitmapEnd, COUNTER_STRIDE) : 0;
  const countersEnd = counted ? counterOffset + items * COUNTER_STRIDE : bitmapEnd;
  const sitesEnd = countersEnd + (sites ? items * ITEM_SITES_WORDS : 0);
  return {
    words: sitesEnd + (tagged ? items : 0),
    counterOffset,
    siteOffset: sites ? countersEnd : 0,
    tagOffset: tagged ? sitesEnd : 0,
  };
}

/** Off-page headers come in sizes of a power of two from 64 bytes up. */
export function headerItemBytes(words: number): number {
  let bytes = 64;
  while (bytes < words * 4) bytes *= 2;
  return bytes;
}

/** An inline header starts at a line's start when it has counters, else at a granule's. */
function inlineHeaderOffset(slabBytes: number, words: number, counted: boolean): number {
  const unit = counted ? COUNTER_STRIDE * 4 : GRANULE;
  return Math.floor((slabBytes - words * 4) / unit) * unit;
}

function tryInline(shape: Shape, itemSize: number, pages: number): Geometry | null {
  const slabBytes = pages * PAGE;
  const lead = leadOf(shape);
  let items = Math.min(ITEMS_PER_SLAB_MAX, Math.floor(slabBytes / itemSize) + 1);
  for (; items > 0; items--) {
    const { words, counterOffset, siteOffset, tagOffset } = headerOf(shape, items);
    const headerOffset = inlineHeaderOffset(slabBytes, words, isCounted(shape));
    // The padding of the last item counts too: zeroing and trashing fill an item to the start of the next.
    if (lead + items * itemSize > headerOffset) continue;
    return {
      itemSize,
      itemsPerSlab: items,
      pagesPerSlab: pages,
      offPage: false,
      headerOffset,
      headerWords: words,
      counterOffset,
      dataOffset: lead,
      siteOffset,
      tagOffset,
      efficiency: (items * (itemSize + noteBytes(shape))) / slabBytes,
    };
  }
  return null;
}

function tryOffPage(shape: Shape, itemSize: number, pages: number): Geometry | null {
  const slabBytes = pages * PAGE;
  const lead = leadOf(shape);
  const items = Math.min(ITEMS_PER_SLAB_MAX, Math.floor((slabBytes - lead) / itemSize));
  if (items <= 0) return null;
  const { words, counterOffset, siteOffset, tagOffset } = headerOf(shape, items);
  if (words * 4 > HEADER_BYTES_MAX) return null;
  return {
    itemSize,
    itemsPerSlab: items,
    pagesPerSlab: pages,
    offPage: true,
    headerOffset: 0,
    headerWords: words,
    counterOffset,
    dataOffset: lead,
    siteOffset,
    tagOffset,
    efficiency: (items * (itemSize + noteBytes(shape))) / (slabBytes + headerItemBytes(words)),
  };
}

/** Bytes of sites and tag. A larger slab would not make them any fewer for each item: so they are no waste. */
function noteBytes(shape: Shape): number {
  return (hasSites(shape) ? ITEM_SITES_WORDS * 4 : 0) + (isTagged(shape) ? 4 : 0);
}

function headerOf(shape: Shape, items: number): ReturnType<typeof headerShape> {
  return headerShape(items, isCounted(shape), hasSites(shape), isTagged(shape));
}

/** Bytes before the first item: its redzone, and what keeps it aligned. */
function leadOf(shape: Shape): number {
  return hasRedzones(shape) ? Math.max(shape.align, REDZONE_BYTES) : 0;
}

/** Bytes from one copy of an item to the next, of items that have one for each thread. */
export function copyStride(size: number): number {
  return alignUp(size, CACHE_LINE);
}

/** Bytes from one item to the next: whole granules, and a multiple of the alignment. */
export function itemStride(shape: Shape): number {
  const { size, align, flags, copies = 1 } = shape;
  const redzones = hasRedzones(shape) ? 2 * REDZONE_BYTES : 0;
  if ((flags & KegFlag.PER_THREAD) !== 0) return alignUp(copyStride(size) * copies + redzones, align);
  const least = Math.max(size, GRANULE) + redzones;
  if ((flags & KegFlag.CACHE_SPREAD) === 0) return alignUp(least, Math.max(align, GRANULE));
  // An odd number of lines has no divisor in common with the lines of a page: every start comes up.
  const unit = Math.max(align, CACHE_LINE);
  const stride = alignUp(least, unit);
  return (stride / unit) % 2 === 0 ? stride + unit : stride;
}

/** The cut for items of this shape; null when they are too large for any slab. */
export function chooseGeometry(shape: Shape): Geometry | null {
  const itemSize = itemStride(shape);
  let best: Geometry | null = null;
  let pages = Math.ceil((leadOf(shape) + itemSize) / PAGE);
  for (;;) {
    const candidates: (Geometry | null)[] = [];
    if ((shape.flags & KegFlag.NO_TOUCH) === 0) candidates.push(tryInline(shape, itemSize, pages));
    if (shape.inlineOnly !== true) candidates.push(tryOffPage(shape, itemSize, pages));
    for (const candidate of candidates) {
      if (candidate !== null && (best === null || candidate.efficiency > best.efficiency)) best = candidate;
    }
    if (best !== null && best.efficiency >= EFFICIENCY_WANTED) return best;
    if (best !== null && (shape.flags & KegFlag.CONTIGUOUS) !== 0) return best;
    const grown =
      itemSize <= PAGE
        ? pages + 1
        : Math.ceil(((Math.floor((pages * PAGE) / itemSize) + 1) * itemSize) / PAGE);
    if (grown > SLAB_PAGES_MAX || pages * PAGE >= ITEMS_PER_SLAB_MAX * itemSize) return best;
    pages = grown;
  }
}

/** First bucket of a zone: after the table of FreeBSD. */
export function initialCapacity(itemSize: number, maxBucket: boolean): number {
  if (maxBucket) return BUCKET_ITEMS;
  if (itemSize <= 128) return BUCKET_ITEMS;
  if (itemSize <= 256) return 62;
  if (itemSize <= 512) return 30;
  if (itemSize <= 1024) return 16;
  if (itemSize <= 2048) return 8;
  if (itemSize <= 4096) return 4;
  return 1;
}
