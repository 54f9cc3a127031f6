// Scenarios for sites that those of the folder do not reach: all that can be made, taken and referred to.
// Each body gives back all that it got, whatever failed, and answers how far it came; so it can be run twice.

import { NO_MEMORY, ZERO } from '../dist/index.js';
import { isDocumented } from './failures-trial.mjs';

const small = { bytes: 8 << 16, maxZones: 24, checkLevel: 2 };
const large = { bytes: 16 << 16, maxZones: 24, checkLevel: 2 };

/** Remembers what is to be freed. */
function collect() {
  const kept = [];
  return {
    keep(what, free) {
      if (what === 0) return 0;
      kept.push(() => free(what));
      return what;
    },
    /** The last first. */
    freeAll() {
      for (const free of kept.reverse()) free();
    },
  };
}

/** What a body answers that failed as it may. */
function codeOf(error) {
  if (!isDocumented(error)) throw error;
  return error.code;
}

/** Runs `work(keep)`; what was kept is freed in any case. Not by `finally`: see UNWIND. */
export function giveBack(work) {
  const { keep, freeAll } = collect();
  let answer;
  try {
    answer = work(keep);
  } catch (error) {
    answer = codeOf(error);
  }
  freeAll();
  return answer;
}

const alone = (name, memory, body) => ({
  name,
  memory,
  attachInThreads: true,
  again: true,
  threads: [(own) => giveBack((keep) => body(own, keep))],
});

/** The same in two threads, which have their attachments from the start; zones are made in `setup`. */
const mbufsOf = (memories, observer) => {
  const all = memories.map(({ mbufs }) => mbufs);
  return { all, observers: { mbufs: observer.mbufs } };
};

const bytes = Uint8Array.from({ length: 12_000 }, (_, at) => at);
const freeMbuf = (mbufs) => (m) => void mbufs.freeChain(m);

/** An mbuf over an item of a zone, which goes back with the last reference. */
function attachItem({ zone, mbufs }, keep) {
  const m = keep(mbufs.tryGethdr(), freeMbuf(mbufs));
  if (m === 0) return 0;
  const item = zone.tryAlloc();
  if (item === 0) return 0;
  try {
    mbufs.attach(m, { address: item, length: 512 }, 'part');
  } catch (error) {
    zone.free(item);
    throw error;
  }
  return m;
}

/** One name is one function for a thread; and a thread is new in every run. */
const partFrees = new WeakMap();

function withExternal(memory) {
  const { mbufs } = memory;
  const zone = memory.zone({ name: 'parts', size: 512, max: 0 });
  const free = partFrees.get(memory) ?? ((address) => zone.free(address));
  partFrees.set(memory, free);
  mbufs.registerFree('part', free);
  return { mbufs, zone };
}

const mbufScenarios = [
  alone('mbufs: opened, bare ones and headers', small, ({ mbufs }, keep) => {
    const free = freeMbuf(mbufs);
    return [keep(mbufs.tryGet(), free), keep(mbufs.tryGethdr(), free), keep(mbufs.get(0, 50), free)].every(
      Boolean,
    );
  }),
  ...[2048, 4096, 9216, 16384].map((size) =>
    alone(`mbufs: a jumbo of ${size}`, large, ({ mbufs }, keep) => {
      const free = freeMbuf(mbufs);
      return keep(mbufs.tryGetjcl(size), free) !== 0 && keep(mbufs.getjcl(size, 0, 50), free) !== 0;
    }),
  ),
  alone('mbufs: packets, one and many', large, ({ mbufs }, keep) => {
    const out = new Int32Array(6);
    const got = mbufs.tryGetclMany(out, 6);
    mbufs.freeMany(out, got);
    const bare = mbufs.tryGetMany(out, 6);
    mbufs.freeMany(out, bare);
    const headers = mbufs.tryGethdrMany(out, 3);
    mbufs.freeMany(out, headers);
    const packet = keep(mbufs.tryGetcl(), freeMbuf(mbufs));
    const waited = keep(mbufs.getcl(0, 50), freeMbuf(mbufs));
    return [got, bare, headers, packet !== 0, waited !== 0];
  }),
  alone('mbufs: append, with clusters and jumbos', large, ({ mbufs }, keep) => {
    const m = keep(mbufs.tryGethdr(), freeMbuf(mbufs));
    if (m === 0) return 0;
    let length = 0;
    for (const more of [100, 200, 2000, 9000]) {
      const before = mbufs.packetLength(m);
      const done = mbufs.append(m, bytes, 0, more);
      if (done) length += more;
      if (mbufs.packetLength(m) !== length || mbufs.chainLength(m) !== length)
        throw new Error(`append ${done ? 'made' : 'left'} ${mbufs.chainLength(m)} bytes, before ${before}`);
    }
    const copy = new Uint8Array(length);
    mbufs.copyOut(m, 0, length, copy);
    return length;
  }),
  alone('mbufs: references to a cluster', small, ({ mbufs }, keep) => {
    const free = freeMbuf(mbufs);
    const m = keep(mbufs.tryGetcl(), free);
    if (m === 0) return 0;
    const another = keep(mbufs.reference(m), free);
    const many = new Int32Array(4);
    const got = mbufs.tryReferenceMany(m, many, 4);
    mbufs.freeMany(many, got);
    return [another !== 0, got];
  }),
  alone('mbufs: references to own bytes and to a chain of them', small, ({ mbufs }, keep) => {
    const m = keep(mbufs.tryGethdr(), freeMbuf(mbufs));
    if (m === 0 || !mbufs.append(m, bytes, 0, 300)) return 0;
    return keep(mbufs.reference(m), freeMbuf(mbufs)) !== 0;
  }),
  alone('mbufs: an external buffer and its references', small, (memory, keep) => {
    const tools = withExternal(memory);
    const { mbufs } = tools;
    const m = attachItem(tools, keep);
    if (m === 0) return 0;
    const another = keep(mbufs.reference(m), freeMbuf(mbufs));
    const many = new Int32Array(3);
    const got = mbufs.tryReferenceMany(m, many, 3);
    mbufs.freeMany(many, got);
    return [another !== 0, got];
  }),
  {
    name: 'mbufs: a packet is handed over, with a reference kept',
    memory: large,
    again: true,
    setup(memories, observer) {
      const shared = mbufsOf(memories, observer);
      const ringOf = (memory) => memory.ring({ name: 'packets', capacity: 2, carries: memory.mbufs });
      return { ...shared, rings: memories.map(ringOf), line: ringOf(observer) };
    },
    threads: [
      (_memory, { all, rings }) =>
        giveBack((keep) => {
          const [mbufs] = all;
          const m = mbufs.tryGetcl();
          if (m === 0) return 'no packet';
          const another = keep(mbufs.reference(m), freeMbuf(mbufs));
          if (!rings[0].tryPut(m)) mbufs.freeChain(m);
          return another !== 0;
        }),
      (_memory, { all, rings }) => {
        for (let turn = 0; turn < 2; turn++) {
          const m = rings[1].tryTake();
          if (m !== 0) all[1].freeChain(m);
        }
      },
    ],
    after(_memories, { observers, line }) {
      for (let m = line.tryTake(); m !== 0; m = line.tryTake()) observers.mbufs.freeChain(m);
    },
  },
];

const makeHooks = (memory) => ({
  ctor: () => 0,
  dtor: () => {},
  init: (item) => {
    memory.words[item >> 2] = 0;
    return 0;
  },
  fini: () => {},
});

const zoneScenarios = [
  ...[16, 256, 1000, 4096, 9216].map((size) =>
    alone(`zones: made, items of ${size}`, small, (memory, keep) => {
      const zone = memory.zone({ name: 'made', size, max: 0 });
      const free = (item) => zone.free(item);
      const got = [0, ZERO, 0, ZERO].map((flags) => keep(zone.tryAlloc(flags), free) !== 0);
      return [...got, keep(zone.alloc(0, 50), free) !== 0];
    }),
  ),
  alone('zones: many at once', small, (memory) => {
    const zone = memory.zone({ name: 'made', size: 500, max: 0 });
    const out = new Int32Array(40);
    const got = zone.tryAllocMany(out, 40);
    zone.freeMany(out, got);
    const more = zone.tryAllocMany(out, 7);
    zone.freeMany(out, more);
    zone.trim();
    return [got, more];
  }),
  alone('zones: all hooks', small, (memory, keep) => {
    const zone = memory.zone({ name: 'hooked', size: 1500, max: 0, ...makeHooks(memory) });
    const free = (item) => zone.free(item);
    const first = keep(zone.tryAlloc(), free) !== 0;
    const waited = keep(zone.alloc(0, 50), free) !== 0;
    const out = new Int32Array(5);
    const got = zone.tryAllocMany(out, 5);
    zone.freeMany(out, got);
    return [first, waited, got];
  }),
  alone('zones: a secondary one, whose init takes from a third', small, (memory, keep) => {
    const parts = memory.zone({ name: 'parts', size: 1024, max: 0 });
    const primary = memory.zone({ name: 'primary', size: 300, max: 0 });
    const zone = memory.zone({
      name: 'stacked',
      primary,
      init(item) {
        const part = parts.tryAlloc();
        memory.words[item >> 2] = part;
        return part === 0 ? NO_MEMORY : 0;
      },
      fini: (item) => parts.free(memory.words[item >> 2]),
    });
    const free = (item) => zone.free(item);
    const got = [1, 2, 3].map(() => keep(zone.tryAlloc(), free) !== 0);
    got.push(keep(primary.tryAlloc(), (item) => primary.free(item)) !== 0);
    return got;
  }),
  alone('zones: a limit, and who waits for it', small, (memory, keep) => {
    const zone = memory.zone({ name: 'few', size: 512, max: 2 });
    const free = (item) => zone.free(item);
    const two = [keep(zone.alloc(0, 50), free), keep(zone.alloc(0, 50), free)];
    return [...two.map((item) => item !== 0), zone.tryAlloc() === 0, keep(zone.alloc(0, 20), free)];
  }),
];

const ringScenarios = [4, 3000].map((capacity) =>
  alone(`rings: made, of ${capacity}`, small, (memory) => {
    const ring = memory.ring({ name: 'made', capacity });
    for (let left = ring.tryTake(); left !== 0; left = ring.tryTake());
    const put = [ring.tryPut(1), ring.tryPutMany(Int32Array.of(2, 3), 2)];
    const out = new Int32Array(4);
    const taken = [ring.tryTake(), ring.tryTakeMany(out, 4)];
    for (let left = ring.tryTake(); left !== 0; left = ring.tryTake());
    const waited = [ring.tryPut(4), ring.take(20)];
    for (let left = ring.tryTake(); left !== 0; left = ring.tryTake());
    return [put, taken, waited];
  }),
);

/** What is awaited is given back when all is over, as above. */
async function giveBackAsync(work) {
  const { keep, freeAll } = collect();
  let answer;
  try {
    answer = await work(keep);
  } catch (error) {
    answer = codeOf(error);
  }
  freeAll();
  return answer;
}

const asyncAlone = (name, memory, body) => ({
  name,
  memory,
  async: true,
  waits: true,
  attachInThreads: true,
  again: true,
  threads: [(own) => giveBackAsync((keep) => body(own, keep))],
});

/** Two rings: who puts into one would take from it what was meant for the other thread. */
const openBoth = (memory) => ({
  here: memory.ring({ name: 'here', capacity: 1 }),
  there: memory.ring({ name: 'there', capacity: 1 }),
});

/** Tries again when its time is up: the other one may have failed, and come again. */
function patiently(step) {
  for (let turn = 0; turn < 20; turn++) {
    try {
      step();
      return;
    } catch (error) {
      if (!isDocumented(error)) throw error;
    }
  }
}

export const ownAsyncScenarios = [
  {
    name: 'rings: one awaits a word, and then room',
    memory: small,
    async: true,
    attachInThreads: true,
    threads: [
      async (memory) => {
        const { here, there } = openBoth(memory);
        await there.takeAsync();
        await here.putAsync(5);
        await here.putAsync(6);
      },
      (memory) => {
        const { here, there } = openBoth(memory);
        // What they get is not compared: after a failure one of them is a turn ahead.
        patiently(() => there.put(7, 50));
        patiently(() => here.take(50));
        patiently(() => here.take(50));
      },
    ],
  },
  {
    name: 'mutexes: one awaits what the other has',
    memory: small,
    async: true,
    attachInThreads: true,
    threads: [
      async (memory) => {
        const token = await memory.mutex('m').lockAsync();
        token.unlock();
      },
      (memory) => {
        patiently(() => memory.mutex('m').lock(50).unlock());
      },
    ],
  },
  asyncAlone('zones: one awaits an item', small, async (memory, keep) => {
    const zone = memory.zone({ name: 'awaited', size: 512, max: 4 });
    return keep(await zone.allocAsync(), (item) => zone.free(item)) !== 0;
  }),
  asyncAlone('mbufs: one awaits packets', large, async ({ mbufs }, keep) => {
    const free = freeMbuf(mbufs);
    const packet = keep(await mbufs.getclAsync(), free);
    return packet !== 0 && keep(await mbufs.getAsync(), free) !== 0;
  }),
];

export const ownScenarios = [...mbufScenarios, ...zoneScenarios, ...ringScenarios];
