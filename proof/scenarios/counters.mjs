// Zones with reference counters: hold, drop and free of one item by several threads, hand-overs, and deaths.

import { referenceSpecification } from '../../dist/explore.js';
import { alike, expectUsed, ofOneBody, openZones, timedOut, warm } from './kit.mjs';

/** Words of the counters that the scenarios share. They lie in slabs, and have no names. */
const counters = new Map();
const races = [
  {
    where: (word) => [...counters.values()].includes(word),
    reason:
      'a thread looks plainly whether it has the only reference; an exchange follows, or an atomic load, or the ' +
      'word is nobody else’s',
  },
];

/** The word that changes with a hold: looked for once, for each run makes the same items at the same places. */
function rememberCounter({ words }, zone, item) {
  if (counters.has(item)) return;
  const before = Array.from({ length: words.length }, (_, at) => words[at]);
  zone.hold(item);
  const counter = before.findIndex((word, at) => words[at] !== word);
  if (before[counter] !== 1 || words[counter] !== 2) throw new Error(`no counter of item ${item} was found`);
  counters.set(item, counter);
  words[counter] = 1;
}

const open = (memories, observer, options = {}) =>
  warm(openZones(memories, observer, { name: 'z', size: 2048, max: 0, referenceCounted: true, ...options }));

/** An item that thread 0 owns, and of which every thread has one reference. */
function shareOne(memories, observer, options) {
  const shared = open(memories, observer, options);
  const item = shared.zones[0].alloc();
  rememberCounter(memories[0], shared.zones[0], item);
  for (let id = 1; id < memories.length; id++) shared.zones[0].hold(item);
  return { ...shared, item };
}

const drop = (_memory, { zones, item }, id) => zones[id].drop(item);
const retain = (tools, { zones, item }, id) =>
  tools.operation('retain', [], () => {
    zones[id].hold(item);
    return true;
  });
const release = (tools, { zones, item }, id) =>
  tools.operation('release', [], () => zones[id].drop(item + 100));

/** Owned by thread 0: what it has goes with it. What others have of an item stays, at most one item here. */
function onlyOthersLeave(_memories, { observers }, { killed }) {
  const left = observers.stats().used;
  const most = killed.some((id) => id !== 0) ? 1 : 0;
  if (left > most)
    throw new Error(`${left} items are in use, after ${killed.join(' and ') || 'nobody'} died`);
}

/** Nobody's reference goes for another's: the item is there until the last of the living has dropped it. */
const lastOf = (answers) => answers.filter((answer) => answer === true).length;

function oneWasLast(memories, shared, outcome) {
  const last = lastOf(outcome.results);
  if (last > 1) throw new Error(`${last} threads dropped the last reference`);
  if (outcome.killed.length === 0 && last !== 1) throw new Error('nobody dropped the last reference');
  onlyOthersLeave(memories, shared, outcome);
}

/** Frees the item if it can, else gives up its reference. */
function freeOrDrop(_memory, { zones, item }, id) {
  try {
    zones[id].free(item);
    return true;
  } catch (error) {
    if (error?.code !== 'STILL_REFERENCED') throw error;
    return zones[id].drop(item);
  }
}

/** One more reference, and both given up. */
function holdAndDropTwice(_memory, shared, id, tools) {
  retain(tools, shared, id);
  release(tools, shared, id);
  release(tools, shared, id);
}

/** Who has two references may die with both, and only one of them is known to be its own. */
function oneItemAtMost(_memories, { observers }, { killed, results }) {
  if (lastOf(results) > 1) throw new Error('the item was freed twice');
  if (killed.length === 0) expectUsed(observers, 0);
  else if (observers.stats().used > 1) throw new Error('more is in use than there was');
}

const scenarios = [
  {
    name: 'references: all drop',
    setup: shareOne,
    // Who polls cleans up after the others.
    ...ofOneBody((memory, shared, id) => {
      memory.poll();
      return drop(memory, shared, id);
    }),
    after: oneWasLast,
  },
  {
    name: 'references: one holds once more while the others drop',
    setup: shareOne,
    threads: [
      (memory, shared) => drop(memory, shared, 0),
      (memory, { zones, item }) => {
        zones[1].hold(item);
        memory.poll();
        const first = zones[1].drop(item);
        return zones[1].drop(item) || first;
      },
    ],
    third: (memory, shared) => drop(memory, shared, 2),
    after: oneWasLast,
  },
  {
    name: 'references: a history',
    setup: shareOne,
    ...ofOneBody(holdAndDropTwice),
    third: undefined,
    specification: referenceSpecification(2),
    after: oneItemAtMost,
  },
  {
    name: 'references: a history of three',
    setup: shareOne,
    threads: [
      holdAndDropTwice,
      (_memory, shared, id, tools) => void release(tools, shared, id),
      (_memory, shared, id, tools) => void release(tools, shared, id),
    ].map((body, id) => (memory, shared, tools) => body(memory, shared, id, tools)),
    specification: referenceSpecification(3),
    after: oneItemAtMost,
  },
  {
    name: 'references: free of the last, and refused before',
    setup: shareOne,
    ...ofOneBody(freeOrDrop),
    after: oneWasLast,
  },
  {
    name: 'references: the owner drops, another claims',
    setup: shareOne,
    threads: [
      (memory, shared) => drop(memory, shared, 0),
      (_memory, { zones, item }) => zones[1].claim(item) && zones[1].drop(item),
    ],
    third: (memory, shared) => drop(memory, shared, 2),
    after: oneItemAtMost,
  },
  {
    name: 'references: the owner is dead, and cleaned up after while others drop',
    attach: 3,
    setup(memories, observer) {
      const shared = open(memories, observer);
      const owner = shared.zones.at(-1);
      const item = owner.alloc();
      rememberCounter(memories[0], owner, item);
      for (const _ of shared.zones.slice(0, -1)) owner.hold(item);
      observer.declareDead(memories.at(-1).name);
      return { ...shared, item };
    },
    ...alike((memory, shared, id) => {
      const last = drop(memory, shared, id);
      memory.poll();
      return last;
    }),
    after: oneItemAtMost,
  },
  {
    name: 'references: the owner dropped and died, and the last drop meets the cleaning up',
    heavy: true,
    attach: 3,
    setup(memories, observer) {
      const shared = open(memories, observer);
      const owner = shared.zones.at(-1);
      const item = owner.alloc();
      rememberCounter(memories[0], owner, item);
      owner.hold(item);
      owner.drop(item);
      observer.declareDead(memories.at(-1).name);
      return { ...shared, item };
    },
    threads: [(memory) => void memory.reap(), (memory, shared) => drop(memory, shared, 1)],
    after(_memories, { observers }, { killed, results }) {
      if (killed.length === 0 && results[1] !== true) throw new Error('the last drop was not the last');
      if (!killed.includes(1)) expectUsed(observers, 0);
    },
  },
  {
    name: 'references: a ring hands one over',
    setup(memories, observer) {
      const shared = open(memories, observer);
      const ringOf = (memory, zone) => memory.ring({ name: 'r', capacity: 1, carries: zone });
      const item = shared.zones[0].alloc();
      rememberCounter(memories[0], shared.zones[0], item);
      const rings = memories.map((each, id) => ringOf(each, shared.zones[id]));
      return { ...shared, item, rings, ring: ringOf(observer, shared.observers) };
    },
    threads: [
      (_memory, { zones, rings, item }) => {
        zones[0].hold(item);
        if (!rings[0].tryPut(item)) zones[0].drop(item);
        return zones[0].drop(item);
      },
      (_memory, { zones, rings }) => {
        const item = rings[1].tryTake();
        return item !== 0 && zones[1].drop(item);
      },
    ],
    after(_memories, { observers, ring }, { killed, results }) {
      if (lastOf(results) > 1) throw new Error('the item was freed twice');
      for (let item = ring.tryTake(); item !== 0; item = ring.tryTake()) observers.drop(item);
      // Thread 0 may die between its two references, and one that is on its way is nobody's meanwhile.
      if (killed.length === 0) expectUsed(observers, 0);
      else if (observers.stats().used > 1) throw new Error('more is in use than there was');
    },
  },
  {
    name: 'references: who takes one from a ring dies with it',
    setup(memories, observer) {
      const shared = open(memories, observer);
      const ringOf = (memory, zone) => memory.ring({ name: 'r', capacity: 1, carries: zone });
      const rings = memories.map((each, id) => ringOf(each, shared.zones[id]));
      const item = shared.zones[0].alloc();
      rememberCounter(memories[0], shared.zones[0], item);
      shared.zones[0].hold(item);
      rings[0].put(item);
      shared.zones[0].drop(item);
      return { ...shared, rings, ring: ringOf(observer, shared.observers) };
    },
    threads: [
      (memory) => memory.poll(),
      (_memory, { zones, rings }) => {
        const item = rings[1].tryTake();
        return item !== 0 && zones[1].drop(item);
      },
    ],
    after(_memories, { observers, ring }) {
      const item = ring.tryTake();
      if (item !== 0) observers.drop(item);
      expectUsed(observers, 0);
    },
  },
  {
    name: 'references: each gives up what the other allocated',
    setup(memories, observer) {
      const shared = open(memories, observer);
      const items = shared.zones.map((zone) => zone.alloc());
      items.forEach((item, id) => void rememberCounter(memories[0], shared.zones[id], item));
      return { ...shared, items };
    },
    ...alike((_memory, { zones, items }, id) => zones[id].drop(items[(id + 1) % items.length])),
    after(_memories, { observers }, { killed }) {
      const left = observers.stats().used;
      if (left > killed.length) throw new Error(`${left} items are in use`);
    },
  },
  {
    name: 'references: the last drop wakes who waits for the item',
    heavy: true,
    setup: (memories, observer) => shareOne(memories, observer, { max: 1 }),
    threads: [
      (_memory, { zones, item }) => {
        zones[0].drop(item);
        return zones[0].drop(zones[0].alloc(0, 400));
      },
      (_memory, { zones, item }) => {
        zones[1].drop(item);
        return zones[1].drop(zones[1].alloc(0, 400));
      },
    ],
    expected: timedOut,
    after(_memories, { observers }, { killed }) {
      if (!killed.includes(1)) expectUsed(observers, 0);
    },
  },
  {
    name: 'references: the last sees what the others wrote',
    setup(memories, observer) {
      const zoneOf = (memory) =>
        memory.zone({
          name: 'z',
          size: 2048,
          referenceCounted: true,
          onOwnerDeath: 'free',
          dtor: (item) => void memory.words[(item >> 2) + 1],
        });
      const shared = warm({ zones: memories.map(zoneOf), observers: zoneOf(observer) });
      const item = shared.zones[0].alloc();
      rememberCounter(memories[0], shared.zones[0], item);
      for (let id = 1; id < memories.length; id++) shared.zones[0].hold(item);
      return { ...shared, item };
    },
    threads: [
      (memory, shared) => drop(memory, shared, 0),
      (memory, shared) => {
        memory.words[(shared.item >> 2) + 1] = 42;
        return drop(memory, shared, 1);
      },
    ],
    third: (memory, shared) => drop(memory, shared, 2),
    after: oneWasLast,
  },
  {
    name: 'references: alloc, hold and drop from loaded buckets',
    setup(memories, observer) {
      const shared = open(memories, observer);
      // Both have an item cached: their counters are known.
      for (const zone of shared.zones) {
        const item = zone.alloc();
        rememberCounter(memories[0], zone, item);
        zone.drop(item);
      }
      return shared;
    },
    ...alike((_memory, { zones }, id) => {
      const item = zones[id].tryAlloc();
      if (item === 0) return;
      zones[id].hold(item);
      zones[id].drop(item);
      zones[id].drop(item);
    }),
    after(_memories, { observers }, { killed }) {
      const left = observers.stats().used;
      if (left > killed.length) throw new Error(`${left} items are in use`);
    },
  },
];

export const counterScenarios = scenarios.map((scenario) => ({ ...scenario, races }));
