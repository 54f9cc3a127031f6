import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { createMemory, type Memory } from '../../index.js';
import { LINK_ETHERNET } from '../capture/links.js';
import { createPacketParser } from '../packet/parse.js';
import {
  ETHERTYPE_IPV6,
  ethernet,
  ipv6,
  TCP_ACK,
  TCP_FIN,
  TCP_SYN,
  tcp,
  tcpFrame,
  udpFrame,
} from '../testing/captures.test-kit.js';
import { formatEndpoint, formatIpv6 } from './addresses.js';
import { type ConversationRow, compareRows, createConversationReader, topRows } from './read.js';
import { type ConversationTable, createConversationTable } from './table.js';

const A = '10.0.0.1';
const B = '10.0.0.2';

interface Bench {
  readonly memory: Memory;
  readonly table: ConversationTable;
  count(frame: Uint8Array, options?: { pass?: number; bytes?: number }): boolean;
  rows(): ConversationRow[];
  /** Gives all back and looks whether it is. */
  close(): void;
}

function setUp(bytes: number = 8 << 20): Bench {
  const memory = createMemory({ bytes });
  const table = createConversationTable(memory);
  const reader = createConversationReader(memory);
  return {
    memory,
    table,
    count(frame, { pass = 0, bytes: wire = frame.length } = {}) {
      const parser = createPacketParser(frame, 99);
      const found = parser.parse(0, frame.length, LINK_ETHERNET);
      assert.ok((found & 3) >= 2);
      return table.count(parser.fields, wire, pass);
    },
    rows: () => topRows(reader, [table.first], 1e9),
    close() {
      reader.free(table.first);
      table.close();
      const used = memory
        .stats()
        .zones.filter((zone) => zone.name.startsWith('conversation') && zone.used > 0);
      assert.deepEqual(used, []);
      assert.deepEqual(memory.audit().violations, []);
      memory.detach();
    },
  };
}

interface Flags {
  readonly flags?: number;
  readonly sequence?: number;
  readonly acknowledgement?: number;
}
const forth = (fields: Flags = {}): Uint8Array => tcpFrame(A, B, { from: 1000, to: 80, ...fields });
const back = (fields: Flags = {}): Uint8Array => tcpFrame(B, A, { from: 80, to: 1000, ...fields });

suite('counting', () => {
  test('both directions make one conversation; a is who spoke first', () => {
    const bench = setUp();
    bench.count(back(), { bytes: 100 });
    bench.count(forth(), { bytes: 10 });
    bench.count(back(), { bytes: 1000 });
    bench.count(udpFrame(A, B, { from: 1000, to: 80 }), { bytes: 7 });
    assert.deepEqual(bench.rows(), [
      {
        protocol: 'tcp',
        a: '10.0.0.2:80',
        b: '10.0.0.1:1000',
        packets: 3,
        bytes: 1110,
        packetsAB: 2,
        bytesAB: 1100,
      },
      {
        protocol: 'udp',
        a: '10.0.0.1:1000',
        b: '10.0.0.2:80',
        packets: 1,
        bytes: 7,
        packetsAB: 1,
        bytesAB: 7,
      },
    ]);
    assert.equal(bench.table.tcp, 1);
    assert.equal(bench.table.udp, 1);
    bench.close();
  });

  test('IPv6 that differs in the last word only', () => {
    const bench = setUp();
    for (const to of ['2001:db8::2', '2001:db8::3', '2001:db8::2']) {
      const packet = ipv6({ from: '2001:db8::1', to, protocol: 6, payload: tcp({ from: 1, to: 2 }) });
      bench.count(ethernet(ETHERTYPE_IPV6, packet));
    }
    assert.deepEqual(
      bench.rows().map(({ a, b, packets }) => ({ a, b, packets })),
      [
        { a: '[2001:db8::1]:1', b: '[2001:db8::2]:2', packets: 2 },
        { a: '[2001:db8::1]:1', b: '[2001:db8::3]:2', packets: 1 },
      ],
    );
    bench.close();
  });

  test('sums beyond 32 bits', () => {
    const bench = setUp();
    for (let time = 0; time < 5; time++) bench.count(forth(), { bytes: 0xffffffff });
    assert.equal(bench.rows()[0]?.bytes, 5 * 0xffffffff);
    bench.close();
  });
});

suite('uses of the same ports', () => {
  /** How many packets each use got, in the order of the uses. */
  function uses(frames: readonly Uint8Array[], passes = 1): number[] {
    const bench = setUp();
    const order = new Map<string, number>();
    for (let pass = 0; pass < passes; pass++) for (const frame of frames) bench.count(frame, { pass });
    const reader = createConversationReader(bench.memory);
    const counts: number[] = [];
    reader.each(bench.table.first, (item) => counts.unshift(reader.rowOf(item).packets));
    assert.equal(order.size, 0);
    bench.close();
    return counts;
  }
  const syn = (sequence: number): Uint8Array => forth({ flags: TCP_SYN, sequence, acknowledgement: 0 });
  const synAck = (sequence: number, acknowledgement: number): Uint8Array =>
    back({ flags: TCP_SYN | TCP_ACK, sequence, acknowledgement });

  // What tshark does with each of these was looked at; see the comparison with it in ../replay.
  const cases: readonly (readonly [
    name: string,
    frames: readonly Uint8Array[],
    wanted: readonly number[],
  ])[] = [
    ['a SYN again', [syn(100), syn(100)], [2]],
    ['another SYN', [syn(100), syn(200)], [1, 1]],
    ['a SYN again after FIN', [syn(100), forth({ flags: TCP_FIN | TCP_ACK, sequence: 101 }), syn(100)], [3]],
    ['a SYN that fits what was seen before it', [forth({ sequence: 1 }), syn(0)], [2]],
    ['a SYN that does not', [forth({ sequence: 1 }), syn(1)], [1, 1]],
    ['a SYN that fits an acknowledgement', [back({ acknowledgement: 5 }), syn(4)], [2]],
    ['a SYN that does not', [back({ acknowledgement: 5 }), syn(5)], [1, 1]],
    ['a SYN after a packet without acknowledgement', [back({ flags: 0 }), syn(5)], [2]],
    ['SYN ACK never begins one', [syn(100), synAck(500, 101), synAck(700, 101)], [3]],
    ['an answer sets the number', [forth({ sequence: 3 }), forth({ flags: 18, sequence: 0 }), syn(0)], [3]],
    ['late packets go to the present use', [syn(100), syn(200), forth({ sequence: 101 }), back()], [1, 3]],
    ['back to an old number', [syn(100), synAck(1, 101), syn(200), synAck(2, 201), syn(100)], [2, 2, 1]],
    ['the other end begins', [syn(100), synAck(500, 101), back({ flags: TCP_SYN, sequence: 900 })], [2, 1]],
    ['both begin at once', [syn(100), back({ flags: TCP_SYN, sequence: 200 })], [2]],
  ];
  for (const [name, frames, wanted] of cases) {
    test(name, () => assert.deepEqual(uses(frames), wanted));
    test(`${name}: a second pass counts into the same`, () => {
      assert.deepEqual(
        uses(frames, 3),
        wanted.map((count) => count * 3),
      );
    });
  }
});

suite('against a Map', () => {
  interface Model {
    packets: number;
    bytes: number;
  }
  const address = fc.nat(3).map((last) => `10.0.0.${last}`);
  const port = fc.nat(2);
  const packet = fc.record({
    from: address,
    to: address,
    source: port,
    destination: port,
    isTcp: fc.boolean(),
    bytes: fc.nat(100_000),
  });

  test('the same sums', () => {
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 200 }), (all) => {
        const bench = setUp(2 << 20);
        const model = new Map<string, Model>();
        for (const { from, to, source, destination, isTcp, bytes } of all) {
          const ports = { from: source, to: destination };
          bench.count(isTcp ? tcpFrame(from, to, ports) : udpFrame(from, to, ports), { bytes });
          const ends = [`${from}:${source}`, `${to}:${destination}`].sort();
          const key = `${isTcp ? 'tcp' : 'udp'} ${ends.join(' ')}`;
          const entry = model.get(key) ?? { packets: 0, bytes: 0 };
          entry.packets++;
          entry.bytes += bytes;
          model.set(key, entry);
        }
        const found = new Map(
          bench
            .rows()
            .map(({ protocol, a, b, packets, bytes }) => [
              `${protocol} ${[a, b].sort().join(' ')}`,
              { packets, bytes },
            ]),
        );
        assert.deepEqual(found, model);
        bench.close();
      }),
      { numRuns: 50 },
    );
  });
});

suite('growing', () => {
  test('an index that has doubled several times finds everything', () => {
    const bench = setUp(16 << 20);
    const count = 10_000;
    for (let round = 0; round < 2; round++) {
      for (let port = 1; port <= count; port++) assert.ok(bench.count(udpFrame(A, B, { from: port, to: 1 })));
    }
    assert.equal(bench.table.udp, count);
    const index = bench.memory.stats().zones.find(({ name }) => name === 'conversation_index');
    assert.ok((index?.used ?? 0) > 8);
    for (const { packets } of bench.rows()) assert.equal(packets, 2);
    bench.close();
  });

  test('without memory it says so, and what was counted stays', () => {
    const bench = setUp(1 << 20);
    let port = 1;
    while (bench.count(udpFrame(A, B, { from: port, to: 1 }))) port++;
    assert.ok(port > 1000);
    assert.equal(bench.table.udp, port - 1);
    assert.ok(bench.count(udpFrame(A, B, { from: 1, to: 1 })));
    assert.equal(bench.rows()[0]?.packets, 2);
    bench.close();
  });
});

suite('the top', () => {
  const row = (bytes: number, packets: number, a: string): ConversationRow => ({
    protocol: 'tcp',
    a,
    b: 'b',
    packets,
    bytes,
    packetsAB: 0,
    bytesAB: 0,
  });

  test('most bytes, then most packets, then by name', () => {
    const rows = [row(1, 1, 'x'), row(2, 1, 'b'), row(2, 1, 'a'), row(2, 3, 'z')];
    assert.deepEqual(
      rows.sort(compareRows).map(({ a }) => a),
      ['z', 'a', 'b', 'x'],
    );
  });

  test('of several lists, no more than asked for', () => {
    const bench = setUp();
    for (let port = 1; port <= 20; port++)
      bench.count(udpFrame(A, B, { from: port, to: 1 }), { bytes: port });
    const reader = createConversationReader(bench.memory);
    const top = (count: number): number[] =>
      topRows(reader, [bench.table.first, 0], count).map(({ bytes }) => bytes);
    assert.deepEqual(top(3), [20, 19, 18]);
    assert.deepEqual(top(0), []);
    assert.equal(top(1000).length, 20);
    bench.close();
  });
});

suite('addresses', () => {
  const six = (...words: number[]): string => formatIpv6(Int32Array.from(words));

  test('IPv4', () => {
    assert.equal(formatEndpoint(Int32Array.of(0xfffefd00 | 0), 65535), '255.254.253.0:65535');
  });

  test('IPv6', () => {
    assert.equal(six(0, 0, 0, 0), '::');
    assert.equal(six(0, 0, 0, 1), '::1');
    assert.equal(six(0xfe800000 | 0, 0, 0, 0), 'fe80::');
    assert.equal(six(0x20010db8, 0, 1, 1), '2001:db8::1:0:1');
    assert.equal(six(0x20010db8, 0x00010000, 0x00010001, 0x00010001), '2001:db8:1:0:1:1:1:1');
    assert.equal(six(0x00010000, 1, 0x00010000, 1), '1::1:1:0:0:1');
    assert.equal(six(0x20010db8, 0x00010002, 0x00030004, 0x00050006), '2001:db8:1:2:3:4:5:6');
    assert.equal(six(0, 0, 0xffff, 0x0a000001), '::ffff:10.0.0.1');
    assert.equal(formatEndpoint(Int32Array.of(0, 0, 0, 1), 53), '[::1]:53');
  });
});
