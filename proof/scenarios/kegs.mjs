// Kegs: backends that are drained for one another, marks, and threads that are asked and answer.

import { PAGE_WORDS, ThreadSlot } from '../../dist/machine/index.js';
import { layoutOf } from '../../dist/record/index.js';
import { alike, expectUsed, nothingUsed, ofOneBody, openZones } from './kit.mjs';

const pair = (zone, flags = 0) => {
  const item = zone.tryAlloc(flags);
  if (item !== 0) zone.free(item);
};

/** May take what the reserve keeps. */
const USE_RESERVE = 4;

/** One item a page, and nothing cached: every call goes to the keg. */
const bare = { size: 4096, noBucket: true, onOwnerDeath: 'free' };

/** Two zones of one backend of `max` pages, each with an empty slab. */
function openSharing(memories, observer, max) {
  const open = (memory) => {
    const backend = memory.backend({ name: 'shared', max });
    return ['a', 'b'].map((name) => memory.zone({ name, backend, ...bare }));
  };
  const observers = open(observer);
  const zones = memories.map(open);
  for (const zone of zones[0]) zone.free(zone.tryAlloc());
  return { zones, observers };
}

/** A run at the same place for each thread: it is asked for another only when it has none. */
function openForeign(memory, id) {
  return memory.foreignKeg({
    name: 'f',
    size: 64,
    runBytes: 1024,
    allocRun: () => (id + 1) << 16,
    freeRun() {},
  });
}

/** '' when it did not throw. */
function codeOf(call) {
  try {
    call();
    return '';
  } catch (error) {
    if (error.code === undefined) throw error;
    return error.code;
  }
}

/** The slots of threads are the first thing behind page 0. */
const slotRef = (slot) => PAGE_WORDS + slot * layoutOf(ThreadSlot).words;

export const kegScenarios = [
  {
    name: 'two kegs are drained for one another',
    heavy: true,
    // With a preemption before a death they are more than half a million schedules; chance has those.
    bounds: { deaths: 0 },
    setup: (memories, observer) => openSharing(memories, observer, 2),
    ...ofOneBody((_memory, { zones }, id) => {
      const [own, other] = [zones[id][id % 2], zones[id][1 - (id % 2)]];
      const items = [own.tryAlloc(), own.tryAlloc()];
      for (const item of items) own.free(item);
      pair(other);
    }),
    after: nothingUsed,
  },
  {
    name: 'the bound of a backend is changed while it is met',
    heavy: true,
    setup: (memories, observer) => openSharing(memories, observer, 2),
    threads: [
      (memory, { zones }) => {
        const backend = memory.backend({ name: 'shared' });
        backend.max = 1;
        pair(zones[0][0]);
        backend.max = 3;
      },
      (_memory, { zones }) => {
        const items = [zones[1][1].tryAlloc(), zones[1][1].tryAlloc()];
        for (const item of items) zones[1][1].free(item);
      },
    ],
    third: (_memory, { zones }) => pair(zones[2][0]),
    after: nothingUsed,
  },
  {
    name: 'slabs made ahead and given back by marks',
    heavy: true,
    setup: (memories, observer) =>
      openZones(memories, observer, { name: 'z', ...bare, lowWater: 1, highWater: 1 }),
    ...alike((_memory, { zones }, id) => pair(zones[id])),
    after(memories, shared) {
      nothingUsed(memories, shared);
      const { free } = shared.observers.stats();
      if (free > 3) throw new Error(`${free} items stay free, beyond the high mark`);
    },
  },
  {
    name: 'the reserve is left to who may use it',
    heavy: true,
    setup(memories, observer) {
      const shared = openZones(memories, observer, { name: 'z', ...bare, reserve: 1, backend: undefined });
      shared.zones[0].preallocate(2);
      return shared;
    },
    threads: [
      (_memory, { zones }) => pair(zones[0], USE_RESERVE),
      (_memory, { zones }) => {
        const items = [zones[1].tryAlloc(), zones[1].tryAlloc()];
        for (const item of items) zones[1].free(item);
      },
    ],
    third: (_memory, { zones }) => zones[2].drain(),
    after(memories, shared, { killed }) {
      nothingUsed(memories, shared);
      shared.observers.drain();
      const { free } = shared.observers.stats();
      if (killed.length === 0 && free < 1) throw new Error('the reserve was given back');
    },
  },
  {
    name: 'a thread is asked for what it caches, and answers',
    heavy: true,
    setup(memories, observer) {
      const shared = openZones(memories, observer, { name: 'z', size: 512 });
      for (const zone of shared.zones) zone.free(zone.tryAlloc());
      return { ...shared, slots: memories.map((memory) => memory.thread) };
    },
    threads: [
      (memory) => void memory.reclaim('threads'),
      (memory, { zones }) => {
        pair(zones[1]);
        memory.poll();
      },
    ],
    third: (memory) => memory.poll(),
    after(_memories, { observers, slots }, { killed, observer }) {
      expectUsed(observers, 0);
      for (const slot of killed.length > 0 ? [] : slots) {
        const at = slotRef(slot);
        const [attention, asked, answered] = [
          ThreadSlot.attention,
          ThreadSlot.asked,
          ThreadSlot.answered,
        ].map((field) => observer.words[at + field]);
        // What was asked and is not answered is still to be seen by who is asked.
        if (asked !== answered && attention === 0)
          throw new Error(`slot ${slot} was asked, and will not see it`);
      }
    },
  },
  {
    name: 'a keg: both take a batch and give it back',
    heavy: true,
    setup: (memories, observer) =>
      openZones(memories, observer, { name: 'z', size: 512, noBucket: true, max: 9 }),
    ...alike((_memory, { zones }, id) => {
      const out = new Int32Array(5);
      const got = zones[id].tryAllocMany(out, 5);
      zones[id].freeMany(out, got);
    }),
    after: nothingUsed,
  },
  {
    name: 'a batch goes back while the other waits',
    heavy: true,
    setup: (memories, observer) => {
      const shared = openZones(memories, observer, { name: 'z', size: 512, noBucket: true, max: 4 });
      const out = new Int32Array(4);
      shared.zones[0].tryAllocMany(out, 4);
      return { ...shared, out };
    },
    threads: [
      (_memory, { zones, out }) => zones[0].freeMany(out, 4),
      (_memory, { zones }) => zones[1].free(zones[1].alloc()),
    ],
    third: (_memory, { zones }) => zones[2].free(zones[2].tryAlloc()),
    after: nothingUsed,
  },
  {
    name: 'a zone that imports: both take, one drains',
    heavy: true,
    setup(memories, observer) {
      const imports = {
        import(words, n) {
          words.fill(7, 0, n);
          return n;
        },
        release() {},
      };
      return openZones(memories, observer, { name: 'z', size: 512, ...imports });
    },
    ...ofOneBody((_memory, { zones }, id) => {
      const item = zones[id].tryAlloc();
      if (item !== 0) zones[id].free(item);
      if (id === 1) zones[id].drain();
    }),
    after: nothingUsed,
  },
  {
    name: 'a foreign keg: both take, give and drain',
    setup: (memories, observer) => ({
      kegs: memories.map(openForeign),
      observed: openForeign(observer, 9),
    }),
    ...alike((_memory, { kegs }, id) => {
      const out = new Int32Array(2);
      const got = kegs[id].tryTake(out, 2);
      kegs[id].give(out, got);
      kegs[id].drain();
    }),
    after(_memories, { observed }, { killed }) {
      const { used } = observed.stats();
      if (used > 2 * killed.length) throw new Error(`${used} items are in use`);
    },
  },
  {
    name: 'a foreign keg is destroyed while the other takes and gives',
    setup(memories, observer) {
      const kegs = memories.map(openForeign);
      kegs[0].give(new Int32Array([1 << 16]), kegs[0].tryTake(new Int32Array(1), 1));
      return { kegs, observed: () => openForeign(observer, 9) };
    },
    threads: [
      (_memory, { kegs }) => codeOf(() => kegs[0].destroy()),
      (_memory, { kegs }) =>
        codeOf(() => {
          const out = new Int32Array(2);
          const got = kegs[1].tryTake(out, 2);
          kegs[1].give(out, got);
        }),
    ],
    third: (memory) => codeOf(() => openForeign(memory, 2).drain()),
    after(_memories, { observed }, { results, killed, observer }) {
      // Before its record is used again.
      const { violations } = observer.audit();
      if (violations.length > 0) throw new Error(violations[0].message);
      for (const code of results.filter((each) => typeof each === 'string'))
        if (!['', 'ZONE_CLOSED', 'ZONE_NOT_EMPTY'].includes(code)) throw new Error(code);
      // Found or made anew: nothing of the old one is in its record.
      const { used, runs } = observed().stats();
      if (used > 2 * killed.length || runs > 3) throw new Error(`${used} items are in use in ${runs} runs`);
    },
  },
  {
    name: 'who has answered has drained',
    heavy: true,
    setup(memories, observer) {
      const shared = openZones(memories, observer, { name: 'z', size: 512 });
      shared.zones[1].free(shared.zones[1].tryAlloc());
      return shared;
    },
    threads: [
      (memory, shared) => {
        const { asked } = memory.reclaim('threads');
        const late = memory.overdue().map(({ slot }) => slot);
        const [other] = asked.map(({ slot }) => slot);
        // This thread caches nothing, and the zone has just been drained: what is cached is the other's.
        const answered = other !== undefined && !late.includes(other);
        return answered ? shared.zones[0].stats().cached : 0;
      },
      (memory) => memory.poll(),
    ],
    after(memories, shared, { results, killed }) {
      // A dead one is not late, and has answered nothing: its cache is drained by who cleans up after it.
      if (killed.length === 0 && results[0] > 0) throw new Error('who has answered still caches what it had');
      nothingUsed(memories, shared);
    },
  },
];
