/** Chains against plain arrays of bytes. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Addr } from '../record/index.js';
import { assertClean, assertNothingUsed, bytesOf, type Kit, makeKit } from './mbuf.test.kit.js';

/** What a chain should hold, and how many bytes of it are said by its packet header (-1: it has none). */
interface Model {
  bytes: number[];
  readonly hasHeader: boolean;
}

interface Real {
  readonly kit: Kit;
  readonly chains: Addr[];
  seed: number;
}

interface State {
  readonly chains: Model[];
}

type Step = (model: State, real: Real) => void;

function pick<Type>(list: readonly Type[], at: number): number {
  return list.length === 0 ? -1 : at % list.length;
}

function add(model: State, real: Real, m: Addr | 0, hasHeader: boolean): void {
  if (m === 0) return;
  real.chains.push(m);
  model.chains.push({ bytes: [], hasHeader });
}

function removeAt(model: State, real: Real, at: number): Addr {
  model.chains.splice(at, 1);
  return real.chains.splice(at, 1)[0] as Addr;
}

function check({ kit, chains }: Real, model: State, at: number): void {
  const { bytes, hasHeader } = model.chains[at] as Model;
  const m = chains[at] as Addr;
  assert.deepEqual(bytesOf(kit, m), bytes);
  assert.equal(kit.mbufs.chainLength(m), bytes.length);
  if (hasHeader) assert.equal(kit.mbufs.packetLength(m), bytes.length);
}

const take = fc.nat(6).map(
  (which): Step =>
    (model, real) => {
      const { mbufs } = real.kit;
      const takes = [
        () => mbufs.tryGet(),
        () => mbufs.tryGethdr(),
        () => mbufs.tryGetcl(),
        () => mbufs.tryGetjcl(2048),
        () => mbufs.tryGetjcl(4096),
        () => mbufs.tryGetjcl(9216),
        () => mbufs.tryGetjcl(16384),
      ];
      add(model, real, (takes[which] as () => Addr | 0)(), which > 0);
    },
);

const append = fc.tuple(fc.nat(), fc.oneof(fc.nat(300), fc.nat(6000)), fc.nat(20)).map(
  ([which, length, offset]): Step =>
    (model, real) => {
      const at = pick(real.chains, which);
      if (at < 0) return;
      const source = Uint8Array.from({ length: length + offset }, () => real.seed++ * 31);
      const entry = model.chains[at] as Model;
      if (real.kit.mbufs.append(real.chains[at] as Addr, source, offset))
        entry.bytes.push(...source.subarray(offset));
      check(real, model, at);
    },
);

const reference = fc.nat().map(
  (which): Step =>
    (model, real) => {
      const at = pick(real.chains, which);
      if (at < 0) return;
      const { mbufs } = real.kit;
      const m = real.chains[at] as Addr;
      const copy = mbufs.reference(m);
      if (copy === 0) return;
      const { hasHeader, bytes } = model.chains[at] as Model;
      // A reference is one mbuf of the chain.
      if (hasHeader) mbufs.setPacketLength(copy, mbufs.lengthOf(m));
      real.chains.push(copy);
      model.chains.push({ bytes: bytes.slice(0, mbufs.lengthOf(m)), hasHeader });
      check(real, model, model.chains.length - 1);
    },
);

const join = fc.tuple(fc.nat(), fc.nat()).map(
  ([first, second]): Step =>
    (model, real) => {
      const { mbufs } = real.kit;
      const to = pick(real.chains, first);
      const from = pick(real.chains, second);
      if (to < 0 || from === to) return;
      const head = real.chains[to] as Addr;
      let last = head;
      for (let m: Addr | 0 = head; m !== 0; m = mbufs.nextOf(m)) last = m;
      mbufs.setNext(last, real.chains[from] as Addr);
      const { bytes } = model.chains[from] as Model;
      const entry = model.chains[to] as Model;
      entry.bytes.push(...bytes);
      if (entry.hasHeader) mbufs.setPacketLength(head, entry.bytes.length);
      removeAt(model, real, from);
      check(real, model, real.chains.indexOf(head));
    },
);

/** Frees the first mbuf of a chain: the rest is a chain of its own. */
const freeFirst = fc.nat().map(
  (which): Step =>
    (model, real) => {
      const at = pick(real.chains, which);
      if (at < 0) return;
      const { mbufs, words } = real.kit;
      const m = real.chains[at] as Addr;
      const length = mbufs.lengthOf(m);
      const { bytes } = model.chains[at] as Model;
      const next = mbufs.free(m);
      removeAt(model, real, at);
      if (next === 0) return;
      const hasHeader = ((words[(next >> 2) + 4] as number) & 2) !== 0;
      if (hasHeader) mbufs.setPacketLength(next, bytes.length - length);
      real.chains.push(next);
      model.chains.push({ bytes: bytes.slice(length), hasHeader });
      check(real, model, real.chains.length - 1);
    },
);

const freeChain = fc.nat().map(
  (which): Step =>
    (model, real) => {
      const at = pick(real.chains, which);
      if (at >= 0) real.kit.mbufs.freeChain(removeAt(model, real, at));
    },
);

const freeMany = fc.nat(5).map(
  (count): Step =>
    (model, real) => {
      const gone = Math.min(count, real.chains.length);
      const packets = Int32Array.from({ length: gone }, () => removeAt(model, real, 0));
      real.kit.mbufs.freeMany(packets, gone);
    },
);

const copyOut = fc.tuple(fc.nat(), fc.nat(), fc.nat(), fc.nat(9)).map(
  ([which, from, to, start]): Step =>
    (model, real) => {
      const at = pick(real.chains, which);
      if (at < 0) return;
      const { bytes } = model.chains[at] as Model;
      const offset = bytes.length === 0 ? 0 : from % bytes.length;
      const length = bytes.length === offset ? 0 : to % (bytes.length - offset);
      const target = new Uint8Array(length + start);
      real.kit.mbufs.copyOut(real.chains[at] as Addr, offset, length, target, start);
      assert.deepEqual([...target.subarray(start)], bytes.slice(offset, offset + length));
    },
);

const trim = fc.tuple(fc.nat(), fc.nat(), fc.nat()).map(
  ([which, front, back]): Step =>
    (model, real) => {
      const at = pick(real.chains, which);
      if (at < 0) return;
      const { mbufs } = real.kit;
      const m = real.chains[at] as Addr;
      const entry = model.chains[at] as Model;
      const length = mbufs.lengthOf(m);
      const cutFront = length === 0 ? 0 : front % (length + 1);
      const kept = length - cutFront - (length === cutFront ? 0 : back % (length - cutFront + 1));
      mbufs.setRange(m, mbufs.dataOf(m) + cutFront, kept);
      entry.bytes = [...entry.bytes.slice(cutFront, cutFront + kept), ...entry.bytes.slice(length)];
      if (entry.hasHeader) mbufs.setPacketLength(m, entry.bytes.length);
      check(real, model, at);
    },
);

const step = fc.oneof(
  { weight: 3, arbitrary: take },
  { weight: 4, arbitrary: append },
  { weight: 2, arbitrary: reference },
  { weight: 2, arbitrary: join },
  { weight: 2, arbitrary: trim },
  { weight: 2, arbitrary: copyOut },
  { weight: 1, arbitrary: freeFirst },
  { weight: 1, arbitrary: freeChain },
  { weight: 1, arbitrary: freeMany },
);

describe('chains', () => {
  for (const [checkLevel, pageCount] of [
    [0, 512],
    [2, 512],
    [1, 128],
  ] as const) {
    it(`hold what was put into them (check level ${checkLevel}, ${pageCount} pages)`, () => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
          const kit = makeKit({ checkLevel, pageCount });
          const model: State = { chains: [] };
          const real: Real = { kit, chains: [], seed: 0 };
          for (const each of steps) each(model, real);
          for (let at = 0; at < real.chains.length; at++) check(real, model, at);
          assertClean(kit);
          for (const m of real.chains) kit.mbufs.freeChain(m);
          assertNothingUsed(kit);
        }),
        { numRuns: 60 },
      );
    });
  }
});
