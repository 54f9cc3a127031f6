// malloc types: counting in cells, limits with a line, runs, types made by two at once.

import { alike, memory, ofOneBody, timedOut } from './kit.mjs';

/** Reads that race on purpose. */
const races = [
  {
    where: 'malloc cell.pending',
    reason:
      'who charges adds up what all cells have pending; a block that is just being taken may be missing',
    switches: false,
  },
  {
    where: 'malloc cell.most',
    reason: 'the owner compares with it without the lock: a block that has been begun is counted in a batch',
  },
  { where: 'malloc cell.least', reason: 'the same, of a free' },
  { where: 'malloc type.limit', reason: 'a hint whether there is a limit; decided upon under the lock' },
  ...['object', 'state', 'length', 'queue', 'offset'].map((field) => ({
    where: `page.${field}`,
    reason: 'who cleans up looks for runs of the dead one among all pages; those nobody else changes',
    switches: false,
  })),
];

/** Opens the type in every thread, with a block of 64 bytes cached in each. */
function openTypes(memories, observer, options = {}) {
  const open = (memory) => memory.mallocType({ name: 't', ...options });
  const shared = { types: memories.map(open), observers: open(observer), observer };
  for (const type of [...shared.types, shared.observers]) type.free(type.tryAlloc(64));
  return shared;
}

/** There is room for one block, and thread 0 has it. */
function withAllTaken(memories, observer) {
  const shared = openTypes(memories, observer, { max: 64 });
  return { ...shared, block: shared.types[0].tryAlloc(64) };
}

/** Nothing is in use but what the dead have, a block each; and no more is charged for than that. */
function nothingCounted(_memories, { observers, observer }, { killed, results }) {
  // Only what a dead one has can make somebody wait in vain; who gives up by itself says so.
  if (killed.length === 0 && results.some((result) => result?.code === 'TIMED_OUT'))
    throw new Error('somebody waited in vain');
  const { bytes, limit } = observers.stats();
  const { used } = observer.stats().zones.find(({ name }) => name === 'malloc-64');
  if (used > killed.length) throw new Error(`${used} blocks are in use`);
  if (limit !== 0 && bytes > used * 64) throw new Error(`${bytes} bytes are charged, of ${used} blocks`);
  if (killed.length === 0 && bytes !== 0) throw new Error(`${bytes} bytes are in use`);
}

const followed = { zones: 'own', onOwnerDeath: 'free' };

/** Who cleans up may have been faster: it was a dead thread's. */
function freeOnce(type, block) {
  try {
    type.free(block);
  } catch (error) {
    if (error.code !== 'FREE_TWICE') throw error;
  }
}

/** Nothing is in use: what the dead had has been freed, by their type. */
function nothingLeft(_memories, { observers, observer }, { killed, results }) {
  if (killed.length === 0 && results.some((result) => result?.code === 'TIMED_OUT'))
    throw new Error('somebody waited in vain');
  const { bytes } = observers.stats();
  if (bytes !== 0) throw new Error(`${bytes} bytes are in use, and ${killed.length} threads have died`);
  for (const { zone, type } of observer.leaks())
    if (type === 't') throw new Error(`a block of ${zone} is in use`);
}

function pair(type) {
  const block = type.tryAlloc(64);
  if (block !== 0) type.free(block);
}

const scenarios = [
  {
    name: 'malloc: both take a block and free it',
    setup: openTypes,
    ...alike((_memory, { types }, id) => pair(types[id])),
    after: nothingCounted,
  },
  {
    name: 'malloc: room for one, and both want a block',
    setup: (memories, observer) => openTypes(memories, observer, { max: 64 }),
    // What a dead one had allocated stays allocated.
    ...alike((_memory, { types }, id) => types[id].free(types[id].alloc(64, 0, 300))),
    expected: timedOut,
    after: nothingCounted,
  },
  {
    name: 'malloc: room for one, and both try',
    setup: (memories, observer) => openTypes(memories, observer, { max: 64 }),
    ...alike((_memory, { types }, id) => {
      const block = types[id].tryAlloc(64);
      if (block !== 0) types[id].free(block);
      return block !== 0;
    }),
    after: nothingCounted,
  },
  {
    name: 'malloc: one gives up waiting for room while it comes',
    setup: withAllTaken,
    threads: [
      (_memory, { types, block }) => types[0].free(block),
      (_memory, { types }) => {
        try {
          types[1].free(types[1].alloc(64, 0, 50));
        } catch (error) {
          if (error.code !== 'TIMED_OUT') throw error;
        }
      },
    ],
    third: (_memory, { types }) => pair(types[2]),
    after: nothingCounted,
  },
  {
    name: 'malloc: the limit is set, and lifted, while others take and free',
    setup: openTypes,
    threads: [
      (_memory, { types }) => {
        types[0].max = 64;
        pair(types[0]);
        types[0].max = 0;
      },
      (_memory, { types }) => pair(types[1]),
    ],
    third: (_memory, { types }) => pair(types[2]),
    after: nothingCounted,
  },
  {
    name: 'malloc: the limit rises while somebody waits',
    setup: withAllTaken,
    threads: [
      (_memory, { types }) => {
        types[0].max = 128;
      },
      (_memory, { types, block }) => {
        types[1].free(types[1].alloc(64, 0, 300));
        types[1].free(block);
      },
    ],
    expected: timedOut,
    third: (_memory, { types }) => pair(types[2]),
    after(memories, shared, outcome) {
      if (outcome.killed.length === 0) nothingCounted(memories, shared, outcome);
    },
  },
  {
    name: 'malloc: each makes larger what the other took',
    setup(memories, observer) {
      const shared = openTypes(memories, observer);
      for (const type of [...shared.types, shared.observers]) type.free(type.tryAlloc(100));
      return { ...shared, blocks: shared.types.map((type) => type.tryAlloc(64)) };
    },
    ...ofOneBody((_memory, { types, blocks }, id) => {
      const block = blocks[(id + 1) % blocks.length];
      const larger = types[id].tryRealloc(block, 100);
      types[id].free(larger === 0 ? block : larger);
    }),
    after: nothingCounted,
  },
  {
    name: 'malloc: one makes a block larger, then smaller, while the other takes both sizes',
    setup(memories, observer) {
      const shared = openTypes(memories, observer);
      for (const type of [...shared.types, shared.observers]) type.free(type.tryAlloc(100));
      const block = shared.types[0].tryAlloc(64);
      memories[0].words.fill(7, block >> 2, (block >> 2) + 16);
      return { ...shared, block };
    },
    threads: [
      ({ words }, { types, block }) => {
        let mine = block;
        for (const size of [100, 64]) mine = types[0].tryRealloc(mine, size) || mine;
        const isWhole = words.subarray(mine >> 2, (mine >> 2) + 16).every((word) => word === 7);
        types[0].free(mine);
        return isWhole;
      },
      ({ words }, { types }) => {
        for (const size of [64, 100]) {
          const other = types[1].tryAlloc(size);
          if (other === 0) continue;
          words.fill(9, other >> 2, (other >> 2) + 16);
          types[1].free(other);
        }
      },
    ],
    third: (_memory, { types }) => pair(types[2]),
    after(memories, shared, outcome) {
      if (outcome.results[0] === false) throw new Error('what was in the block is not there');
      nothingCounted(memories, shared, outcome);
    },
  },
  {
    name: 'malloc: a run each',
    heavy: true,
    memory: { ...memory, bytes: 8 << 16 },
    setup: (memories, observer) => openTypes(memories, observer, { max: 1 << 20 }),
    ...alike((_memory, { types }, id) => {
      // One page, but at a multiple of 32.
      const block = types[id].tryAlignedAlloc(1 << 17, 4096);
      if (block !== 0) types[id].free(block);
    }),
    after(_memories, { observers }, { killed }) {
      if (observers.stats().bytes > killed.length * 4096) throw new Error('a run is charged');
    },
  },
  {
    name: 'malloc: room for one of a type that follows a death',
    // What a dead one had is freed, and is room for the other.
    memory: { ...memory, maxZones: 24 },
    setup: (memories, observer) => openTypes(memories, observer, { ...followed, max: 64 }),
    ...alike((_memory, { types }, id) => types[id].free(types[id].alloc(64, 0, 300))),
    expected: timedOut,
    after: nothingLeft,
  },
  {
    name: 'malloc: each frees what the other took, of a type that follows a death',
    memory: { ...memory, maxZones: 24 },
    setup(memories, observer) {
      const shared = openTypes(memories, observer, followed);
      return { ...shared, blocks: shared.types.map((type) => type.tryAlloc(64)) };
    },
    ...ofOneBody((_memory, { types, blocks }, id) => freeOnce(types[id], blocks[(id + 1) % blocks.length])),
    // What a dead one was to free is another's; that the figures are those of the blocks, the audit says.
    after(_memories, { observers }, { killed }) {
      if (observers.stats().bytes > killed.length * 64) throw new Error('a block is in use');
    },
  },
  {
    name: 'malloc: a run each, of a type that follows a death',
    memory: { ...memory, bytes: 8 << 16 },
    setup: (memories, observer) => openTypes(memories, observer, followed),
    ...alike((_memory, { types }, id) => {
      const block = types[id].tryAlignedAlloc(1 << 17, 4096);
      if (block !== 0) types[id].free(block);
    }),
    after: nothingLeft,
  },
  {
    name: 'malloc: both make the same type, and another',
    attachInThreads: true,
    heavy: true,
    setup: (_memories, observer) => void observer.mallocType({ name: 'known' }),
    ...ofOneBody((memory, _shared, id) => {
      memory.mallocType({ name: 'n' });
      pair(memory.mallocType({ name: `n${id % 2}` }));
    }),
  },
];

export const mallocScenarios = scenarios.map((scenario) => ({
  ...scenario,
  races: [...races, ...(scenario.races ?? [])],
}));
