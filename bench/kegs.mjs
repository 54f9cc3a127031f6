// The cells without a cache in front: what the keg itself takes for an item. Pool's claim, that it costs the
// same however many pages are full, is the pair beside ten and beside 100,000 full slabs.

/** Batches of items from a keg and back. */
export function makeBatchLoop(memory, size, count) {
  const { words } = memory;
  const keg = memory.keg({ name: 'bench', size });
  const at = memory.zone({ name: 'arrays', size: 4096 }).alloc() >> 2;
  const items = words.subarray(at, at + count);
  const loop = (turns) => {
    for (let turn = 0; turn < turns; turn++) {
      keg.tryTake(items, count);
      for (let i = 0; i < count; i++) words[items[i] >> 2] = i;
      keg.give(items, count);
    }
  };
  return { loop, itemsPerTurn: count };
}

/** One item from a keg and back, while `full` slabs are full. */
export function makeFullSlabsLoop(memory, size, full) {
  const { words } = memory;
  const { zone } = memory.keg({ name: 'bench', size });
  zone.alloc();
  const { used, free } = zone.stats();
  // One item more: the pair finds a slab that is neither full nor empty.
  for (let left = full * (used + free); left > 0; left--) zone.alloc();
  const loop = (turns) => {
    for (let turn = 0; turn < turns; turn++) {
      const item = zone.tryAlloc();
      words[item >> 2] = turn;
      zone.free(item);
    }
  };
  return { loop, itemsPerTurn: 1 };
}
