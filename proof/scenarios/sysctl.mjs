// Limits written by name, by a thread that has not opened the zone: it has the words and the line, no cache
// and no hooks.

import { expectUsed, nothingUsed, openZones, timedOut, warm } from './kit.mjs';

const limitOfZ = 'vm.uma.z.limit.max_items';

const pair = (zone) => {
  const item = zone.tryAlloc();
  if (item !== 0) zone.free(item);
};

/** All but the second thread have the zone. */
function openForOthers(memories, observer, options) {
  const [first, ...others] = memories.filter((_, id) => id !== 1);
  const { zones, observers } = warm(openZones([first, ...others], observer, options));
  return { zones: [zones[0], undefined, zones[1]], observers };
}

export const sysctlScenarios = [
  {
    name: 'sysctl: a limit is raised from elsewhere while somebody sleeps',
    setup(memories, observer) {
      const shared = openForOthers(memories, observer, { name: 'z', size: 512, max: 1 });
      return { ...shared, held: shared.observers.alloc(0, 0) };
    },
    threads: [
      // Shorter than others are ready to wait behind it.
      (_memory, { zones }) => zones[0].free(zones[0].alloc(0, 200)),
      (memory) => memory.sysctl.set(limitOfZ, 2),
    ],
    expected: timedOut,
    third: (_memory, { zones }) => pair(zones[2]),
    after(_memories, { observers }, { killed }) {
      expectUsed(observers, 1);
      if (killed.length === 0 && observers.max !== 2) throw new Error(`the limit is ${observers.max}`);
    },
  },
  {
    name: 'sysctl: a limit is lowered from elsewhere under what is cached',
    setup: (memories, observer) => openForOthers(memories, observer, { name: 'z', size: 512, max: 32 }),
    threads: [
      (memory, { zones }) => {
        pair(zones[0]);
        pair(zones[0]);
        memory.poll();
      },
      (memory) => memory.sysctl.set(limitOfZ, 1),
    ],
    third: (_memory, { zones }) => pair(zones[2]),
    after(memories, shared, { killed }) {
      nothingUsed(memories, shared);
      if (killed.length > 0) return;
      // What is cached beyond the limit goes back when those who have it poll.
      for (const memory of memories) memory.poll();
      shared.observers.drainHere();
      const items = memories[1].sysctl.get('vm.uma.z.limit.items');
      if (items > 1) throw new Error(`${items} items are out`);
    },
  },
  {
    name: 'sysctl: a limit goes up and down from two sides',
    setup: (memories, observer) => openForOthers(memories, observer, { name: 'z', size: 512, max: 1 }),
    threads: [
      (_memory, { zones }) => {
        zones[0].max = 3;
        pair(zones[0]);
      },
      (memory) => {
        memory.sysctl.set(limitOfZ, 1);
        memory.sysctl.set(limitOfZ, 0);
      },
    ],
    third: (_memory, { zones }) => pair(zones[2]),
    after: nothingUsed,
  },
  {
    name: 'sysctl: two set the same tunable, and read it',
    setup() {},
    threads: [
      (memory) => {
        memory.sysctl.set('vm.zone_warning_seconds', 1);
        const seen = memory.sysctl.get('vm.zone_warning_seconds');
        if (seen !== 1 && seen !== 2) throw new Error(`it is ${seen}`);
      },
      (memory) => memory.sysctl.set('vm.zone_warning_seconds', 2),
    ],
    third(memory) {
      const seen = memory.sysctl.get('vm.zone_warning_seconds');
      if (![300, 1, 2].includes(seen)) throw new Error(`it is ${seen}`);
    },
    after(memories, _shared, { killed }) {
      const seen = memories.find((_, id) => !killed.includes(id))?.sysctl.get('vm.zone_warning_seconds');
      if (killed.length === 0 && seen !== 1 && seen !== 2) throw new Error(`it is ${seen}`);
    },
  },
];
