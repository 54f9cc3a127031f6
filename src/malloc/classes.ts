/**
 * Size classes: what the size of a small block is rounded up to.
 *
 * Multiples of 16 up to 128, then four to each doubling up to 64 KiB: no block of more than 64 bytes loses
 * more than a fifth. jemalloc cuts in the same way.
 *
 *   16 32 48 64 80 96 112 128 | 160 192 224 256 | 320 384 448 512 | ... | 40960 49152 57344 65536
 */

/** Largest size of a small block, in bytes; above it a block is a run of pages. */
export const SMALL_MAX = 65536;

const STEP = 16;
const LINEAR_MAX = 128;
const PER_DOUBLING = 4;

/** Bytes of a block of each class. */
export const CLASS_SIZES: readonly number[] = makeSizes();

function makeSizes(): number[] {
  const sizes: number[] = [];
  for (let size = STEP; size <= LINEAR_MAX; size += STEP) sizes.push(size);
  for (let half = LINEAR_MAX; half < SMALL_MAX; half *= 2)
    for (let part = 1; part <= PER_DOUBLING; part++) sizes.push(half + (half / PER_DOUBLING) * part);
  return sizes;
}

/** Class of a size, by `(size + 15) >>> 4`: 0 for no bytes at all, which is the smallest class. */
export const CLASS_OF: Uint8Array = makeClassTable();

function makeClassTable(): Uint8Array {
  const table = new Uint8Array(SMALL_MAX / STEP + 1);
  let index = 0;
  for (let granules = 1; granules < table.length; granules++) {
    if (granules * STEP > (CLASS_SIZES[index] as number)) index++;
    table[granules] = index;
  }
  return table;
}

/** Granules (16 bytes) of a block, by those of the size that is asked for, as in `CLASS_OF`. */
export const GRANULES_OF: Uint16Array = Uint16Array.from(
  CLASS_OF,
  (index) => (CLASS_SIZES[index] as number) / STEP,
);

/** The smallest class of a power of two that is no less than the size; -1: there is none. */
export function powerClassOf(size: number): number {
  const power = size <= STEP ? STEP : 2 ** (32 - Math.clz32(size - 1));
  return CLASS_SIZES.indexOf(power);
}
