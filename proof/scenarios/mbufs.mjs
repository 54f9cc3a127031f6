// Network buffers: packets, clusters that are shared, chains, free functions, packets in rings.

import { Mbuf } from '../../dist/index.js';
import { timedOut } from './kit.mjs';

/** Words of the reference counters that the scenarios share. They lie in slabs, and have no names. */
const counters = new Set();
const races = [
  {
    where: (word) => counters.has(word),
    reason:
      'a thread looks plainly whether all references are its own, and loads atomically when they are; ' +
      'who has its slot in the word writes it in a commit, and gives it up atomically',
  },
];

/** Opens the mbufs in every thread, with a packet cached in each. */
function openMbufs(memories, observer) {
  const observers = observer.mbufs;
  const mbufs = memories.map((each) => each.mbufs);
  for (const each of mbufs) {
    each.free(each.tryGetcl());
    each.free(each.tryGet());
  }
  return { mbufs, observers };
}

/** Nothing is in use: no mbuf, no cluster, no counter. */
function nothingHeld(_memories, { observers }) {
  for (const [name, { used }] of Object.entries(observers.stats().zones)) {
    // A packet that is cached has its cluster, and that is out.
    if (used !== 0 && name !== 'cluster') throw new Error(`${used} of ${name} are in use`);
  }
}

/** A packet of thread 0 that both threads have a reference to. */
function shareOne(memories, observer) {
  const shared = openMbufs(memories, observer);
  const first = shared.mbufs[0].tryGetcl();
  const second = shared.mbufs[0].reference(first);
  shared.mbufs[1].claim(second);
  counters.add(memories[0].words[(first >> 2) + Mbuf.counter]);
  return { ...shared, references: [first, second] };
}

export const mbufScenarios = [
  {
    name: 'mbuf: packets from the cache',
    setup: openMbufs,
    threads: [0, 1].map((id) => (_memory, { mbufs }) => {
      const m = mbufs[id].tryGetcl();
      if (m !== 0) mbufs[id].free(m);
    }),
    after: nothingHeld,
  },
  {
    name: 'mbuf: both free a reference to one cluster',
    setup: shareOne,
    races,
    threads: [0, 1].map((id) => (_memory, { mbufs, references }) => {
      mbufs[id].free(references[id]);
    }),
    after: nothingHeld,
  },
  {
    name: 'mbuf: one refers once more while the other frees',
    setup: shareOne,
    races,
    threads: [
      (_memory, { mbufs, references }) => {
        const third = mbufs[0].reference(references[0]);
        mbufs[0].free(references[0]);
        if (third !== 0) mbufs[0].free(third);
      },
      (_memory, { mbufs, references }) => {
        mbufs[1].free(references[1]);
      },
    ],
    after: nothingHeld,
  },
  {
    name: 'mbuf: many references at once',
    setup: shareOne,
    races,
    threads: [
      (_memory, { mbufs, references }) => {
        const out = new Int32Array(2);
        mbufs[0].freeMany(out, mbufs[0].tryReferenceMany(references[0], out, 2));
        mbufs[0].free(references[0]);
      },
      (_memory, { mbufs, references }) => {
        mbufs[1].free(references[1]);
      },
    ],
    after: nothingHeld,
  },
  {
    name: 'mbuf: chains',
    setup: openMbufs,
    threads: [0, 1].map((id) => (_memory, { mbufs }) => {
      const first = mbufs[id].tryGetcl();
      const second = mbufs[id].tryGet();
      if (first !== 0 && second !== 0) mbufs[id].setNext(first, second);
      else if (second !== 0) mbufs[id].free(second);
      if (first !== 0) mbufs[id].freeChain(first);
    }),
    after: nothingHeld,
  },
  {
    name: 'mbuf: packets in a ring that carries them',
    setup(memories, observer) {
      const shared = openMbufs(memories, observer);
      const open = (memory) => memory.ring({ name: 'r', capacity: 1, carries: memory.mbufs });
      return { ...shared, ring: open(observer), rings: memories.map(open) };
    },
    threads: [
      (_memory, { mbufs, rings }) => {
        const m = mbufs[0].tryGetcl();
        if (m !== 0 && !rings[0].tryPut(m)) mbufs[0].free(m);
      },
      (_memory, { mbufs, rings }) => {
        const m = rings[1].tryTake();
        if (m !== 0) mbufs[1].free(m);
      },
    ],
    after(memories, shared) {
      for (let m = shared.ring.tryTake(); m !== 0; m = shared.ring.tryTake()) shared.observers.free(m);
      nothingHeld(memories, shared);
    },
  },
  {
    name: 'mbuf: one waits for a cluster that is in a cached packet',
    memory: { bytes: 6 << 16, maxZones: 16, mbufs: { max: 1 } },
    setup(memories, observer) {
      const shared = openMbufs(memories, observer);
      for (const memory of memories) memory.poll();
      return shared;
    },
    threads: [0, 1].map((id) => (_memory, { mbufs }) => {
      mbufs[id].free(mbufs[id].getcl(0, 300));
    }),
    expected: timedOut,
    slicesMayHelp: true,
    after: nothingHeld,
  },
];
