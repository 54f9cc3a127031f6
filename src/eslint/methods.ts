/** The functions of mbuma that answer by a value whether they could. */

export const TRY_METHODS: readonly string[] = [
  // Zones, kegs, malloc types.
  'tryAlloc',
  'tryAllocMany',
  'tryTake',
  'tryCalloc',
  'tryRealloc',
  'tryAlignedAlloc',
  // Network buffers.
  'tryGet',
  'tryGetMany',
  'tryGethdr',
  'tryGethdrMany',
  'tryGetcl',
  'tryGetclMany',
  'tryGetjcl',
  'tryReferenceMany',
  // Rings.
  'tryPut',
  'tryPutMany',
  'tryTakeMany',
  // Mutexes.
  'tryLock',
];

/** Those of them that answer an address, or 0. */
export const ADDRESS_METHODS: readonly string[] = [
  'tryAlloc',
  'tryCalloc',
  'tryRealloc',
  'tryAlignedAlloc',
  'tryGet',
  'tryGethdr',
  'tryGetcl',
  'tryGetjcl',
];
