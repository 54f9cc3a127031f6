// Rings: every form of putting and taking, lines at both ends, closing, carrying.

import { queueSpecification } from '../../dist/explore.js';
import { alike, expectUsed, openZones, timedOut, warm } from './kit.mjs';

function openRings(memories, observer, options) {
  const observers = observer.ring(options);
  return { rings: memories.map((each) => each.ring(options)), observers };
}

/** What was taken is what was put, once each and in order. */
function expectWords(taken, put) {
  for (let at = 0; at < taken.length; at++) {
    if (taken[at] !== put[at]) throw new Error(`taken were ${taken} of ${put}`);
  }
}

const soft = (error) => timedOut(error) || error?.code === 'RING_CLOSED';

/** Puts and takes as a history tells of them. */
const tryPut = (tools, ring, word) => tools.operation('put', [word], () => ring.tryPut(word));
const tryTake = (tools, ring) => tools.operation('take', [], () => ring.tryTake() || null);
const take = (tools, ring, timeoutMs) => tools.operation('take', [], () => ring.take(timeoutMs) || null);
const put = (tools, ring, word, timeoutMs) =>
  tools.operation('put', [word], () => {
    try {
      ring.put(word, timeoutMs);
      return true;
    } catch (error) {
      if (!timedOut(error)) throw error;
      return false;
    }
  });

/** A ring that carries items of a zone; what is in it at the end is freed. */
const carrying = {
  setup(memories, observer) {
    const zones = warm(openZones(memories, observer, { name: 'z', size: 512, max: 0 }));
    const options = (zone) => ({ name: 'r', capacity: 1, carries: zone });
    const ring = observer.ring(options(zones.observers));
    return { ...zones, rings: memories.map((each, at) => each.ring(options(zones.zones[at]))), ring };
  },
  third(_memory, { zones, rings }) {
    const item = rings[2].tryTake();
    if (item !== 0) zones[2].free(item);
  },
  after(_memories, { observers, ring }) {
    for (let item = ring.tryTake(); item !== 0; item = ring.tryTake()) observers.free(item);
    expectUsed(observers, 0);
  },
};

/** Puts an item into the ring, if there is room. */
function putItem(_memory, { zones, rings }) {
  const item = zones[0].tryAlloc();
  if (item !== 0 && !rings[0].tryPut(item)) zones[0].free(item);
}

export const ringScenarios = [
  {
    name: 'ring: one puts, one takes',
    setup: (memories, observer) => openRings(memories, observer, { name: 'r', capacity: 2 }),
    threads: [
      (_memory, { rings }, tools) => [1, 2, 3].map((word) => tryPut(tools, rings[0], word)),
      (_memory, { rings }, tools) => [tryTake(tools, rings[1]), tryTake(tools, rings[1])],
    ],
    third: (_memory, { rings }, tools) => tryTake(tools, rings[2]),
    specification: queueSpecification(2),
  },
  {
    name: 'ring: two putters',
    setup: (memories, observer) => openRings(memories, observer, { name: 'r', capacity: 2 }),
    ...alike((_memory, { rings }, id, tools) =>
      [1, 2].map((word) => tryPut(tools, rings[id], 10 * id + word)),
    ),
    specification: queueSpecification(2),
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
    ...alike((_memory, { rings }, id, tools) => [tryTake(tools, rings[id]), tryTake(tools, rings[id])]),
    specification: queueSpecification(3, [1, 2, 3]),
    after(_memories, { observers }, { results }) {
      const taken = results.flat();
      for (let word = observers.tryTake(); word !== 0; word = observers.tryTake()) {
        if (taken.includes(word)) throw new Error(`${word} was taken, and is there`);
      }
    },
  },
  {
    name: 'ring: each puts and takes',
    setup: (memories, observer) => openRings(memories, observer, { name: 'r', capacity: 1 }),
    ...alike((_memory, { rings }, id, tools) => {
      tryPut(tools, rings[id], id + 1);
      tryTake(tools, rings[id]);
      tryPut(tools, rings[id], id + 11);
    }),
    specification: queueSpecification(1),
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
    third: (_memory, { rings }) => rings[2].length,
    after: (_memories, _shared, { results }) => expectWords(results[1] ?? [], [1, 2, 3, 4]),
  },
  {
    name: 'ring: a taker that sleeps',
    setup: (memories, observer) => openRings(memories, observer, { name: 'r', capacity: 1 }),
    threads: [
      (_memory, { rings }, tools) => tryPut(tools, rings[0], 7),
      (_memory, { rings }, tools) => take(tools, rings[1], 300),
    ],
    third: (_memory, { rings }, tools) => tryPut(tools, rings[2], 8),
    specification: queueSpecification(1),
    after(_memories, _shared, { results, killed }) {
      if (killed.length === 0 && results[1] === null) throw new Error('nothing was taken');
    },
  },
  {
    name: 'ring: a putter that sleeps',
    setup(memories, observer) {
      const shared = openRings(memories, observer, { name: 'r', capacity: 1 });
      shared.observers.put(1);
      return shared;
    },
    threads: [
      (_memory, { rings }, tools) => put(tools, rings[0], 2, 300),
      (_memory, { rings }, tools) => tryTake(tools, rings[1]),
    ],
    third: (_memory, { rings }, tools) => put(tools, rings[2], 3, 300),
    thirdTakesAll: true,
    specification: queueSpecification(1, [1]),
    after(_memories, _shared, { results, killed }) {
      if (killed.length === 0 && results[1] !== 1) throw new Error(`taken: ${results[1]}`);
    },
  },
  {
    name: 'ring: sleepers on both sides',
    setup: (memories, observer) => openRings(memories, observer, { name: 'r', capacity: 1 }),
    threads: [
      (_memory, { rings }, tools) => [put(tools, rings[0], 1, 300), put(tools, rings[0], 2, 300)],
      (_memory, { rings }, tools) => [take(tools, rings[1], 300), take(tools, rings[1], 300)],
    ],
    third: (_memory, { rings }, tools) => [put(tools, rings[2], 3, 300), take(tools, rings[2], 300)],
    specification: queueSpecification(1),
  },
  {
    name: 'ring: closed while one sleeps',
    setup: (memories, observer) => openRings(memories, observer, { name: 'r', capacity: 1 }),
    threads: [(_memory, { rings }) => rings[0].close(), (_memory, { rings }) => rings[1].take(300)],
    after(_memories, _shared, { results, killed }) {
      if (killed.length === 0 && results[1] !== 0) throw new Error(`taken: ${results[1]}`);
    },
    third: (_memory, { rings }) => rings[2].take(300),
  },
  {
    name: 'ring: closed while one puts',
    setup: (memories, observer) => openRings(memories, observer, { name: 'r', capacity: 2 }),
    threads: [
      (_memory, { rings }) => rings[0].close(),
      (_memory, { rings }) => [rings[1].tryPut(1), rings[1].tryPut(2)],
    ],
    third: (_memory, { rings }) => rings[2].tryTake(),
    expected: soft,
  },
  {
    ...carrying,
    name: 'ring: it carries items',
    threads: [
      putItem,
      (_memory, { zones, rings }) => {
        const item = rings[1].tryTake();
        if (item !== 0) zones[1].free(item);
      },
    ],
  },
  {
    ...carrying,
    name: 'ring: it carries items to one who sleeps',
    thirdTakesAll: true,
    threads: [
      putItem,
      (_memory, { zones, rings }) => {
        const item = rings[1].take(300);
        if (item !== 0) zones[1].free(item);
      },
    ],
  },
];
