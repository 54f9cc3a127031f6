/**
 * A thread dies before each of its stores in turn: afterwards nothing is lost, and nothing is freed twice.
 */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Addr } from '../record/index.js';
import { type Act, assertClean, bury, makeScene, playUntil, type Scene, settle } from './death.test-kit.js';
import { must } from './mbuf.test.kit.js';
import type { Mbufs } from './types.js';

const external = ({ bytes }: Scene['living']): { address: number; length: number } => ({
  address: bytes.length - 4096,
  length: 64,
});

/** A packet of the dying thread, and so many references to it. */
function shared(mbufs: Mbufs, references: number): Addr[] {
  const all = [must(mbufs.tryGetcl())];
  for (let count = 0; count < references; count++) all.push(must(mbufs.reference(all[0] as Addr)));
  return all;
}

function withExternal(scene: Scene, mbufs: Mbufs): Addr {
  const m = must(mbufs.tryGet());
  mbufs.attach(m, external(scene.living), 'note', 5);
  return m;
}

function chain(mbufs: Mbufs, all: readonly Addr[]): Addr {
  all.forEach((m, index) => {
    mbufs.setNext(m, all[index + 1] ?? 0);
  });
  return all[0] as Addr;
}

/** The living thread hands the mbufs over, and the dying one claims them. */
function handOver({ dying }: Scene, all: readonly Addr[]): void {
  for (const m of all) dying.memory.mbufs.claim(m);
}

/** Fills caches, so that what comes then is served by them. */
function warm(mbufs: Mbufs): void {
  mbufs.free(must(mbufs.tryGetcl()));
  mbufs.free(must(mbufs.tryGet()));
}

const acts: Record<string, Act> = {
  'gethdr, warm': ({ dying: { memory } }) => {
    warm(memory.mbufs);
    return () => void memory.mbufs.tryGethdr();
  },
  'getcl, warm': ({ dying: { memory } }) => {
    warm(memory.mbufs);
    return () => void memory.mbufs.tryGetcl();
  },
  getjcl: ({ dying: { memory } }) => {
    warm(memory.mbufs);
    return () => void memory.mbufs.tryGetjcl(4096);
  },
  getMany: ({ dying: { memory } }) => {
    warm(memory.mbufs);
    return () => void memory.mbufs.tryGetclMany(new Int32Array(3), 3);
  },
  'reference, the first': ({ dying: { memory } }) => {
    warm(memory.mbufs);
    const m = must(memory.mbufs.tryGetcl());
    return () => void memory.mbufs.reference(m);
  },
  'reference to what the living shares': (scene) => {
    const all = shared(scene.living.mbufs, 1);
    scene.kept.push(all[0] as Addr);
    handOver(scene, all.slice(1));
    warm(scene.dying.memory.mbufs);
    return () => void scene.dying.memory.mbufs.reference(all[1] as Addr);
  },
  'reference to an external buffer': (scene) => {
    const { mbufs } = scene.dying.memory;
    const m = withExternal(scene, mbufs);
    return () => void mbufs.reference(m);
  },
  'reference to an external buffer that was handed over': (scene) => {
    const m = withExternal(scene, scene.living.mbufs);
    warm(scene.dying.memory.mbufs);
    scene.dying.memory.mbufs.zones.externalCounter.free(
      must(scene.dying.memory.mbufs.zones.externalCounter.tryAlloc()),
    );
    return () => void scene.dying.memory.mbufs.reference(m);
  },
  'reference to an mbuf of its own': ({ dying: { memory } }) => {
    const m = must(memory.mbufs.tryGet());
    memory.mbufs.append(m, Uint8Array.of(1, 2, 3));
    return () => void memory.mbufs.reference(m);
  },
  'many references': (scene) => {
    const all = shared(scene.living.mbufs, 1);
    scene.kept.push(all[0] as Addr);
    handOver(scene, all.slice(1));
    warm(scene.dying.memory.mbufs);
    return () => void scene.dying.memory.mbufs.tryReferenceMany(all[1] as Addr, new Int32Array(23), 23);
  },
  'many references, the first': ({ dying: { memory } }) => {
    const m = must(memory.mbufs.tryGetjcl(4096));
    return () => void memory.mbufs.tryReferenceMany(m, new Int32Array(12), 12);
  },
  'free of a bare mbuf': ({ dying: { memory } }) => {
    const m = must(memory.mbufs.tryGet());
    return () => void memory.mbufs.free(m);
  },
  'free of a packet': ({ dying: { memory } }) => {
    const m = must(memory.mbufs.tryGetcl());
    return () => void memory.mbufs.free(m);
  },
  'free of a packet with a flag': ({ dying: { memory } }) => {
    const m = must(memory.mbufs.tryGetcl());
    memory.mbufs.setNext(m, must(memory.mbufs.tryGet()));
    return () => void memory.mbufs.free(m);
  },
  'free of a packet of the living': (scene) => {
    const m = must(scene.living.mbufs.tryGetcl());
    return () => void scene.dying.memory.mbufs.free(m);
  },
  'free of a jumbo cluster of the living': (scene) => {
    const m = must(scene.living.mbufs.tryGetjcl(4096));
    return () => void scene.dying.memory.mbufs.free(m);
  },
  'free of a jumbo cluster': ({ dying: { memory } }) => {
    const m = must(memory.mbufs.tryGetjcl(16384));
    return () => void memory.mbufs.free(m);
  },
  'free of a shared packet': (scene) => {
    const all = shared(scene.living.mbufs, 1);
    scene.kept.push(all[1] as Addr);
    return () => void scene.dying.memory.mbufs.free(all[0] as Addr);
  },
  'free of a reference': (scene) => {
    const all = shared(scene.living.mbufs, 2);
    scene.kept.push(all[0] as Addr, all[2] as Addr);
    return () => void scene.dying.memory.mbufs.free(all[1] as Addr);
  },
  'free of the last reference': ({ dying: { memory } }) => {
    const all = shared(memory.mbufs, 1);
    memory.mbufs.free(all[0] as Addr);
    return () => void memory.mbufs.free(all[1] as Addr);
  },
  'free of a packet that was shared': ({ dying: { memory } }) => {
    const all = shared(memory.mbufs, 1);
    memory.mbufs.free(all[1] as Addr);
    return () => void memory.mbufs.free(all[0] as Addr);
  },
  isWritable: ({ dying: { memory } }) => {
    const all = shared(memory.mbufs, 1);
    memory.mbufs.free(all[1] as Addr);
    return () => void memory.mbufs.isWritable(all[0] as Addr);
  },
  'free of an external buffer': (scene) => {
    const m = withExternal(scene, scene.dying.memory.mbufs);
    return () => void scene.dying.memory.mbufs.free(m);
  },
  'free of an external buffer of the living': (scene) => {
    const m = withExternal(scene, scene.living.mbufs);
    return () => void scene.dying.memory.mbufs.free(m);
  },
  'free of the last of an external buffer': (scene) => {
    const { mbufs } = scene.dying.memory;
    const m = withExternal(scene, mbufs);
    mbufs.free(must(mbufs.reference(m)));
    return () => void mbufs.free(m);
  },
  'free of one of an external buffer': (scene) => {
    const m = withExternal(scene, scene.living.mbufs);
    scene.kept.push(must(scene.living.mbufs.reference(m)));
    return () => void scene.dying.memory.mbufs.free(m);
  },
  freeChain: (scene) => {
    const { mbufs } = scene.dying.memory;
    const all = shared(scene.living.mbufs, 1);
    scene.kept.push(all[1] as Addr);
    handOver(scene, [all[0] as Addr]);
    const m = chain(mbufs, [
      must(mbufs.tryGethdr()),
      must(mbufs.tryGetcl()),
      must(mbufs.tryGetjcl(4096)),
      all[0] as Addr,
      withExternal(scene, mbufs),
    ]);
    return () => mbufs.freeChain(m);
  },
  'freeMany of packets': (scene) => {
    const { mbufs } = scene.dying.memory;
    const all = Int32Array.of(
      must(mbufs.tryGetcl()),
      must(scene.living.mbufs.tryGetcl()),
      must(mbufs.tryGetcl()),
    );
    return () => mbufs.freeMany(all, all.length);
  },
  'freeMany of references': (scene) => {
    const { living } = scene;
    const m = must(living.mbufs.tryGetjcl(4096));
    const many = new Int32Array(14);
    assert.equal(living.mbufs.tryReferenceMany(m, many, 14), 14);
    scene.kept.push(m);
    return () => scene.dying.memory.mbufs.freeMany(many, 14);
  },
  'freeMany of all references': ({ dying: { memory } }) => {
    const many = new Int32Array(14);
    many[0] = must(memory.mbufs.tryGetjcl(4096));
    assert.equal(memory.mbufs.tryReferenceMany(many[0] as Addr, many.subarray(1), 13), 13);
    return () => memory.mbufs.freeMany(many, 14);
  },
  'freeMany of all kinds': (scene) => {
    const { mbufs } = scene.dying.memory;
    const ours = shared(mbufs, 2);
    const theirs = shared(scene.living.mbufs, 2);
    scene.kept.push(theirs[2] as Addr);
    const all = Int32Array.of(
      must(mbufs.tryGetcl()),
      ...ours,
      must(mbufs.tryGet()),
      ...theirs.slice(0, 2),
      withExternal(scene, mbufs),
      must(mbufs.tryGetjcl(2048)),
    );
    return () => mbufs.freeMany(all, all.length);
  },
  'freeMany that is refused': (scene) => {
    const { mbufs } = scene.dying.memory;
    const m = must(scene.living.mbufs.tryGetcl());
    const all = Int32Array.of(must(mbufs.tryGetcl()), must(mbufs.tryGet()), m, m);
    return () => {
      try {
        mbufs.freeMany(all, all.length);
      } catch (error) {
        if ((error as { code?: string }).code !== 'CHAIN_CYCLE') throw error;
      }
    };
  },
  append: ({ dying: { memory } }) => {
    const m = must(memory.mbufs.tryGethdr());
    return () => void memory.mbufs.append(m, new Uint8Array(168 + 4096 + 2048 + 10));
  },
  attach: (scene) => {
    const { mbufs } = scene.dying.memory;
    const m = must(mbufs.tryGet());
    return () => mbufs.attach(m, external(scene.living), 'note', 5);
  },
  'attach to an mbuf of the living': (scene) => {
    const m = must(scene.living.mbufs.tryGet());
    return () => scene.dying.memory.mbufs.attach(m, external(scene.living), 'note', 5);
  },
  claim: (scene) => {
    const m = chain(scene.living.mbufs, shared(scene.living.mbufs, 1));
    return () => scene.dying.memory.mbufs.claim(m);
  },
  'drain of packets': ({ dying: { memory } }) => {
    const all = new Int32Array(3);
    assert.equal(memory.mbufs.tryGetclMany(all, 3), 3);
    memory.mbufs.freeMany(all, 3);
    return () => void memory.mbufs.zones.packet.drain();
  },
  registerFree: ({ dying: { memory } }) => {
    return () => memory.mbufs.registerFree('another', () => {});
  },
};

/** Slabs are made: at check level 2 too many stores are those of trash. */
const coldActs: Record<string, Act> = {
  'getcl, cold': (scene) => () => void scene.dying.memory.mbufs.tryGetcl(),
  'getjcl of 9k': (scene) => () => void scene.dying.memory.mbufs.tryGetjcl(9216),
};

/** Times that the free function is called in the end, whoever dies. */
const expectedCalls = (name: string): number | null =>
  name.includes('external') || name === 'freeChain' || name === 'freeMany of all kinds'
    ? 1
    : name.startsWith('attach')
      ? null
      : 0;

async function playAct(name: string, act: Act, level: 0 | 1 | 2): Promise<number> {
  for (let store = 1; ; store++) {
    const what = `${name}, level ${level}, before store ${store}`;
    const scene = makeScene(level);
    const run = await act(scene);
    const died = playUntil(scene.dying, run, store);
    scene.dying.dieAt(1);
    try {
      bury(scene.living, scene.dying.memory, what);
      settle(scene, what);
      const expected = expectedCalls(name);
      if (expected !== null) assert.equal(scene.calls.length, expected, `${what}: calls`);
    } catch (error) {
      throw new Error(`${what}: ${(error as Error).message}`, { cause: error });
    }
    if (!died) return store;
    // At check level 2 most stores are those of trash.
    if (level === 2) store += store >> 3;
  }
}

describe('a thread that dies', () => {
  for (const [name, act] of Object.entries({ ...acts, ...coldActs })) {
    it(`in ${name}`, async () => {
      for (const level of name in coldActs ? ([1] as const) : ([1, 2] as const))
        await playAct(name, act, level);
    });
  }
});

void assertClean;
