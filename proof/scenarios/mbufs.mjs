// Network buffers: packets, clusters that are shared, chains, free functions, packets in rings.

import { referenceSpecification } from '../../dist/explore.js';
import { Mbuf } from '../../dist/index.js';
import { alike, ofOneBody, timedOut } from './kit.mjs';

const memory = { bytes: 6 << 16, maxZones: 16 };

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

/** Gives every thread a reference to the buffer of an mbuf of thread 0. */
function shareOut(memories, mbufs, first) {
  const references = mbufs.map((each, id) => {
    const m = id === 0 ? first : mbufs[0].reference(first);
    each.claim(m);
    return m;
  });
  counters.add(memories[0].words[(first >> 2) + Mbuf.counter]);
  return references;
}

/** A packet of thread 0 that all threads have a reference to. */
function shareOne(memories, observer) {
  const shared = openMbufs(memories, observer);
  return { ...shared, references: shareOut(memories, shared.mbufs, shared.mbufs[0].tryGetcl()) };
}

/**
 * A buffer of somebody else, which is given back with the last reference: `last` says by whom. Two threads
 * have one.
 */
function shareExternal(memories, observer) {
  const buffer = observer.zone({ name: 'buffers', size: 512 }).tryAlloc();
  const shared = openMbufs(memories, observer);
  const last = memories.map(() => false);
  shared.mbufs.forEach((each, id) => {
    each.registerFree('given back', () => {
      last[id] = true;
    });
  });
  observer.mbufs.registerFree('given back', () => {});
  const attach = (each) => {
    const m = each.tryGet();
    each.attach(m, memories[0].bytes.subarray(buffer, buffer + 512), 'given back', 0);
    return m;
  };
  // Everybody has a counter and a header cached.
  for (const each of shared.mbufs) {
    const m = attach(each);
    each.free(each.reference(m));
    each.free(m);
  }
  const first = attach(shared.mbufs[0]);
  return { ...shared, last, references: shareOut(memories, shared.mbufs.slice(0, 2), first) };
}

/** A thread frees the reference that it was given. */
const freeOwn = (_memory, { mbufs, references }, id) => mbufs[id].free(references[id]);

const retain = (tools, { mbufs }, id, m) => {
  let reference = 0;
  tools.operation('retain', [], () => {
    reference = mbufs[id].reference(m);
    return reference !== 0;
  });
  return reference;
};

/** Whether that was the last one. */
const release = (tools, { mbufs, last }, id, m) =>
  tools.operation('release', [], () => {
    last[id] = false;
    mbufs[id].free(m);
    return last[id];
  });

const scenarios = [
  {
    name: 'mbuf: packets from the cache',
    setup: openMbufs,
    ...alike((_memory, { mbufs }, id) => {
      const m = mbufs[id].tryGetcl();
      if (m !== 0) mbufs[id].free(m);
    }),
    after: nothingHeld,
  },
  {
    name: 'mbuf: both free a reference to one cluster',
    setup: shareOne,
    races,
    ...ofOneBody(freeOwn),
    after: nothingHeld,
  },
  {
    name: 'mbuf: one refers once more while the other frees',
    heavy: 3,
    setup: shareOne,
    races,
    threads: [
      (_memory, { mbufs, references }) => {
        const third = mbufs[0].reference(references[0]);
        mbufs[0].free(references[0]);
        if (third !== 0) mbufs[0].free(third);
      },
      (memory, shared) => freeOwn(memory, shared, 1),
    ],
    third: (memory, shared) => freeOwn(memory, shared, 2),
    after: nothingHeld,
  },
  {
    name: 'mbuf: many references at once',
    heavy: 3,
    setup: shareOne,
    races,
    threads: [
      (_memory, { mbufs, references }) => {
        const out = new Int32Array(2);
        mbufs[0].freeMany(out, mbufs[0].tryReferenceMany(references[0], out, 2));
        mbufs[0].free(references[0]);
      },
      (memory, shared) => freeOwn(memory, shared, 1),
    ],
    third: (memory, shared) => freeOwn(memory, shared, 2),
    after: nothingHeld,
  },
  {
    name: 'mbuf: a history of references',
    heavy: true,
    setup: shareExternal,
    races,
    threads: [
      (_memory, shared, tools) => {
        const [first] = shared.references;
        const more = retain(tools, shared, 0, first);
        release(tools, shared, 0, first);
        if (more !== 0) release(tools, shared, 0, more);
      },
      (_memory, shared, tools) => void release(tools, shared, 1, shared.references[1]),
    ],
    third: (memory) => memory.poll(),
    specificationOfLiving: referenceSpecification(2),
    after: nothingHeld,
  },
  {
    name: 'mbuf: chains',
    setup: openMbufs,
    ...alike((_memory, { mbufs }, id) => {
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
    third: (_memory, { mbufs, rings }) => {
      const m = rings[2].tryTake();
      if (m !== 0) mbufs[2].free(m);
    },
    after(memories, shared) {
      for (let m = shared.ring.tryTake(); m !== 0; m = shared.ring.tryTake()) shared.observers.free(m);
      nothingHeld(memories, shared);
    },
  },
  {
    name: 'mbuf: one waits for a cluster that is in a cached packet',
    heavy: true,
    memory: { ...memory, mbufs: { max: 1 } },
    setup(memories, observer) {
      const shared = openMbufs(memories, observer);
      for (const memory of memories) memory.poll();
      return shared;
    },
    ...alike((_memory, { mbufs }, id) => {
      mbufs[id].free(mbufs[id].getcl(0, 300));
    }),
    expected: timedOut,
    after: nothingHeld,
  },
];

export const mbufScenarios = scenarios.map((scenario) => ({ memory, ...scenario }));
