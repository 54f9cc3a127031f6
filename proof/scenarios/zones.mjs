// Zones: the rungs of the ladder, limits and sleepers, drains, slabs, hooks.

import { poolSpecification } from '../../dist/explore.js';
import { alike, expectUsed, nothingUsed, ofOneBody, openZones, timedOut, warm } from './kit.mjs';

/** Takes as many as there are, up to `count`. */
function takeUpTo(zone, count) {
  const items = [];
  for (let at = 0; at < count; at++) {
    const item = zone.tryAlloc();
    if (item !== 0) items.push(item);
  }
  return items;
}

const pair = (zone) => {
  const item = zone.tryAlloc();
  if (item !== 0) zone.free(item);
};

/** Items as a history tells of them: nobody has one that another one has. */
const takeFrom = (tools, zone, flags, timeoutMs) =>
  tools.operation('take', [], () =>
    timeoutMs === undefined ? zone.tryAlloc() : zone.alloc(flags, timeoutMs),
  );
const giveTo = (tools, zone, item) => tools.operation('give', [item], () => zone.free(item));

export const zoneScenarios = [
  {
    name: 'alloc and free from loaded buckets',
    setup: (memories, observer) => warm(openZones(memories, observer, { name: 'z', size: 512, max: 64 })),
    ...alike((_memory, { zones }, id) => {
      const items = takeUpTo(zones[id], 2);
      for (const item of items) zones[id].free(item);
    }),
    after: nothingUsed,
  },
  {
    name: 'free of an item that the other thread took',
    setup(memories, observer) {
      const shared = warm(openZones(memories, observer, { name: 'z', size: 512, max: 64 }));
      return { ...shared, items: [shared.zones[0].tryAlloc(), shared.zones[1].tryAlloc()] };
    },
    ...alike((_memory, { zones, items }, id) => {
      zones[id].free(items[1 - id]);
      pair(zones[id]);
    }),
    third: (_memory, { zones }) => pair(zones[2]),
    // An item dies with its owner: who is killed before its free leaves the other's item to the other.
    after(_memories, { observers, items }, { killed }) {
      const left = observers.stats().used;
      if (left > killed.length) throw new Error(`${left} items are in use`);
      if (killed.length === 0 && left !== 0)
        throw new Error(`${items.length} items were freed, ${left} are in use`);
    },
  },
  {
    name: 'full buckets of the zone',
    heavy: 3,
    setup(memories, observer) {
      const shared = openZones(memories, observer, { name: 'z', size: 2048, max: 0 });
      const items = takeUpTo(shared.zones[0], 20);
      for (const item of items) shared.zones[0].free(item);
      for (const memory of memories) memory.poll();
      return shared;
    },
    ...ofOneBody((_memory, { zones }, id) => {
      const items = takeUpTo(zones[id], 9);
      for (const item of items) zones[id].free(item);
    }),
    after: nothingUsed,
  },
  {
    name: 'a free that finds both buckets full',
    heavy: true,
    setup(memories, observer) {
      const shared = openZones(memories, observer, { name: 'z', size: 16384, max: 0 });
      warm(shared);
      return { ...shared, held: shared.zones.map((zone) => takeUpTo(zone, 4)) };
    },
    ...alike((_memory, { zones, held }, id) => {
      for (const item of held[id]) zones[id].free(item);
    }),
    after: nothingUsed,
  },
  {
    name: 'drain while the other allocates',
    setup: (memories, observer) => warm(openZones(memories, observer, { name: 'z', size: 512, max: 64 })),
    threads: [
      (_memory, { zones }) => {
        pair(zones[0]);
        zones[0].drain();
      },
      (_memory, { zones }) => {
        pair(zones[1]);
        pair(zones[1]);
      },
    ],
    third: (_memory, { zones }) => pair(zones[2]),
    after: nothingUsed,
  },
  {
    name: 'both drain and trim',
    setup: (memories, observer) => warm(openZones(memories, observer, { name: 'z', size: 512, max: 64 })),
    threads: [
      (_memory, { zones }) => void zones[0].drain(),
      (_memory, { zones }) => {
        zones[1].trim();
        zones[1].drain();
      },
    ],
    third: (_memory, { zones }) => pair(zones[2]),
    after: nothingUsed,
  },
  {
    name: 'the first slab, header in line',
    heavy: true,
    setup: (memories, observer) => openZones(memories, observer, { name: 'z', size: 1024, max: 8 }),
    ...alike((_memory, { zones }, id) => pair(zones[id])),
    after: nothingUsed,
  },
  {
    name: 'the first slab, header off the page',
    heavy: true,
    setup: (memories, observer) => openZones(memories, observer, { name: 'z', size: 4096, max: 8 }),
    ...alike((_memory, { zones }, id) => pair(zones[id])),
    after: nothingUsed,
  },
  {
    name: 'a slab goes back while the other wants it',
    heavy: true,
    setup(memories, observer) {
      const shared = openZones(memories, observer, { name: 'z', size: 4096, max: 0 });
      // Only this thread caches anything: so the drain finds empty slabs.
      pair(shared.zones[0]);
      return shared;
    },
    threads: [(_memory, { zones }) => void zones[0].drain(), (_memory, { zones }) => pair(zones[1])],
    third: (_memory, { zones }) => pair(zones[2]),
    after: nothingUsed,
  },
  {
    name: 'no bucket: single items past the caches',
    heavy: true,
    setup(memories, observer) {
      const shared = openZones(memories, observer, { name: 'z', size: 512, max: 64 });
      shared.observers.free(shared.observers.tryAlloc());
      shared.observers.drain();
      for (const memory of memories) memory.failpoints.arm('uma.bucket', { from: 1 });
      return shared;
    },
    ...alike((_memory, { zones }, id) => pair(zones[id])),
    after: nothingUsed,
  },
  {
    name: 'a limit of one, and two who sleep for it',
    setup: (memories, observer) => warm(openZones(memories, observer, { name: 'z', size: 512, max: 1 })),
    ...alike((_memory, { zones }, id) => zones[id].free(zones[id].alloc())),
    after: nothingUsed,
  },
  {
    name: 'a limit of two, cached items in the way',
    heavy: true,
    setup: (memories, observer) => warm(openZones(memories, observer, { name: 'z', size: 512, max: 2 })),
    ...alike((_memory, { zones }, id) => {
      const first = zones[id].alloc();
      const second = zones[id].tryAlloc();
      if (second !== 0) zones[id].free(second);
      zones[id].free(first);
    }),
    after: nothingUsed,
  },
  {
    name: 'a sleeper that gives up',
    setup: (memories, observer) => warm(openZones(memories, observer, { name: 'z', size: 512, max: 1 })),
    ...alike((_memory, { zones }, id) => zones[id].free(zones[id].alloc(0, 50))),
    expected: timedOut,
    after: nothingUsed,
  },
  {
    name: 'a limit that is raised while somebody sleeps',
    setup(memories, observer) {
      const shared = warm(openZones(memories, observer, { name: 'z', size: 512, max: 1 }));
      return { ...shared, held: shared.observers.alloc(0, 0) };
    },
    threads: [
      // Shorter than others are ready to wait behind it.
      (_memory, { zones }) => zones[0].free(zones[0].alloc(0, 200)),
      (_memory, { zones }) => {
        zones[1].max = 2;
      },
    ],
    expected: timedOut,
    third: (_memory, { zones }) => pair(zones[2]),
    after: (_memories, { observers }) => expectUsed(observers, 1),
  },
  {
    name: 'a limit that is lowered under what is cached',
    setup: (memories, observer) => warm(openZones(memories, observer, { name: 'z', size: 512, max: 32 })),
    threads: [
      (_memory, { zones }) => {
        pair(zones[0]);
        pair(zones[0]);
      },
      (_memory, { zones }) => {
        zones[1].max = 1;
        pair(zones[1]);
      },
    ],
    third: (_memory, { zones }) => pair(zones[2]),
    after: nothingUsed,
  },
  {
    name: 'a secondary zone: import and release',
    heavy: 3,
    setup(memories, observer) {
      const primary = openZones(memories, observer, { name: 'p', size: 512, max: 0 });
      warm(primary);
      const hooks = { init: () => {}, fini: () => {}, finiIsSafe: true };
      const all = [...memories, observer];
      const primaries = [...primary.zones, primary.observers];
      const zones = all.map((each, at) => each.zone({ name: 's', primary: primaries[at], ...hooks }));
      return { zones: zones.slice(0, -1), primaries, observers: [zones.at(-1), primary.observers] };
    },
    threads: [
      (_memory, { zones }) => {
        const item = zones[0].tryAlloc();
        if (item !== 0) zones[0].free(item);
        zones[0].drain();
      },
      (_memory, { primaries }) => pair(primaries[1]),
    ],
    third: (_memory, { zones }) => pair(zones[2]),
    // Which of its zones an owned item is of, a keg with two zones does not know: it is kept.
    after(_memories, { observers }, { killed }) {
      const used = observers[0].stats().used + observers[1].stats().used;
      if (used > killed.length) throw new Error(`${used} items are in use`);
    },
  },
  {
    name: 'ctor and dtor',
    setup(memories, observer) {
      return warm(
        openZones(memories, observer, { name: 'z', size: 512, max: 8, ctor: () => {}, dtor: () => {} }),
      );
    },
    ...alike((_memory, { zones }, id) => pair(zones[id])),
    after: nothingUsed,
  },
  {
    name: 'init of a slab that allocates from another zone',
    heavy: true,
    setup(memories, observer) {
      const inner = warm(openZones(memories, observer, { name: 'i', size: 256, max: 0 }));
      const all = [...memories, observer];
      const inners = [...inner.zones, inner.observers];
      const zones = all.map((each, at) =>
        each.zone({
          name: 'z',
          size: 16384,
          max: 4,
          onOwnerDeath: 'free',
          init(item) {
            each.words[item >> 2] = 0;
            const part = inners[at].tryAlloc();
            if (part === 0) return 1;
            each.words[item >> 2] = part;
            return 0;
          },
          fini(item) {
            const part = each.words[item >> 2];
            each.words[item >> 2] = 0;
            if (part !== 0) inners[at].free(part);
          },
        }),
      );
      return { zones: zones.slice(0, -1), observers: zones.at(-1), inner: inner.observers };
    },
    ...alike((_memory, { zones }, id) => pair(zones[id])),
    after(_memories, { observers }) {
      expectUsed(observers, 0);
    },
  },
  {
    name: 'many at once',
    heavy: true,
    setup: (memories, observer) => warm(openZones(memories, observer, { name: 'z', size: 1024, max: 24 })),
    ...alike((_memory, { zones }, id) => {
      const items = new Int32Array(5);
      zones[id].freeMany(items, zones[id].tryAllocMany(items, 5));
    }),
    after: nothingUsed,
  },
  {
    name: 'no pages, and two who sleep for one',
    heavy: true,
    setup(memories, observer) {
      const shared = openZones(memories, observer, { name: 'z', size: 4096, max: 0 });
      const other = observer.zone({ name: 'all', size: 4096 });
      warm(shared);
      const taken = takeUpTo(other, 1 << 10);
      other.free(taken.pop());
      other.drain();
      return shared;
    },
    ...alike((_memory, { zones }, id) => {
      const item = zones[id].alloc(0, 300);
      zones[id].free(item);
      zones[id].drain();
    }),
    expected: timedOut,
    after: nothingUsed,
  },
  {
    name: 'three threads and a limit of two',
    setup: (memories, observer) => warm(openZones(memories, observer, { name: 'z', size: 512, max: 2 })),
    threads: [0, 1, 2].map(
      (id) =>
        (_memory, { zones }) =>
          zones[id].free(zones[id].alloc()),
    ),
    after: nothingUsed,
  },
  {
    name: 'a history of buckets that go to and fro',
    setup(memories, observer) {
      const shared = openZones(memories, observer, { name: 'z', size: 16384, max: 0 });
      warm(shared);
      return shared;
    },
    ...alike((_memory, { zones }, id, tools) => {
      const items = [0, 1].map(() => takeFrom(tools, zones[id])).filter((item) => item !== 0);
      for (const item of items) giveTo(tools, zones[id], item);
      const last = takeFrom(tools, zones[id]);
      if (last !== 0) giveTo(tools, zones[id], last);
    }),
    specificationOfLiving: poolSpecification(),
    after: nothingUsed,
  },
  {
    name: 'a history of a limit of one',
    setup: (memories, observer) => warm(openZones(memories, observer, { name: 'z', size: 512, max: 1 })),
    ...alike((_memory, { zones }, id, tools) => {
      giveTo(tools, zones[id], takeFrom(tools, zones[id], 0, 500));
      const item = takeFrom(tools, zones[id]);
      if (item !== 0) giveTo(tools, zones[id], item);
    }),
    expected: timedOut,
    specificationOfLiving: poolSpecification(1),
    after: nothingUsed,
  },
];
