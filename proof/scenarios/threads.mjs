// Attaching, detaching, registries, deaths and those who clean up.

import { alike, expectUsed, nothingUsed, ofOneBody, openZones, warm } from './kit.mjs';

/** The last thread has died in the middle of its work: what it had is all over the place. */
function aDeadThread(memories, observer, options) {
  const shared = warm(openZones(memories, observer, options));
  const victim = memories.at(-1);
  const zone = shared.zones.at(-1);
  const items = new Int32Array(6);
  zone.freeMany(items, zone.tryAllocMany(items, 6) - 2);
  observer.declareDead(victim.name);
  return shared;
}

/** Opens a zone, uses it or not, and destroys it, or closes it if the other has it open. */
function openAndEnd(memory, size, uses) {
  let zone;
  try {
    zone = memory.zone({ name: 'z', size, onOwnerDeath: 'free' });
  } catch (error) {
    if (error?.code === 'ZONE_BUSY') return;
    throw error;
  }
  const item = uses ? zone.tryAlloc() : 0;
  if (item !== 0) zone.free(item);
  try {
    zone.destroy();
  } catch (error) {
    if (error?.code !== 'ZONE_BUSY') throw error;
    zone.close();
  }
}

export const threadScenarios = [
  {
    name: 'both open the same new zone',
    heavy: true,
    attachInThreads: true,
    ...alike((memory) => memory.zone({ name: 'n', size: 64, onOwnerDeath: 'free' }).index),
    after(_memories, _shared, { results, killed }) {
      if (killed.length === 0 && new Set(results).size !== 1) throw new Error(`zones ${results}`);
    },
  },
  {
    name: 'each opens a new zone',
    heavy: true,
    attachInThreads: true,
    ...alike((memory, _shared, id) => memory.zone({ name: `n${id}`, size: 64 }).index),
    after(_memories, _shared, { results, killed }) {
      if (killed.length === 0 && new Set(results).size !== results.length)
        throw new Error(`zones ${results}`);
    },
  },
  {
    name: 'both destroy the zone that both open',
    heavy: true,
    attachInThreads: true,
    bounds: { deaths: 1 },
    ...ofOneBody((memory, _shared, id) => openAndEnd(memory, 1024, id === 1)),
  },
  {
    name: 'one destroys a zone while the other makes one',
    heavy: true,
    attachInThreads: true,
    threads: [
      (memory) => openAndEnd(memory, 1024, true),
      (memory) => {
        const zone = memory.zone({ name: 'n', size: 64, onOwnerDeath: 'free' });
        const item = zone.tryAlloc();
        if (item !== 0) zone.free(item);
      },
    ],
    third: (memory) => memory.poll(),
  },
  {
    name: 'both open the same new ring',
    heavy: true,
    attachInThreads: true,
    ...alike((memory) => void memory.ring({ name: 'n', capacity: 4 })),
  },
  {
    name: 'attach and detach',
    attachInThreads: true,
    ...alike((memory) => memory.detach()),
  },
  {
    name: 'detach with items in the cache while the other allocates',
    heavy: true,
    attachInThreads: true,
    bounds: { deaths: 1 },
    threads: [
      (memory) => {
        const zone = memory.zone({ name: 'z', size: 1024, onOwnerDeath: 'free' });
        const item = zone.tryAlloc();
        if (item !== 0) zone.free(item);
        memory.detach();
      },
      (memory) => {
        const zone = memory.zone({ name: 'z', size: 1024, onOwnerDeath: 'free' });
        const item = zone.tryAlloc();
        if (item !== 0) zone.free(item);
      },
    ],
    third: (memory) => memory.poll(),
  },
  {
    name: 'two clean up after a third',
    attach: 3,
    setup: (memories, observer) => aDeadThread(memories, observer, { name: 'z', size: 512, max: 0 }),
    ...alike((memory) => memory.reap().length),
    after(memories, shared, { results, killed }) {
      const reaped = results.reduce((sum, each) => sum + (each ?? 0), 0);
      if (killed.length === 0 && reaped !== 1) throw new Error(`reaped ${reaped} times`);
      nothingUsed(memories, shared);
    },
  },
  {
    name: 'one cleans up while the other allocates',
    heavy: true,
    attach: 3,
    setup: (memories, observer) => aDeadThread(memories, observer, { name: 'z', size: 512, max: 16 }),
    threads: [
      (memory) => void memory.reap(),
      (_memory, { zones }) => {
        const item = zones[1].tryAlloc();
        if (item !== 0) zones[1].free(item);
      },
    ],
    third: (memory) => void memory.reap(),
    after: nothingUsed,
  },
  {
    name: 'one waits for what a dead thread has',
    heavy: true,
    attach: 3,
    setup: (memories, observer) => {
      const shared = warm(openZones(memories, observer, { name: 'z', size: 512, max: 2 }));
      const zone = shared.zones.at(-1);
      zone.tryAlloc();
      zone.tryAlloc();
      observer.declareDead(memories.at(-1).name);
      return shared;
    },
    ...alike((_memory, { zones }, id) => zones[id].free(zones[id].alloc())),
    after: nothingUsed,
  },
  {
    name: 'asked to drain',
    setup: (memories, observer) => warm(openZones(memories, observer, { name: 'z', size: 512, max: 64 })),
    threads: [(_memory, { zones }) => void zones[0].drain(), (memory) => memory.poll()],
    third: (memory) => memory.poll(),
    after: nothingUsed,
  },
  {
    name: 'claim of an item whose owner dies',
    setup(memories, observer) {
      const shared = warm(openZones(memories, observer, { name: 'z', size: 512, max: 0 }));
      return { ...shared, item: shared.zones[0].tryAlloc() };
    },
    kill: { threads: [0], everyStoreOfFills: false },
    threads: [
      (memory) => memory.poll(),
      (_memory, { zones, item }) => {
        const mine = zones[1].claim(item);
        if (mine) zones[1].free(item);
        return mine;
      },
    ],
    // No third: a claim must not come while another cleans up after the owner.
    after(_memories, { observers }) {
      expectUsed(observers, 0);
    },
  },
];
