// Rings: every form of putting and taking, lines at both ends, closing, carrying.

import { expectUsed, openZones, timedOut, warm } from './kit.mjs';

function openRings(memories, observer, options) {
  const observers = observer.ring(options);
  return { rings: memories.map((each) => each.ring(options)), observers };
}

/** What is in the ring, and what was taken, is what was put, once each and in order. */
function expectWords(taken, put, what) {
  for (let at = 0; at < taken.length; at++) {
    if (taken[at] !== put[at]) throw new Error(`${what}: ${taken} of ${put}`);
  }
}

const soft = (error) => timedOut(error) || error?.code === 'RING_CLOSED';

export const ringScenarios = [
  {
    name: 'ring: one puts, one takes',
    setup: (memories, observer) => openRings(memories, observer, { name: 'r', capacity: 2 }),
    threads: [
      (_memory, { rings }) => [rings[0].tryPut(1), rings[0].tryPut(2), rings[0].tryPut(3)],
      (_memory, { rings }) => [rings[1].tryTake(), rings[1].tryTake()],
    ],
    after(_memories, _shared, { results }) {
      const taken = (results[1] ?? []).filter((word) => word !== 0);
      expectWords(taken, [1, 2, 3], 'taken');
    },
  },
  {
    name: 'ring: two putters',
    setup: (memories, observer) => openRings(memories, observer, { name: 'r', capacity: 2 }),
    threads: [
      (_memory, { rings }) => [rings[0].tryPut(1), rings[0].tryPut(2)],
      (_memory, { rings }) => [rings[1].tryPut(11), rings[1].tryPut(12)],
    ],
    after(_memories, { observers }, { results, killed }) {
      const accepted = results.flat().filter((each) => each === true).length;
      if (killed.length === 0 && observers.length !== accepted)
        throw new Error(`${accepted} words were accepted, ${observers.length} are there`);
    },
  },
  {
    name: 'ring: two takers',
    setup(memories, observer) {
      const shared = openRings(memories, observer, { name: 'r', capacity: 3 });
      for (const word of [1, 2, 3]) shared.observers.put(word);
      return shared;
    },
    threads: [0, 1].map((id) => (_memory, { rings }) => [rings[id].tryTake(), rings[id].tryTake()]),
    after(_memories, { observers }, { results }) {
      const taken = results.flat().filter((word) => word > 0);
      if (new Set(taken).size !== taken.length) throw new Error(`a word was taken twice: ${taken}`);
      for (let word = observers.tryTake(); word !== 0; word = observers.tryTake()) {
        if (taken.includes(word)) throw new Error(`${word} was taken, and is there`);
      }
    },
  },
  {
    name: 'ring: many at once',
    setup: (memories, observer) => openRings(memories, observer, { name: 'r', capacity: 3 }),
    threads: [
      (_memory, { rings }) => rings[0].tryPutMany(Int32Array.of(1, 2, 3, 4), 4),
      (_memory, { rings }) => {
        const out = new Int32Array(4);
        const first = rings[1].tryTakeMany(out, 2);
        return [...out.subarray(0, first + rings[1].tryTakeMany(out.subarray(first), 2))];
      },
    ],
    after: (_memories, _shared, { results }) => expectWords(results[1] ?? [], [1, 2, 3, 4], 'taken'),
  },
  {
    name: 'ring: a taker that sleeps',
    setup: (memories, observer) => openRings(memories, observer, { name: 'r', capacity: 1 }),
    threads: [(_memory, { rings }) => rings[0].tryPut(7), (_memory, { rings }) => rings[1].take(300)],
    slicesMayHelp: true,
    after(_memories, _shared, { results, killed }) {
      if (killed.length === 0 && results[1] !== 7) throw new Error(`taken: ${results[1]}`);
    },
  },
  {
    name: 'ring: a putter that sleeps',
    setup(memories, observer) {
      const shared = openRings(memories, observer, { name: 'r', capacity: 1 });
      shared.observers.put(1);
      return shared;
    },
    threads: [(_memory, { rings }) => rings[0].put(2, 300), (_memory, { rings }) => rings[1].tryTake()],
    expected: soft,
    slicesMayHelp: true,
    after(_memories, _shared, { results, killed }) {
      if (killed.length === 0 && results[1] !== 1) throw new Error(`taken: ${results[1]}`);
    },
  },
  {
    name: 'ring: sleepers on both sides',
    setup: (memories, observer) => openRings(memories, observer, { name: 'r', capacity: 1 }),
    threads: [
      (_memory, { rings }) => {
        rings[0].put(1, 300);
        rings[0].put(2, 300);
      },
      (_memory, { rings }) => [rings[1].take(300), rings[1].take(300)],
    ],
    expected: soft,
    slicesMayHelp: true,
    after(_memories, _shared, { results, killed }) {
      if (killed.length === 0) expectWords(results[1], [1, 2], 'taken');
    },
  },
  {
    name: 'ring: closed while one sleeps',
    setup: (memories, observer) => openRings(memories, observer, { name: 'r', capacity: 1 }),
    threads: [(_memory, { rings }) => rings[0].close(), (_memory, { rings }) => rings[1].take(300)],
    slicesMayHelp: true,
    after(_memories, _shared, { results, killed }) {
      if (killed.length === 0 && results[1] !== 0) throw new Error(`taken: ${results[1]}`);
    },
  },
  {
    name: 'ring: closed while one puts',
    setup: (memories, observer) => openRings(memories, observer, { name: 'r', capacity: 2 }),
    threads: [
      (_memory, { rings }) => rings[0].close(),
      (_memory, { rings }) => [rings[1].tryPut(1), rings[1].tryPut(2)],
    ],
    expected: soft,
  },
  {
    name: 'ring: it carries items',
    setup(memories, observer) {
      const zones = warm(openZones(memories, observer, { name: 'z', size: 512, max: 0 }));
      const options = (zone) => ({ name: 'r', capacity: 1, carries: zone });
      const observers = observer.ring(options(zones.observers));
      return {
        ...zones,
        rings: memories.map((each, at) => each.ring(options(zones.zones[at]))),
        ring: observers,
      };
    },
    threads: [
      (_memory, { zones, rings }) => {
        const item = zones[0].tryAlloc();
        if (item !== 0 && !rings[0].tryPut(item)) zones[0].free(item);
      },
      (_memory, { zones, rings }) => {
        const item = rings[1].tryTake();
        if (item !== 0) zones[1].free(item);
      },
    ],
    after(_memories, { observers, ring }) {
      for (let item = ring.tryTake(); item !== 0; item = ring.tryTake()) observers.free(item);
      expectUsed(observers, 0);
    },
  },
  {
    name: 'ring: it carries items to one who sleeps',
    setup(memories, observer) {
      const zones = warm(openZones(memories, observer, { name: 'z', size: 512, max: 0 }));
      const options = (zone) => ({ name: 'r', capacity: 1, carries: zone });
      const observers = observer.ring(options(zones.observers));
      return {
        ...zones,
        rings: memories.map((each, at) => each.ring(options(zones.zones[at]))),
        ring: observers,
      };
    },
    threads: [
      (_memory, { zones, rings }) => {
        const item = zones[0].tryAlloc();
        if (item !== 0 && !rings[0].tryPut(item)) zones[0].free(item);
      },
      (_memory, { zones, rings }) => {
        const item = rings[1].take(300);
        if (item !== 0) zones[1].free(item);
      },
    ],
    slicesMayHelp: true,
    after(_memories, { observers, ring }) {
      for (let item = ring.tryTake(); item !== 0; item = ring.tryTake()) observers.free(item);
      expectUsed(observers, 0);
    },
  },
];
