/** What a foreign keg is made of, and what is wrong with it. */

import {
  attemptWith,
  optionalInteger,
  refuseFor,
  requireFunction,
  requireInteger,
  requireName,
  requireObject,
} from '../check/index.js';
import { isPowerOfTwo } from '../record/index.js';
import { FOREIGN_RUN_WORDS } from './foreign-records.js';
import { HEADER_SIZES, headerKegNumber } from './keg-state.js';

/** What a foreign keg is made of. Every thread that opens it brings functions for the same memory. */
export interface ForeignKegOptions {
  /** Unique among foreign kegs: 1 to 47 printable ASCII characters. */
  readonly name: string;
  /** Bytes of an item, 1 to 1 MiB. */
  readonly size: number;
  /** Alignment of items in the counting of their memory, a power of two up to 65536. Default 8. */
  readonly align?: number;
  /** Bytes that are asked for at a time: at least an item, 16 MiB at most. Default 65536, or an item. */
  readonly runBytes?: number;
  /**
   * So many bytes of the other memory, aligned: the address of the first, below 2^32; 0: there are none. Runs
   * without a lock. They are the keg's until `freeRun`.
   */
  readonly allocRun: (bytes: number) => number;
  /** Takes back what `allocRun` gave. */
  readonly freeRun: (base: number, bytes: number) => void;
}

/** The same, checked, and what follows from it. */
export interface CheckedForeignOptions extends Required<ForeignKegOptions> {
  readonly itemSize: number;
  readonly itemsPerRun: number;
  readonly headerKeg: number;
}

const SIZE_MAX = 1 << 20;
const RUN_BYTES_MAX = 1 << 24;
const RUN_BYTES = 1 << 16;
const ALIGN_MAX = 1 << 16;

export function readForeignOptions(given: ForeignKegOptions): CheckedForeignOptions {
  requireObject(given, 'options');
  const reasons: string[] = [];
  const attempt = attemptWith(reasons);
  const name = attempt(() => requireName(given.name, 'name'), '');
  const size = attempt(() => requireInteger(given.size, 'size', 1, SIZE_MAX), 1);
  const align = attempt(() => optionalInteger(given.align, 'align', 1, ALIGN_MAX, 8), 8);
  if (!isPowerOfTwo(align)) reasons.push(`align must be a power of two, not ${align}`);
  const itemSize = Math.ceil(size / align) * align;
  const usual = Math.max(RUN_BYTES, itemSize);
  const runBytes = attempt(
    () => optionalInteger(given.runBytes, 'runBytes', itemSize, RUN_BYTES_MAX, usual),
    usual,
  );
  attempt(() => requireFunction(given.allocRun, 'allocRun'), undefined);
  attempt(() => requireFunction(given.freeRun, 'freeRun'), undefined);
  const itemsPerRun = Math.floor(runBytes / itemSize);
  const headerBytes = (FOREIGN_RUN_WORDS + Math.ceil(itemsPerRun / 32)) * 4;
  const headerSize = HEADER_SIZES.find((bytes) => bytes >= headerBytes);
  if (headerSize === undefined)
    reasons.push(`runBytes ${runBytes}: ${itemsPerRun} items in a run are too many`);
  refuseFor(`foreign keg ${name}: `, reasons, { zone: name });
  return {
    name,
    size,
    align,
    runBytes,
    itemSize,
    itemsPerRun,
    headerKeg: headerKegNumber(headerSize as number),
    allocRun: given.allocRun,
    freeRun: given.freeRun,
  };
}
