// Epoch zones: readers without locks, and writers who free what those may see. Accesses are in order here,
// and there is no tick: the sequence goes on with every look, so that the order alone is explored.

import { alike, expectUsed, openZones, timedOut } from './kit.mjs';

const ITEM_BYTES = 512;

/** Words that readers and writers share without a lock: the root, and the first word of each item. */
const open = { root: 0, from: 0, to: 0 };

const readersRace = [
  {
    where: (word) => word === open.root || (word >= open.from && word < open.to && word % 128 === 0),
    reason: 'a reader follows what a writer changes: that is what epochs are for',
  },
  { where: 'thread.section', reason: 'a plain store at enter and leave; others look at it before a step' },
  { where: 'epochs.sequence', reason: 'read plainly at enter: an older one only holds others up' },
  { where: 'zone.deferredTop', reason: 'a hint; looked at again under the lock' },
  { where: 'zone.parkedTag', reason: 'a hint; looked at again under the lock' },
];

/** The root names an item. The first word of an item is its life: one more with each allocation. */
function openTree(memories, observer, options) {
  const { zones, observers } = openZones(memories, observer, {
    name: 'e',
    size: ITEM_BYTES,
    epoch: true,
    onOwnerDeath: 'keep',
    ...options,
  });
  const root = observer.zone({ name: 'root', size: 64 }).tryAlloc() >>> 2;
  const item = observers.tryAlloc();
  observer.words[item >>> 2] = 1;
  observer.words[root] = item;
  open.root = root;
  open.from = (item >>> 12) << 10;
  open.to = open.from + 4 * 1024;
  observers.drainHere();
  // Far from the first sequence: a tag that is 0 has passed.
  for (let step = 0; step < 4; step++) observer.synchronize(0);
  return { zones, observers, root, held: [] };
}

/** What a reader finds stays what it is until it leaves. */
function read(memory, { root }) {
  const { words } = memory;
  memory.enter();
  const item = words[root];
  const life = words[item >>> 2];
  // A place to switch at: plain accesses of items are none.
  memory.poll();
  if (item !== 0 && words[item >>> 2] !== life) throw new Error('an item was reused while somebody read it');
  memory.leave();
}

function begin(memory, item) {
  memory.words[item >>> 2] += 1;
  return item;
}

/** Puts a new item in the place of the old one, which is freed, and then takes what it gets. */
function replace(memory, zone, { root }, tries) {
  const { words } = memory;
  const item = zone.tryAlloc();
  if (item === 0) return;
  begin(memory, item);
  const old = words[root];
  words[root] = item;
  zone.free(old);
  for (let attempt = 0; attempt < tries; attempt++) {
    const next = zone.tryAlloc();
    if (next !== 0) zone.free(begin(memory, next));
  }
}

/** When all have left, nothing waits any more, but `kept` items in the freed buckets of the threads. */
function nothingWaits(_memories, { observers, root, held, kept = 0 }, { observer, killed }) {
  const { overdue } = observer.stats().epochs;
  if (overdue.length > 0) throw new Error(`${overdue.length} threads read still`);
  const item = observer.words[root];
  if (killed.length === 0) for (const each of [item, ...held]) observers.free(each);
  observer.synchronize(0);
  observers.drainHere();
  const { deferred } = observers.stats();
  if (deferred > kept) throw new Error(`${deferred} items wait, and nobody reads`);
  if (killed.length === 0) expectUsed(observers, 0);
}

const scenario = (rest) => ({ races: readersRace, after: nothingWaits, ...rest });

export const epochScenarios = [
  scenario({
    name: 'epochs: one reads, one replaces',
    setup: (memories, observer) => openTree(memories, observer, { max: 2 }),
    threads: [
      (memory, shared) => read(memory, shared),
      (memory, shared) => replace(memory, shared.zones[1], shared, 3),
    ],
    third: (memory, shared) => read(memory, shared),
  }),
  scenario({
    name: 'epochs: one reads twice, one replaces',
    setup: (memories, observer) => openTree(memories, observer, { max: 2 }),
    threads: [
      (memory, shared) => {
        read(memory, shared);
        read(memory, shared);
      },
      (memory, shared) => replace(memory, shared.zones[1], shared, 3),
    ],
    bounds: { deaths: 1 },
  }),
  scenario({
    name: 'epochs: one reads, and another takes what was freed',
    heavy: true,
    setup: (memories, observer) => openTree(memories, observer, { max: 2 }),
    threads: [
      (memory, shared) => replace(memory, shared.zones[0], shared, 1),
      (memory, shared) => {
        for (let attempt = 0; attempt < 3; attempt++) {
          const item = shared.zones[1].tryAlloc();
          if (item !== 0) shared.zones[1].free(begin(memory, item));
        }
      },
    ],
    third: (memory, shared) => read(memory, shared),
  }),
  scenario({
    name: 'epochs: two let the sequence go on, one reads',
    setup: (memories, observer) => openTree(memories, observer, { max: 2 }),
    threads: [
      (memory, shared) => read(memory, shared),
      (memory, shared) => replace(memory, shared.zones[1], shared, 2),
      (_memory, { zones }) => void zones[2].drainHere(),
    ],
    bounds: { deaths: 0 },
  }),
  {
    name: 'epochs: two wait for readers, and there are none',
    ...alike((memory) => {
      const { sequence } = memory.stats().epochs;
      memory.synchronize(1000);
      const now = memory.stats().epochs.sequence;
      if (now < sequence + 4) throw new Error(`from ${sequence} to ${now}: it goes back, or has not gone on`);
    }),
  },
  scenario({
    name: 'epochs: freed items in buckets of the threads',
    setup(memories, observer) {
      const shared = openTree(memories, observer, { max: 16 });
      // One is left: what is freed is what is taken next, if it may be.
      const held = Array.from({ length: 14 }, () => shared.observers.tryAlloc());
      shared.observers.drainHere();
      return { ...shared, held, kept: 2 };
    },
    threads: [
      (memory, shared) => read(memory, shared),
      (memory, shared) => {
        replace(memory, shared.zones[1], shared, 1);
        shared.zones[1].drainHere();
        const item = shared.zones[1].tryAlloc();
        if (item !== 0) shared.zones[1].free(begin(memory, item));
      },
    ],
    third: (_memory, { zones }) => void zones[2].drainHere(),
  }),
  scenario({
    name: 'epochs: no bucket, freed items are parked',
    heavy: true,
    setup(memories, observer) {
      const shared = openTree(memories, observer, { max: 2 });
      observer.drain();
      for (const memory of memories) memory.failpoints.arm('uma.bucket', { from: 1 });
      return shared;
    },
    threads: [
      (memory, shared) => read(memory, shared),
      (memory, shared) => replace(memory, shared.zones[1], shared, 3),
    ],
    third: (_memory, { zones }) => void zones[2].drainHere(),
  }),
  scenario({
    name: 'epochs: a limit of one, and two who sleep for it',
    heavy: true,
    setup(memories, observer) {
      const shared = openTree(memories, observer, { max: 1, onOwnerDeath: 'free' });
      shared.observers.free(observer.words[shared.root]);
      observer.words[shared.root] = 0;
      observer.synchronize(0);
      shared.observers.drainHere();
      return shared;
    },
    ...alike((memory, { zones }, id) => zones[id].free(begin(memory, zones[id].alloc(0, 3000)))),
    expected: timedOut,
    // What readers may still see is looked at again after a while.
    slicesMayHelp: true,
    after: (_memories, { observers }) => expectUsed(observers, 0),
  }),
  scenario({
    name: 'epochs: one waits for all who read',
    setup: (memories, observer) => openTree(memories, observer, { max: 3, onOwnerDeath: 'free' }),
    threads: [
      (memory, shared) => read(memory, shared),
      (memory, { root }) => {
        const { words } = memory;
        const item = words[root];
        words[root] = 0;
        memory.synchronize(3000);
        // Nobody knows it any more: it may be changed in place.
        words[item >>> 2] += 1;
        words[root] = item;
      },
    ],
    expected: timedOut,
    // What readers may still see is looked at again after a while.
    slicesMayHelp: true,
  }),
];
