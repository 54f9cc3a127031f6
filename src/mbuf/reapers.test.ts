/** Deaths that meet: of the reaper, of one of two who share a cluster, of one who holds a counter. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Memory } from '../memory-api.js';
import type { Addr } from '../record/index.js';
import { bury, CLUSTERS, makeScene, playUntil, type Scene, settle } from './death.test-kit.js';
import { must } from './mbuf.test.kit.js';
import { Mbuf } from './records.js';

interface State {
  /** What the first to die does, and how many of its stores are left out between two of its deaths. */
  prepare(scene: Scene): () => void;
  readonly stride: number;
}

function makeReferences(mbufs: Memory['mbufs'], count: number): Int32Array {
  const all = new Int32Array(count);
  all[0] = must(mbufs.tryGetjcl(4096));
  const others = new Int32Array(count - 1);
  assert.equal(mbufs.tryReferenceMany(all[0] as Addr, others, count - 1), count - 1);
  all.set(others, 1);
  return all;
}

const states: Record<string, State> = {
  'the free of a jumbo cluster': {
    prepare({ dying: { memory } }) {
      const m = must(memory.mbufs.tryGetjcl(4096));
      return () => void memory.mbufs.free(m);
    },
    stride: 9,
  },
  'the free of a shared packet': {
    prepare({ dying: { memory }, living, kept }) {
      const m = must(living.mbufs.tryGetcl());
      kept.push(must(living.mbufs.reference(m)));
      memory.mbufs.claim(m);
      return () => void memory.mbufs.free(m);
    },
    stride: 31,
  },
  'the free of an external buffer': {
    prepare({ dying: { memory } }) {
      const m = must(memory.mbufs.tryGet());
      memory.mbufs.attach(m, { address: memory.bytes.length - 4096, length: 64 }, 'note');
      memory.mbufs.free(must(memory.mbufs.reference(m)));
      return () => void memory.mbufs.free(m);
    },
    stride: 23,
  },
  'a drain of packets': {
    prepare({ dying: { memory } }) {
      const all = new Int32Array(2);
      assert.equal(memory.mbufs.tryGetclMany(all, 2), 2);
      memory.mbufs.freeMany(all, 2);
      return () => void memory.mbufs.zones.packet.drain();
    },
    stride: 53,
  },
  'the making of a packet': {
    prepare:
      ({ dying: { memory } }) =>
      () =>
        void memory.mbufs.tryGetcl(),
    stride: 211,
  },
  'many references': {
    prepare({ dying: { memory }, living, kept }) {
      const all = makeReferences(living.mbufs, 3);
      kept.push(all[0] as Addr);
      const ours = all.slice(1);
      for (const m of ours) memory.mbufs.claim(m as Addr);
      return () => memory.mbufs.freeMany(ours, 2);
    },
    stride: 23,
  },
};

describe('a reaper that dies', () => {
  for (const [name, { prepare, stride }] of Object.entries(states)) {
    it(`while it cleans up after ${name}`, () => {
      let first = true;
      for (let store = 2; first; store += stride) {
        let second = true;
        for (let reaping = 1; second; reaping += 1 + (reaping >> 3)) {
          const what = `${name}, store ${store}, of the reaper ${reaping}`;
          const scene = makeScene(1);
          const act = prepare(scene);
          const reaper = scene.joinMortal();
          first = playUntil(scene.dying, act, store);
          scene.dying.dieAt(1);
          scene.living.declareDead(scene.dying.memory.name);
          second = playUntil(reaper, () => void reaper.memory.reap(), reaping);
          reaper.dieAt(1);
          try {
            bury(scene.living, reaper.memory, what);
            settle(scene, what);
            assert.ok(scene.calls.length <= 1, 'calls');
            if (name.includes('external')) assert.equal(scene.calls.length, 1, 'calls');
          } catch (error) {
            throw new Error(`${what}: ${(error as Error).message}`, { cause: error });
          }
        }
      }
    });
  }
});

describe('two threads with one cluster', () => {
  for (const order of ['before', 'after', 'without']) {
    it(`one dies in its free; the other frees ${order} anybody cleaning up`, () => {
      let died = true;
      for (let store = 1; died; store++) {
        const what = `store ${store}`;
        const scene = makeScene(1);
        const { living, dying } = scene;
        const m = must(living.mbufs.tryGetjcl(4096));
        const other = must(living.mbufs.reference(m));
        const cluster = living.mbufs.dataOf(m);
        dying.memory.mbufs.claim(other);
        died = playUntil(dying, () => void dying.memory.mbufs.free(other), store);
        dying.dieAt(1);
        living.declareDead(dying.memory.name);
        if (order === 'after') living.reap();
        // It meets a counter that a dead thread holds, and cleans up in the middle of its own free.
        living.mbufs.free(m);
        if (order === 'before') living.reap();
        if (order === 'without') living.poll();
        assert.equal(living.mbufs.stats().zones.jumboPage.used, 0, what);
        assert.notEqual(living.mbufs.tryGetjcl(4096), 0);
        assert.ok(cluster !== 0);
        living.reap();
        settle(scene, what);
      }
    });
  }

  it('both die, and the one that is cleaned up after first needs what the other holds', () => {
    let died = true;
    for (let store = 1; died; store++) {
      const scene = makeScene(1);
      const { living, dying, kept } = scene;
      const second = scene.joinMortal();
      const [m, one, two] = makeReferences(living.mbufs, 3) as unknown as [Addr, Addr, Addr];
      kept.push(m);
      dying.memory.mbufs.claim(one);
      second.memory.mbufs.claim(two);
      died = playUntil(second, () => void second.memory.mbufs.free(two), store);
      second.dieAt(1);
      assert.equal(living.declareDead(dying.memory.name), true);
      assert.equal(living.declareDead(second.memory.name), true);
      const reaped = living.reap();
      assert.deepEqual(
        reaped.flatMap(({ errors }) => errors),
        [],
      );
      assert.equal(reaped.length, 2, `store ${store}`);
      settle(scene, `store ${store}`);
    }
  });

  it('the last reference goes while the other has given it up and not said so yet', () => {
    // The counter's slab is another thing by the time of the reaping: it is not to be written to.
    let met = 0;
    for (let store = 1; met === 0; store++) {
      const scene = makeScene(1);
      const { living, dying } = scene;
      const m = must(living.mbufs.tryGetjcl(9216));
      const other = must(living.mbufs.reference(m));
      const counter = living.words[(m >> 2) + Mbuf.counter] as number;
      dying.memory.mbufs.claim(other);
      playUntil(dying, () => void dying.memory.mbufs.free(other), store);
      dying.dieAt(1);
      // The store before its last one gave the counter up; the last one would have said so.
      if (living.words[counter] !== 1) continue;
      met++;
      living.mbufs.free(m);
      living.drain();
      const held = dying.memory.thread << 24;
      living.words[counter] = held | 1;
      living.declareDead(dying.memory.name);
      living.reap();
      assert.equal(living.words[counter], held | 1, `store ${store}`);
    }
  });
});

describe('an external buffer of a dead thread', () => {
  it('whose function the reaper lacks stays with its mbuf, until somebody frees it who has the function', () => {
    const scene = makeScene(1);
    const { living, dying } = scene;
    const { mbufs } = dying.memory;
    const calls: unknown[][] = [];
    const own = (...call: unknown[]): void => {
      calls.push(call);
    };
    mbufs.registerFree('own', own);
    const m = must(mbufs.tryGet());
    mbufs.attach(m, { address: living.bytes.length - 4096, length: 64 }, 'own', 7);
    living.declareDead(dying.memory.name);
    const [reaped] = living.reap();
    assert.deepEqual(
      reaped?.errors.map((error) => (error as { code?: string }).code),
      ['HOOKS_MISSING'],
    );
    assert.deepEqual(living.audit().violations, []);
    assert.throws(() => living.mbufs.free(m), { code: 'HOOKS_MISSING' });
    living.mbufs.registerFree('own', own);
    living.mbufs.free(m);
    assert.deepEqual(calls, [[living.bytes.length - 4096, 64, 7]]);
    settle(scene, 'freed');
  });
});

describe('a claim', () => {
  it("makes a chain this thread's: it outlives who took it", () => {
    const scene = makeScene(1);
    const { living, dying, kept } = scene;
    const m = must(dying.memory.mbufs.tryGetcl());
    const next = must(dying.memory.mbufs.reference(m));
    const lost = must(dying.memory.mbufs.tryGetcl());
    dying.memory.mbufs.setNext(m, next);
    living.mbufs.claim(m);
    bury(living, dying.memory, 'the giver');
    assert.throws(() => living.mbufs.claim(lost), { code: 'NOT_AN_MBUF' });
    assert.throws(() => living.mbufs.claim((m + 4) as Addr), { code: 'NOT_AN_MBUF' });
    assert.equal(living.mbufs.nextOf(m), next);
    kept.push(next, m);
    living.mbufs.setNext(m, 0);
    settle(scene, 'claimed');
  });
});

describe('a thread that dies in a demotion', () => {
  it('while somebody waits for a cluster', async () => {
    let died = true;
    for (let store = 1; died; store++) {
      const what = `store ${store}`;
      const scene = makeScene(1);
      const { living, dying, kept } = scene;
      living.mbufs.max = 4;
      for (let count = 0; count < 3; count++) kept.push(must(living.mbufs.tryGetcl()));
      const m = must(dying.memory.mbufs.tryGetcl());
      const waiting = living.mbufs.getclAsync();
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(living.mbufs.zones.cluster.sleepers, 1);
      died = playUntil(dying, () => void dying.memory.mbufs.free(m), store);
      dying.dieAt(1);
      bury(living, dying.memory, what);
      kept.push(await waiting);
      living.mbufs.max = CLUSTERS;
      settle(scene, what);
    }
  });
});
