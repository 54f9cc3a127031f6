// Guarded items: threads that take, free, and end the quarantine, at the same time.

import { alike, nothingUsed, openZones } from './kit.mjs';

/** Each word of their pages is looked at: a schedule has thousands of steps. */
const maxSteps = 100_000;
const bounds = { deaths: 0 };

const guarded = { name: 'g', size: 200, guard: true, max: 8 };

// One place in the program each: its text stands in the table of sites before the threads begin.
const take = (zone) => zone.tryAlloc();
const free = (zone, item) => {
  if (item !== 0) zone.free(item);
};

/** So many items have been freed, and stand in quarantine; each thread holds as many as `held`. */
function withQuarantine(memories, observer, count, held) {
  const shared = openZones(memories, observer, guarded);
  const [zone] = shared.zones;
  const items = Array.from({ length: count }, () => take(zone));
  for (const item of items) free(zone, item);
  const holds = shared.zones.map((each) => Array.from({ length: held }, () => take(each)));
  return { ...shared, holds };
}

export const guardScenarios = [
  {
    maxSteps,
    bounds,
    name: 'guarded: both take one and free it',
    heavy: 3,
    setup: (memories, observer) => withQuarantine(memories, observer, 1, 0),
    ...alike((_memory, { zones }, id) => free(zones[id], take(zones[id]))),
    after: nothingUsed,
  },
  {
    maxSteps,
    bounds,
    name: 'guarded: two frees, and the oldest leave',
    heavy: 3,
    setup: (memories, observer) => withQuarantine(memories, observer, 3, 1),
    ...alike((_memory, { zones, holds }, id) => {
      for (const item of holds[id]) free(zones[id], item);
    }),
    after: nothingUsed,
  },
  {
    maxSteps,
    bounds,
    heavy: true,
    name: 'guarded: one frees while the other ends the quarantine',
    setup: (memories, observer) => withQuarantine(memories, observer, 2, 1),
    threads: [
      (_memory, { zones, holds }) => {
        for (const item of holds[0]) free(zones[0], item);
        free(zones[0], take(zones[0]));
      },
      (memory, { zones, holds }) => {
        memory.drain();
        for (const item of holds[1]) free(zones[1], item);
      },
    ],
    third: (memory, { zones, holds }) => {
      for (const item of holds[2]) free(zones[2], item);
      memory.drain();
    },
    after: nothingUsed,
  },
  {
    maxSteps,
    bounds,
    name: 'guarded: one frees what the other took, and both take again',
    heavy: true,
    setup: (memories, observer) => withQuarantine(memories, observer, 0, 1),
    threads: [0, 1].map((id) => (_memory, { zones, holds }) => {
      for (const item of holds[1 - id]) free(zones[id], item);
      free(zones[id], take(zones[id]));
    }),
    // An item dies with its owner: who is killed before its free leaves the other's item to the other.
    after(_memories, { observers }, { killed }) {
      const { used } = observers.stats();
      if (used > killed.length) throw new Error(`${used} items are in use`);
    },
  },
];
