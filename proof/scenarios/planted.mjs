// Small scenarios for bugs that no other scenario finds (see planted/bugs.mjs).

import { expectUsed, nothingUsed, openZones, timedOut, warm } from './kit.mjs';

function takeAll(zone) {
  const items = [];
  for (let item = zone.tryAlloc(); item !== 0; item = zone.tryAlloc()) items.push(item);
  return items;
}

export const plantedScenarios = [
  {
    // Against the rule of `claim`: what becomes of that item is open, but not what becomes of the others.
    name: 'a claim that comes too late',
    attach: 3,
    audit: false,
    setup(memories, observer) {
      const shared = warm(openZones(memories, observer, { name: 'z', size: 512 }));
      const items = [0, 1, 2, 3].map(() => shared.zones[2].tryAlloc());
      observer.declareDead(memories[2].name);
      return { ...shared, first: Math.min(...items) };
    },
    threads: [
      (memory) => void memory.reap(),
      (_memory, { zones, first }) => {
        try {
          if (zones[1].claim(first)) zones[1].free(first);
        } catch (error) {
          if (error?.code !== 'FREE_TWICE') throw error;
        }
      },
    ],
    after(_memories, { observers }) {
      const { used } = observers.stats();
      if (used > 1) throw new Error(`${used} items of the dead thread are still in use`);
    },
  },
  {
    name: 'ring: three putters',
    setup(memories, observer) {
      const options = { name: 'r', capacity: 3 };
      return { observers: observer.ring(options), rings: memories.map((each) => each.ring(options)) };
    },
    threads: [0, 1, 2].map(
      (id) =>
        (_memory, { rings }) =>
          rings[id].tryPut(id + 1),
    ),
    after(_memories, { observers }, { results, killed }) {
      const words = [];
      for (let word = observers.tryTake(); word !== 0; word = observers.tryTake()) words.push(word);
      const accepted = results.filter((each) => each === true).length;
      if (
        words.length < accepted ||
        words.length > accepted + killed.length ||
        new Set(words).size !== words.length
      )
        throw new Error(`${accepted} words were accepted, ${words} are there`);
    },
  },
  {
    name: 'ring: three, and two of them take',
    setup(memories, observer) {
      const options = { name: 'r', capacity: 2 };
      return { observers: observer.ring(options), rings: memories.map((each) => each.ring(options)) };
    },
    threads: [
      (_memory, { rings }) => [rings[0].tryPut(1), rings[0].tryPut(2)],
      (_memory, { rings }) => rings[1].take(200),
      (_memory, { rings }) => rings[2].take(200),
    ],
    expected: timedOut,
    slicesMayHelp: true,
    after(_memories, { observers }, { results, killed }) {
      const words = results.slice(1).filter((each) => typeof each === 'number' && each > 0);
      for (let word = observers.tryTake(); word !== 0; word = observers.tryTake()) words.push(word);
      if (new Set(words).size !== words.length) throw new Error(`a word was handed over twice: ${words}`);
      if (killed.length === 0 && words.length !== 2) throw new Error(`a word is lost: ${words}`);
    },
  },
  {
    name: 'ring: the last word before it is closed',
    setup(memories, observer) {
      const options = { name: 'r', capacity: 2 };
      return { observers: observer.ring(options), rings: memories.map((each) => each.ring(options)) };
    },
    threads: [
      (_memory, { rings }) => rings[0].tryPut(7),
      (_memory, { rings }) => rings[1].take(300),
      (_memory, { rings }) => rings[2].close(),
    ],
    expected: (error) => error?.code === 'RING_CLOSED',
    slicesMayHelp: true,
    after(_memories, _shared, { results, killed }) {
      if (killed.length === 0 && results[0] === true && results[1] !== 7)
        throw new Error(`taken: ${results[1]}`);
    },
  },
  {
    name: 'ring: a taker that gives up',
    setup(memories, observer) {
      const options = { name: 'r', capacity: 1 };
      return { observers: observer.ring(options), rings: memories.map((each) => each.ring(options)) };
    },
    threads: [(_memory, { rings }) => rings[0].tryPut(7), (_memory, { rings }) => rings[1].take(50)],
    expected: timedOut,
    slicesMayHelp: true,
    after(_memories, { observers }, { results, killed }) {
      const left = observers.tryTake();
      if (killed.length === 0 && (results[1] === 7) === (left === 7))
        throw new Error(`${results[1]}, ${left}`);
    },
  },
  {
    // Afterwards all pages are free that were free before.
    name: 'slabs come and go',
    setup(memories, observer) {
      const shared = openZones(memories, observer, { name: 'z', size: 4096, max: 0 });
      return { ...shared, observer, free: observer.stats().pages.free };
    },
    threads: [0, 1].map((id) => (_memory, { zones }) => {
      const item = zones[id].tryAlloc();
      if (item !== 0) zones[id].free(item);
      zones[id].drain();
    }),
    after(memories, shared) {
      nothingUsed(memories, shared);
      shared.observer.drain();
      const { free } = shared.observer.stats().pages;
      if (free !== shared.free) throw new Error(`${shared.free} pages were free, now ${free}`);
    },
  },
  {
    // Thread 0 has cached the only item, and sleeps for a word, which thread 1 puts when it has the item.
    // For no preemptions: who is asked between its poll and its sleep sleeps for a slice first.
    name: 'an item on its way to one who is drained',
    setup(memories, observer) {
      const options = { name: 'r', capacity: 1 };
      const shared = openZones(memories, observer, { name: 'z', size: 512, max: 32 });
      const rings = memories.map((each) => each.ring(options));
      const held = takeAll(shared.observers);
      shared.observers.drain();
      for (const memory of memories) memory.poll();
      shared.zones[0].free(held.pop());
      return { ...shared, rings, held };
    },
    threads: [
      (_memory, { rings }) => rings[0].take(),
      (_memory, { zones, rings }) => {
        zones[1].free(zones[1].alloc());
        rings[1].tryPut(1);
      },
    ],
    after: (_memories, { observers, held }) => expectUsed(observers, held.length),
  },
  {
    // Thread 0 frees the item that thread 1 waits for; thread 1 then stands in another line.
    name: 'granted, and waiting elsewhere',
    setup(memories, observer) {
      const options = { name: 'r', capacity: 1 };
      const shared = warm(openZones(memories, observer, { name: 'z', size: 512, max: 1 }));
      const rings = memories.map((each) => each.ring(options));
      return { ...shared, rings, item: shared.zones[0].tryAlloc() };
    },
    threads: [
      (_memory, { zones, item }) => zones[0].free(item),
      (_memory, { zones, rings }) => {
        const mine = zones[1].alloc();
        const word = rings[1].take(250);
        zones[1].free(mine);
        return word;
      },
    ],
    expected: timedOut,
    slicesMayHelp: true,
    after(memories, shared, { results, killed }) {
      if (!killed.includes(1) && results[1] !== 0) throw new Error(`taken: ${results[1]}`);
      nothingUsed(memories, shared);
    },
  },
  {
    // Thread 1 dies with the only item, or not: thread 0 gets it in both cases.
    name: 'one waits for what a thread has that dies',
    setup(memories, observer) {
      const shared = warm(openZones(memories, observer, { name: 'z', size: 512, max: 1 }));
      return { ...shared, item: shared.zones[1].tryAlloc() };
    },
    threads: [
      (_memory, { zones }) => zones[0].free(zones[0].alloc()),
      (_memory, { zones, item }) => zones[1].free(item),
    ],
    slicesMayHelp: true,
    after: nothingUsed,
  },
  {
    name: 'two attach',
    attachInThreads: true,
    threads: [0, 1].map(() => (memory) => memory.thread),
    after(_memories, _shared, { results }) {
      if (results[0] === results[1]) throw new Error(`both are thread ${results[0]}`);
    },
  },
  {
    // Thread 1 frees when it knows that thread 0 stands in line, and never polls.
    name: 'one frees what another waits for',
    setup(memories, observer) {
      const shared = openZones(memories, observer, { name: 'z', size: 512, max: 32 });
      const held = takeAll(shared.zones[1]);
      shared.zones[1].free(held.pop());
      const item = shared.zones[1].tryAlloc();
      return { ...shared, held, item };
    },
    threads: [
      (_memory, { zones }) => zones[0].free(zones[0].alloc()),
      (_memory, { zones, item }) => {
        // Who stands in line has closed the caches when the lock is free.
        while (zones[1].sleepers === 0) zones[1].tryAlloc();
        if (zones[1].tryAlloc() !== 0) throw new Error('an item is there, and somebody waits');
        zones[1].free(item);
      },
    ],
    after: (_memories, { observers, held }) => expectUsed(observers, held.length),
  },
];
