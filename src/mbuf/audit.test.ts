/** Each rule of the audit finds the fault that is planted for it, and a healthy memory has none. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Addr } from '../record/index.js';
import { BufferKind, KIND_SHIFT, Mbuf, MbufFlag } from './index.js';
import { findings, type Kit, makeKit, must } from './mbuf.test.kit.js';

/** A memory with something of everything. */
interface Scene {
  readonly kit: Kit;
  readonly bare: Addr;
  /** Header mbuf with 1000 bytes in a chain. */
  readonly chain: Addr;
  readonly packet: Addr;
  readonly jumbo: Addr;
  readonly reference: Addr;
  readonly external: Addr;
  readonly externalReference: Addr;
  /** A packet in the cache. */
  readonly cached: Addr;
}

function makeScene(): Scene {
  const kit = makeKit();
  const { mbufs } = kit;
  const bare = must(mbufs.tryGet());
  const chain = must(mbufs.tryGethdr());
  mbufs.append(chain, new Uint8Array(1000));
  const packet = must(mbufs.tryGetcl());
  mbufs.append(packet, new Uint8Array(100));
  const jumbo = must(mbufs.tryGetjcl(9216));
  const reference = must(mbufs.reference(jumbo));
  mbufs.registerFree('nothing', () => {});
  const external = must(mbufs.tryGethdr());
  mbufs.attach(external, { address: kit.bytes.length - 64, length: 64 }, 'nothing');
  const externalReference = must(mbufs.reference(external));
  const cached = must(mbufs.tryGetcl());
  mbufs.free(cached);
  return { kit, bare, chain, packet, jumbo, reference, external, externalReference, cached };
}

type Field = keyof typeof Mbuf;

function set(scene: Scene, m: Addr, field: Field, value: number): void {
  scene.kit.words[(m >> 2) + Mbuf[field]] = value;
}

function get(scene: Scene, m: Addr, field: Field): number {
  return scene.kit.words[(m >> 2) + Mbuf[field]] as number;
}

const CLUSTER_WITHOUT_BUFFER = BufferKind.CLUSTER << KIND_SHIFT;

const faults: readonly [rule: string, fault: string, plant: (scene: Scene) => void][] = [
  ['M1', 'a kind of buffer that there is not', (s) => set(s, s.bare, 'flags', 77 << KIND_SHIFT)],
  ['M1', 'a mark left by a free', (s) => set(s, s.bare, 'flags', get(s, s.bare, 'flags') | MbufFlag.VISITED)],
  [
    'M1',
    'shared without a buffer',
    (s) => set(s, s.bare, 'flags', get(s, s.bare, 'flags') | MbufFlag.SHARED),
  ],
  ['M2', 'an own buffer somewhere else', (s) => set(s, s.bare, 'buffer', s.bare + 40)],
  ['M2', 'an own buffer too long', (s) => set(s, s.bare, 'capacity', 225)],
  ['M2', 'a cluster that is none', (s) => set(s, s.bare, 'flags', CLUSTER_WITHOUT_BUFFER)],
  ['M2', 'a cluster of another kind', (s) => set(s, s.packet, 'flags', BufferKind.JUMBO_PAGE << KIND_SHIFT)],
  [
    'M2',
    'a cluster that is free',
    (s) => {
      s.kit.context.uma.owners[get(s, s.packet, 'buffer') >>> 4] = 0;
    },
  ],
  ['M2', 'a wrong capacity', (s) => set(s, s.jumbo, 'capacity', 9215)],
  ['M2', 'an external buffer outside of the memory', (s) => set(s, s.external, 'capacity', 65)],
  ['M3', 'data before the buffer', (s) => set(s, s.packet, 'data', get(s, s.packet, 'buffer') - 1)],
  ['M3', 'data after the buffer', (s) => set(s, s.packet, 'data', get(s, s.packet, 'buffer') + 2049)],
  ['M3', 'more data than buffer', (s) => set(s, s.packet, 'length', 2049)],
  ['M3', 'negative data', (s) => set(s, s.packet, 'length', -1)],
  [
    'M4',
    'a cluster that no mbuf has',
    (s) => {
      const cluster = must(s.kit.mbufs.zones.cluster.tryAlloc());
      s.kit.context.uma.owners[cluster >>> 4] = 255;
    },
  ],
  [
    'M4',
    'a counter that no buffer has',
    (s) => {
      const counter = must(s.kit.mbufs.zones.externalCounter.tryAlloc());
      s.kit.context.uma.owners[counter >>> 4] = 255;
    },
  ],
  [
    'M5',
    'a counter too high',
    (s) => {
      s.kit.words[get(s, s.jumbo, 'counter')] = 3;
    },
  ],
  [
    'M5',
    'a counter too low',
    (s) => {
      s.kit.words[get(s, s.externalReference, 'counter')] = 1;
    },
  ],
  [
    'M5',
    'a reference that does not know it',
    (s) => set(s, s.reference, 'flags', get(s, s.reference, 'flags') & ~MbufFlag.SHARED),
  ],
  ['M5', 'two counters', (s) => set(s, s.reference, 'counter', get(s, s.reference, 'counter') + 16)],
  [
    'M5',
    'a counter of another cluster',
    (s) => {
      set(s, s.jumbo, 'counter', get(s, s.jumbo, 'counter') + 16);
      set(s, s.reference, 'counter', get(s, s.reference, 'counter') + 16);
    },
  ],
  [
    'M5',
    'a count without sharing',
    (s) => {
      set(s, s.packet, 'counter', s.kit.context.uma.counterOf(get(s, s.packet, 'buffer')));
      s.kit.words[get(s, s.packet, 'counter')] = 1;
    },
  ],
  ['M6', 'a next that is free', (s) => set(s, s.packet, 'next', s.cached)],
  ['M6', 'a next that is no mbuf', (s) => set(s, s.packet, 'next', get(s, s.packet, 'buffer'))],
  ['M6', 'a next of two', (s) => set(s, s.packet, 'next', get(s, s.chain, 'next'))],
  [
    'M6',
    'a circle',
    (s) => {
      set(s, s.bare, 'next', s.packet);
      set(s, s.packet, 'next', s.bare);
    },
  ],
  ['M7', 'a packet length that is not', (s) => set(s, s.chain, 'packetLength', 999)],
  [
    'M8',
    'a cached packet that is shared',
    (s) => set(s, s.cached, 'flags', get(s, s.cached, 'flags') | MbufFlag.SHARED),
  ],
  ['M8', 'a cached packet without cluster', (s) => set(s, s.cached, 'flags', 0)],
  ['M8', 'a cached packet with a next', (s) => set(s, s.cached, 'next', s.bare)],
  [
    'M5',
    "a cached packet with another's cluster",
    (s) => set(s, s.cached, 'buffer', get(s, s.packet, 'buffer')),
  ],
  ['M9', 'a free function that there is not', (s) => set(s, s.external, 'freeFunction', 2)],
];

describe('the audit of mbufs', () => {
  it('finds nothing in a healthy memory', () => {
    assert.deepEqual(findings(makeScene().kit), []);
  });

  it('lets one place be attached twice, each time with a free of its own', () => {
    const { kit } = makeScene();
    const again = must(kit.mbufs.tryGet());
    kit.mbufs.attach(again, { address: kit.bytes.length - 64, length: 64 }, 'nothing');
    must(kit.mbufs.reference(again));
    assert.deepEqual(findings(kit), []);
  });

  for (const [rule, fault, plant] of faults) {
    it(`${rule} finds ${fault}`, () => {
      const scene = makeScene();
      plant(scene);
      const found = findings(scene.kit);
      assert.ok(
        found.some((each) => each.startsWith(`${rule} `)),
        `${rule} not in ${found.join('; ')}`,
      );
    });
  }
});
