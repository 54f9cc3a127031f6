/** Every public function with arguments that nobody should give: a coded error, and the memory unchanged. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { MbumaError } from '../check/index.js';
import type { Addr } from '../record/index.js';
import { assertClean, assertCode, assertNothingUsed, type Kit, makeKit, must } from './mbuf.test.kit.js';

const NOT_NUMBERS: readonly unknown[] = [
  undefined,
  null,
  '4096',
  true,
  10n,
  Symbol('m'),
  {},
  [],
  { valueOf: () => 4096 },
  () => 4096,
];
const BAD_NUMBERS: readonly number[] = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  -1,
  -256,
  0.5,
  4096.5,
  2 ** 31,
  2 ** 32,
  2 ** 32 + 4096,
  2 ** 53,
  -(2 ** 53),
];

/** Addresses that are no mbufs in use. */
function badAddresses(kit: Kit): number[] {
  const { mbufs } = kit;
  const used = must(mbufs.tryGetcl());
  const freed = must(mbufs.tryGet());
  mbufs.free(freed);
  const inside = [used + 4, used + 16, used + 128, mbufs.dataOf(used), mbufs.dataOf(used) + 256];
  const foreign = [
    64,
    4096,
    kit.machine.layout.firstPage * 4096 - 256,
    kit.bytes.length - 256,
    kit.bytes.length,
  ];
  return [...inside, ...foreign, freed];
}

function digest({ bytes }: Kit): string {
  return createHash('sha1').update(Uint8Array.from(bytes)).digest('hex');
}

/** `act` throws a coded error for each of `values`, and nothing changes. */
function assertRefused(
  kit: Kit,
  name: string,
  values: readonly unknown[],
  act: (value: never) => unknown,
  codes: readonly string[],
): void {
  const before = digest(kit);
  for (const value of values) {
    const shown = `${name}(${typeof value === 'object' ? 'object' : String(value)})`;
    assert.throws(
      () => act(value as never),
      (error: unknown) => {
        assert.ok(error instanceof MbumaError, `${shown}: ${String(error)}`);
        assert.ok(codes.includes(error.code), `${shown}: ${error.code} ${error.message}`);
        return true;
      },
      shown,
    );
    assert.equal(digest(kit), before, `${shown} changed the memory`);
  }
}

const FREE_CODES = ['BAD_ARGUMENT', 'FREE_FOREIGN', 'FREE_WRONG_ZONE', 'FREE_UNALIGNED', 'FREE_TWICE'];

describe('hostile arguments', () => {
  it('in place of an mbuf', () => {
    const kit = makeKit({ pageCount: 256 });
    const { mbufs } = kit;
    const good = must(mbufs.tryGetcl());
    const values = [...NOT_NUMBERS, ...BAD_NUMBERS, ...badAddresses(kit)];
    const target = new Uint8Array(10);
    mbufs.registerFree('test', () => {});
    const calls: Record<string, (m: Addr) => unknown> = {
      reference: (m) => mbufs.reference(m),
      tryReferenceMany: (m) => mbufs.tryReferenceMany(m, new Int32Array(1), 1),
      attach: (m) => mbufs.attach(m, { address: kit.bytes.length - 64, length: 64 }, 'test'),
      append: (m) => mbufs.append(m, target),
      copyOut: (m) => mbufs.copyOut(m, 0, 0, target),
      segments: (m) => mbufs.segments(m),
      view: (m) => mbufs.view(m),
      dataOf: (m) => mbufs.dataOf(m),
      lengthOf: (m) => mbufs.lengthOf(m),
      setLength: (m) => mbufs.setLength(m, 0),
      setData: (m) => mbufs.setData(m, 0),
      setRange: (m) => mbufs.setRange(m, 0, 0),
      nextOf: (m) => mbufs.nextOf(m),
      setNext: (m) => mbufs.setNext(m, 0),
      packetLength: (m) => mbufs.packetLength(m),
      setPacketLength: (m) => mbufs.setPacketLength(m, 0),
      chainLength: (m) => mbufs.chainLength(m),
      capacityOf: (m) => mbufs.capacityOf(m),
      trailingSpace: (m) => mbufs.trailingSpace(m),
      leadingSpace: (m) => mbufs.leadingSpace(m),
      isWritable: (m) => mbufs.isWritable(m),
    };
    for (const [name, call] of Object.entries(calls))
      assertRefused(kit, name, [...values, 0], call, ['NOT_AN_MBUF']);
    // 0 ends a chain.
    assertRefused(kit, 'setNext', values, (next) => mbufs.setNext(good, next), ['NOT_AN_MBUF']);
    assertRefused(kit, 'free', values, (m) => mbufs.free(m), FREE_CODES);
    assertRefused(kit, 'freeChain', values, (m) => mbufs.freeChain(m), FREE_CODES);
    const addresses = badAddresses(kit).filter((value) => value !== 0);
    assertRefused(kit, 'freeMany', addresses, (m) => mbufs.freeMany(Int32Array.of(good, m), 2), FREE_CODES);
    assertClean(kit);
  });

  it('names what is wrong with a free', () => {
    const kit = makeKit({ pageCount: 256 });
    const { mbufs } = kit;
    for (const get of [mbufs.tryGet, mbufs.tryGetcl]) {
      const m = must(get());
      mbufs.free(m);
      assertCode(() => mbufs.free(m), 'FREE_TWICE');
      assertCode(() => mbufs.freeChain(m), 'FREE_TWICE');
      assertCode(() => mbufs.freeMany(Int32Array.of(m), 1), 'FREE_TWICE');
    }
    const packet = must(mbufs.tryGetcl());
    assertCode(() => mbufs.free((packet + 64) as Addr), 'FREE_UNALIGNED');
    assertCode(() => mbufs.free(mbufs.dataOf(packet)), 'FREE_WRONG_ZONE');
    assertCode(() => mbufs.free((kit.bytes.length - 256) as Addr), 'FREE_FOREIGN');
    // Null is nothing to free.
    assert.equal(mbufs.free(0 as Addr), 0);
    mbufs.freeChain(0 as Addr);
    mbufs.free(packet);
    assertNothingUsed(kit);
  });

  it('in place of everything else', () => {
    const kit = makeKit({ pageCount: 256 });
    const { mbufs } = kit;
    const m = must(mbufs.tryGetcl());
    mbufs.append(m, Uint8Array.of(1, 2, 3));
    const own = must(mbufs.tryGethdr());
    const numbers = [...NOT_NUMBERS.filter((value) => value !== undefined), ...BAD_NUMBERS];
    const bytes = new Uint8Array(8);
    const notBytes = [...NOT_NUMBERS, 1, new Int32Array(8), new ArrayBuffer(8)];
    const notWords = [...NOT_NUMBERS, 1, new Uint8Array(8), new Int32Array(1), new Float64Array(8)];
    mbufs.registerFree('test', () => {});
    const place = { address: kit.bytes.length - 64, length: 64 };
    const calls: [string, readonly unknown[], (value: never) => unknown][] = [
      ['tryGetjcl', [...numbers, undefined, 0, 2047, 8192], (size) => mbufs.tryGetjcl(size)],
      ['getjcl', [...numbers, undefined, 0, 2047, 8192], (size) => mbufs.getjcl(size)],
      ['get flags', [...numbers, 16], (flags) => mbufs.get(flags)],
      ['gethdr flags', [...numbers, 16], (flags) => mbufs.gethdr(flags)],
      ['getcl flags', [...numbers, 16], (flags) => mbufs.getcl(flags)],
      ['getjcl flags', [...numbers, 16], (flags) => mbufs.getjcl(4096, flags)],
      ['getcl timeout', [Number.NaN, -1, '1', null, {}], (timeout) => mbufs.getcl(0, timeout)],
      ['tryGetMany out', notWords, (out) => mbufs.tryGetMany(out, 2)],
      ['tryGethdrMany n', [...numbers, undefined, 3], (n) => mbufs.tryGethdrMany(new Int32Array(2), n)],
      ['tryGetclMany n', [...numbers, undefined, 3], (n) => mbufs.tryGetclMany(new Int32Array(2), n)],
      ['freeMany packets', notWords, (packets) => mbufs.freeMany(packets, 2)],
      ['freeMany n', [...numbers, undefined, 3], (n) => mbufs.freeMany(new Int32Array(2), n)],
      ['tryReferenceMany out', notWords, (out) => mbufs.tryReferenceMany(m, out, 2)],
      [
        'tryReferenceMany n',
        [...numbers, undefined, 3],
        (n) => mbufs.tryReferenceMany(m, new Int32Array(2), n),
      ],
      ['tryReferenceMany of own data', [1], (n) => mbufs.tryReferenceMany(own, new Int32Array(2), n)],
      ['append source', notBytes, (source) => mbufs.append(m, source)],
      ['append offset', [...numbers, 9], (offset) => mbufs.append(m, bytes, offset)],
      ['append length', [...numbers, 5], (length) => mbufs.append(m, bytes, 4, length)],
      ['copyOut offset', [...numbers, undefined], (offset) => mbufs.copyOut(m, offset, 1, bytes)],
      ['copyOut length', [...numbers, undefined, 9], (length) => mbufs.copyOut(m, 0, length, bytes)],
      ['copyOut target', notBytes, (target) => mbufs.copyOut(m, 0, 1, target)],
      ['copyOut targetOffset', [...numbers, 8], (offset) => mbufs.copyOut(m, 0, 1, bytes, offset)],
      ['setLength', [...numbers, undefined, 2049], (length) => mbufs.setLength(m, length)],
      [
        'setData',
        [...numbers, undefined, 0, mbufs.dataOf(m) - 1, mbufs.dataOf(m) + 2046],
        (at) => mbufs.setData(m, at),
      ],
      [
        'setRange address',
        [...numbers, undefined, 0, mbufs.dataOf(m) + 2049],
        (at) => mbufs.setRange(m, at, 0),
      ],
      ['setRange length', [...numbers, undefined, 2049], (n) => mbufs.setRange(m, mbufs.dataOf(m), n)],
      ['setPacketLength', [...numbers, undefined], (n) => mbufs.setPacketLength(m, n)],
      [
        'max',
        [...numbers, undefined],
        (n) => {
          mbufs.max = n;
        },
      ],
      [
        'registerFree name',
        [...NOT_NUMBERS.filter((value) => value !== '4096'), '', ' a', 'é', 'x'.repeat(48)],
        (name) => mbufs.registerFree(name, () => {}),
      ],
      ['registerFree function', [undefined, null, 1, 'test', {}], (fn) => mbufs.registerFree('other', fn)],
      ['registerFree again', [() => {}], (fn) => mbufs.registerFree('test', fn)],
      [
        'attach buffer',
        [...notBytes, new Uint8Array(8), kit.bytes.subarray(0, 64), kit.bytes.subarray(8192, 8192)],
        (b) => mbufs.attach(own, b, 'test'),
      ],
      [
        'attach address',
        [...numbers, undefined, 0, 4096],
        (address) => mbufs.attach(own, { address, length: 1 }, 'test'),
      ],
      [
        'attach length',
        [...numbers, undefined, 0, 65],
        (length) => mbufs.attach(own, { address: place.address, length }, 'test'),
      ],
      ['attach function', [undefined, null, 1, {}], (fn) => mbufs.attach(own, place, fn)],
      [
        'attach argument',
        numbers.filter((n) => n !== -1 && n !== -256 && n !== 2 ** 31),
        (n) => mbufs.attach(own, place, 'test', n),
      ],
      ['attach twice', ['test'], (fn) => mbufs.attach(m, place, fn)],
    ];
    for (const [name, values, call] of calls) assertRefused(kit, name, values, call, ['BAD_ARGUMENT']);
    assertRefused(kit, 'attach', ['nobody', () => {}], (fn) => mbufs.attach(own, place, fn), [
      'HOOKS_MISSING',
    ]);
    assertRefused(kit, 'setNext', [m], (next) => mbufs.setNext(m, next), ['CHAIN_CYCLE']);
    assertRefused(kit, 'copyOut', [3], (offset) => mbufs.copyOut(m, offset, 1, bytes), ['CHAIN_TOO_SHORT']);
    assertClean(kit);
    mbufs.freeMany(Int32Array.of(m, own), 2);
    assertNothingUsed(kit);
  });

  it('asynchronous forms reject', async () => {
    const kit = makeKit({ pageCount: 256 });
    const { mbufs } = kit;
    const isCoded = (error: unknown): boolean => error instanceof MbumaError && error.code === 'BAD_ARGUMENT';
    for (const flags of [Number.NaN, 1.5, -1, 16, '0', null] as never[]) {
      await assert.rejects(mbufs.getAsync(flags), isCoded);
      await assert.rejects(mbufs.gethdrAsync(flags), isCoded);
      await assert.rejects(mbufs.getclAsync(flags), isCoded);
      await assert.rejects(mbufs.getjclAsync(4096, flags), isCoded);
    }
    await assert.rejects(mbufs.getjclAsync(1), isCoded);
    assertNothingUsed(kit);
  });

  it('chains that are circles, or share an mbuf', () => {
    for (const length of [2, 3, 7, 64]) {
      for (const back of [0, (length - 1) >> 1, length - 2]) {
        const kit = makeKit({ pageCount: 256 });
        const { mbufs } = kit;
        const all = Array.from({ length }, () => must(mbufs.tryGethdr()));
        for (let at = 1; at < length; at++) mbufs.setNext(all[at - 1] as Addr, all[at] as Addr);
        mbufs.setNext(all[length - 1] as Addr, all[back] as Addr);
        const head = all[0] as Addr;
        const calls: Record<string, (m: Addr) => unknown> = {
          chainLength: (m) => mbufs.chainLength(m),
          append: (m) => mbufs.append(m, new Uint8Array(1)),
          copyOut: (m) => mbufs.copyOut(m, 0, 0, new Uint8Array(1)),
          segments: (m) => mbufs.segments(m),
          freeChain: (m) => mbufs.freeChain(m),
          freeMany: (m) => mbufs.freeMany(Int32Array.of(m), 1),
        };
        for (const [name, call] of Object.entries(calls))
          assertRefused(kit, name, [head], call, ['CHAIN_CYCLE']);
        mbufs.setNext(all[length - 1] as Addr, 0);
        const other = must(mbufs.tryGet());
        mbufs.setNext(other, all[length - 1] as Addr);
        const both = Int32Array.of(other, head);
        assertRefused(kit, 'freeMany of a shared mbuf', [both], (list) => mbufs.freeMany(list, 2), [
          'CHAIN_CYCLE',
        ]);
        mbufs.setNext(other, 0);
        const twice = Int32Array.of(other, head, other);
        assertRefused(kit, 'freeMany of a packet twice', [twice], (list) => mbufs.freeMany(list, 3), [
          'CHAIN_CYCLE',
        ]);
        mbufs.freeMany(both, 2);
        assertNothingUsed(kit);
      }
    }
  });
});
