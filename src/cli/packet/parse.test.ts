import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import {
  LINK_ETHERNET,
  LINK_LINUX,
  LINK_LINUX_2,
  LINK_LOOPBACK,
  LINK_OTHER,
  LINK_RAW,
} from '../capture/links.js';
import {
  type Bytes,
  concat,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ethernet,
  filler,
  fragmentHeader,
  ipv4,
  ipv6,
  tcp,
  tcpFrame,
  u16be,
  udp,
  udpFrame,
} from '../testing/captures.test-kit.js';
import {
  CLASS_CUT,
  CLASS_FRAGMENT,
  CLASS_NOT_IP,
  CLASS_OTHER_IP,
  CLASS_TCP,
  CLASS_UDP,
  FIELD_ACKNOWLEDGEMENT,
  FIELD_BACKWARD,
  FIELD_HASH,
  FIELD_HIGH,
  FIELD_KIND,
  FIELD_LOW,
  FIELD_PORTS,
  FIELD_SEQUENCE,
  FIELD_TCP_FLAGS,
} from './fields.js';
import { createPacketParser } from './parse.js';

const A = '10.0.0.1';
const B = '200.0.0.2';
const SIX_A = '2001:db8::1';
const SIX_B = '2001:db8::2';

interface Parsed {
  readonly found: number;
  readonly fields: readonly number[];
}

/**
 * Parses twice, with different bytes around the packet: neither the answer nor the fields may depend on them.
 */
function parse(packet: Bytes, link: number = LINK_ETHERNET): Parsed {
  const [first, second] = [0, 0xff].map((poison) => {
    const bytes = new Uint8Array(packet.length + 200).fill(poison);
    bytes.set(packet, 100);
    const parser = createPacketParser(bytes, 12345);
    const found = parser.parse(100, 100 + packet.length, link);
    const isCounted = (found & CLASS_TCP) !== 0;
    // Sequence numbers are there for TCP only.
    const fields = isCounted ? [...parser.fields.subarray(0, (found & 3) === CLASS_TCP ? 15 : 12)] : [];
    return { found, fields };
  });
  assert.deepEqual(first, second);
  return first as Parsed;
}

function classOf(packet: Bytes, link: number = LINK_ETHERNET): number {
  return parse(packet, link).found;
}

const segment = tcp({ from: 1000, to: 80 });
const datagram = udp({ from: 1000, to: 53, payload: filler(10) });
const tcp4 = ipv4({ from: A, to: B, protocol: 6, payload: segment });
const udp4 = ipv4({ from: A, to: B, protocol: 17, payload: datagram });
const tcp6 = ipv6({ from: SIX_A, to: SIX_B, protocol: 6, payload: segment });
const udp6 = ipv6({ from: SIX_A, to: SIX_B, protocol: 17, payload: datagram });

suite('the key', () => {
  test('IPv4: ends in order, whoever speaks', () => {
    const there = parse(tcpFrame(A, B, { from: 1000, to: 80, flags: 18, sequence: 7, acknowledgement: 9 }));
    const back = parse(tcpFrame(B, A, { from: 80, to: 1000 }));
    assert.equal(there.found, CLASS_TCP);
    assert.equal(there.fields[FIELD_KIND], (4 << 8) | 6);
    // 200.0.0.2 is negative as a word, hence the low end.
    assert.equal((there.fields[FIELD_LOW] as number) >>> 0, 0xc8000002);
    assert.equal((there.fields[FIELD_HIGH] as number) >>> 0, 0x0a000001);
    assert.equal(there.fields[FIELD_PORTS], (80 << 16) | 1000);
    assert.equal(there.fields[FIELD_BACKWARD], 1);
    assert.equal(there.fields[FIELD_TCP_FLAGS], 18);
    assert.equal(there.fields[FIELD_SEQUENCE], 7);
    assert.equal(there.fields[FIELD_ACKNOWLEDGEMENT], 9);
    assert.equal(back.fields[FIELD_BACKWARD], 0);
    assert.equal(back.fields[FIELD_HASH], there.fields[FIELD_HASH]);
    assert.deepEqual(back.fields.slice(0, FIELD_BACKWARD), there.fields.slice(0, FIELD_BACKWARD));
  });

  test('IPv6', () => {
    const there = parse(ethernet(ETHERTYPE_IPV6, udp6));
    const answer = ipv6({ from: SIX_B, to: SIX_A, protocol: 17, payload: udp({ from: 53, to: 1000 }) });
    const back = parse(ethernet(ETHERTYPE_IPV6, answer));
    assert.equal(there.found, CLASS_UDP);
    assert.equal(there.fields[FIELD_KIND], (6 << 8) | 17);
    assert.deepEqual(there.fields.slice(FIELD_LOW, FIELD_LOW + 4), [0x20010db8, 0, 0, 1]);
    assert.deepEqual(there.fields.slice(FIELD_HIGH, FIELD_HIGH + 4), [0x20010db8, 0, 0, 2]);
    assert.equal(there.fields[FIELD_PORTS], (1000 << 16) | 53);
    assert.equal(there.fields[FIELD_BACKWARD], 0);
    assert.equal(back.fields[FIELD_BACKWARD], 1);
    assert.deepEqual(back.fields.slice(0, FIELD_BACKWARD), there.fields.slice(0, FIELD_BACKWARD));
  });

  test('the same address at both ends: the ports say which is which', () => {
    const there = parse(udpFrame(A, A, { from: 5, to: 6 }));
    const back = parse(udpFrame(A, A, { from: 6, to: 5 }));
    assert.deepEqual(there.fields.slice(0, FIELD_BACKWARD), back.fields.slice(0, FIELD_BACKWARD));
    assert.notEqual(there.fields[FIELD_BACKWARD], back.fields[FIELD_BACKWARD]);
  });

  test('the hash tells protocol, addresses, ports and seed apart', () => {
    const hashes = new Set<number>();
    const frames = [
      tcpFrame(A, B, { from: 1, to: 2 }),
      udpFrame(A, B, { from: 1, to: 2 }),
      udpFrame(A, B, { from: 1, to: 3 }),
      udpFrame(A, '200.0.0.3', { from: 1, to: 2 }),
      udpFrame(B, A, { from: 1, to: 2 }),
    ];
    for (const seed of [1, 2]) {
      for (const frame of frames) {
        const parser = createPacketParser(frame, seed);
        parser.parse(0, frame.length, LINK_ETHERNET);
        hashes.add(parser.fields[FIELD_HASH] as number);
      }
    }
    assert.equal(hashes.size, 10);
  });
});

suite('links', () => {
  test('Ethernet with VLAN tags', () => {
    for (const type of [0x8100, 0x88a8, 0x9100]) {
      assert.equal(classOf(ethernet(ETHERTYPE_IPV4, tcp4, [{ type, id: 5 }])), CLASS_TCP);
    }
    const stack = [0x88a8, 0x8100, 0x8100, 0x8100].map((type, id) => ({ type, id }));
    assert.equal(classOf(ethernet(ETHERTYPE_IPV6, udp6, stack)), CLASS_UDP);
    assert.equal(classOf(ethernet(ETHERTYPE_ARP, filler(28), stack)), CLASS_NOT_IP);
  });

  test('IEEE 802.3 with LLC', () => {
    const snap = (type: number, payload: Bytes): Bytes =>
      concat([0xaa, 0xaa, 3, 0, 0, 0], u16be(type), payload);
    const framed = (payload: Bytes): Bytes => ethernet(payload.length, payload);
    assert.equal(classOf(framed(snap(ETHERTYPE_IPV4, tcp4))), CLASS_TCP);
    assert.equal(classOf(framed(snap(ETHERTYPE_IPV6, udp6))), CLASS_UDP);
    assert.equal(classOf(framed(concat([6, 6, 3], tcp4))), CLASS_TCP);
    assert.equal(classOf(framed(concat([0x42, 0x42, 3], filler(40)))), CLASS_NOT_IP);
    assert.equal(classOf(framed(snap(ETHERTYPE_ARP, filler(28)))), CLASS_NOT_IP);
    // The length says that the datagram ends before its ports.
    assert.equal(classOf(ethernet(20, snap(ETHERTYPE_IPV4, tcp4))), CLASS_OTHER_IP | CLASS_CUT);
  });

  test('raw, Linux, loopback', () => {
    assert.equal(classOf(tcp4, LINK_RAW), CLASS_TCP);
    assert.equal(classOf(udp6, LINK_RAW), CLASS_UDP);
    assert.equal(classOf(concat(new Uint8Array(14), [8, 0], tcp4), LINK_LINUX), CLASS_TCP);
    assert.equal(
      classOf(concat(new Uint8Array(14), [0x81, 0, 0, 1, 0x86, 0xdd], tcp6), LINK_LINUX),
      CLASS_TCP,
    );
    assert.equal(classOf(concat([8, 0], new Uint8Array(18), udp4), LINK_LINUX_2), CLASS_UDP);
    for (const family of [
      [2, 0, 0, 0],
      [0, 0, 0, 2],
      [0, 0, 0, 24],
      [28, 0, 0, 0],
      [30, 0, 0, 0],
    ]) {
      const packet = family.includes(2) ? tcp4 : tcp6;
      assert.equal(classOf(concat(family, packet), LINK_LOOPBACK), CLASS_TCP, String(family));
    }
    assert.equal(classOf(concat([7, 0, 0, 0], tcp4), LINK_LOOPBACK), CLASS_NOT_IP);
    assert.equal(classOf(tcp4, LINK_OTHER), CLASS_NOT_IP);
  });
});

suite('IPv4', () => {
  const framed = (fields: Partial<Parameters<typeof ipv4>[0]>): Bytes =>
    ethernet(ETHERTYPE_IPV4, ipv4({ from: A, to: B, protocol: 6, payload: segment, ...fields }));

  test('options', () => {
    assert.equal(classOf(framed({ options: new Uint8Array(40).fill(1) })), CLASS_TCP);
  });

  test('fragments: only the first has ports', () => {
    assert.equal(classOf(framed({ moreFragments: true })), CLASS_TCP | CLASS_FRAGMENT);
    assert.equal(
      classOf(framed({ moreFragments: true, fragmentOffset: 3 })),
      CLASS_OTHER_IP | CLASS_FRAGMENT,
    );
    assert.equal(classOf(framed({ fragmentOffset: 3 })), CLASS_OTHER_IP | CLASS_FRAGMENT);
  });

  test('other protocols', () => {
    for (const protocol of [0, 1, 2, 4, 41, 47, 50, 132, 255]) {
      assert.equal(classOf(framed({ protocol })), CLASS_OTHER_IP, String(protocol));
    }
  });

  test('padding behind the packet is not looked at', () => {
    const short = ipv4({ from: A, to: B, protocol: 17, payload: filler(4) });
    assert.equal(classOf(ethernet(ETHERTYPE_IPV4, concat(short, filler(40)))), CLASS_OTHER_IP);
    assert.equal(classOf(concat(ethernet(ETHERTYPE_IPV4, udp4), filler(6))), CLASS_UDP);
  });

  test('headers that lie', () => {
    assert.equal(classOf(framed({ version: 5 })), CLASS_OTHER_IP);
    assert.equal(classOf(framed({ headerWords: 4 })), CLASS_OTHER_IP);
    assert.equal(classOf(framed({ totalLength: 19 })), CLASS_OTHER_IP);
    // Segmentation offload leaves 0.
    assert.equal(classOf(framed({ totalLength: 0 })), CLASS_TCP);
    assert.equal(classOf(framed({ totalLength: 60_000 })), CLASS_TCP);
    assert.equal(classOf(framed({ headerWords: 15 })), CLASS_OTHER_IP);
    assert.equal(classOf(framed({ headerWords: 15, totalLength: 0 })), CLASS_OTHER_IP | CLASS_CUT);
    assert.equal(classOf(ethernet(ETHERTYPE_IPV6, tcp4)), CLASS_OTHER_IP);
    assert.equal(classOf(ethernet(ETHERTYPE_IPV4, tcp6)), CLASS_TCP);
  });
});

suite('IPv6', () => {
  const framed = (fields: Partial<Parameters<typeof ipv6>[0]>): Bytes =>
    ethernet(ETHERTYPE_IPV6, ipv6({ from: SIX_A, to: SIX_B, protocol: 6, payload: segment, ...fields }));
  const padding = (type: number, units: number): { type: number; body: Bytes } => {
    const body = new Uint8Array(6 + 8 * units);
    body.set([1, body.length - 2]);
    return { type, body };
  };

  test('extension headers, alone and in a row', () => {
    for (const type of [0, 43, 60, 140]) {
      assert.equal(classOf(framed({ extensions: [padding(type, 2)] })), CLASS_TCP, String(type));
    }
    const authentication = { type: 51, lengthByte: 4, body: new Uint8Array(22) };
    const all = [padding(0, 0), padding(60, 3), padding(43, 1), fragmentHeader(0, false), authentication];
    assert.equal(classOf(framed({ extensions: all })), CLASS_TCP);
  });

  test('fragments: only the first has ports', () => {
    const fragment = (offset: number, more: boolean): number =>
      classOf(framed({ extensions: [padding(0, 0), fragmentHeader(offset, more)] }));
    assert.equal(fragment(0, true), CLASS_TCP | CLASS_FRAGMENT);
    assert.equal(fragment(9, true), CLASS_OTHER_IP | CLASS_FRAGMENT);
    assert.equal(fragment(9, false), CLASS_OTHER_IP | CLASS_FRAGMENT);
    // A header that says that there is only this one.
    assert.equal(fragment(0, false), CLASS_TCP);
  });

  test('what ends the headers', () => {
    for (const protocol of [59, 50, 58, 135, 139, 4]) {
      assert.equal(classOf(framed({ protocol })), CLASS_OTHER_IP, String(protocol));
    }
  });

  test('lengths that lie', () => {
    assert.equal(classOf(framed({ payloadLength: 0 })), CLASS_OTHER_IP);
    assert.equal(classOf(framed({ payloadLength: 19 })), CLASS_OTHER_IP);
    assert.equal(classOf(framed({ payloadLength: 60_000 })), CLASS_TCP);
    const endless = { type: 60, lengthByte: 255, body: new Uint8Array(6) };
    assert.equal(classOf(framed({ extensions: [endless] })), CLASS_OTHER_IP | CLASS_CUT);
  });

  test('jumbo payload: length 0, and a hop-by-hop header', () => {
    assert.equal(classOf(framed({ extensions: [padding(0, 0)], payloadLength: 0 })), CLASS_TCP);
  });
});

suite('TCP and UDP', () => {
  test('TCP: the whole header must be there', () => {
    const options = new Uint8Array(12).fill(1);
    const frame = tcpFrame(A, B, { from: 1, to: 2, options });
    assert.equal(classOf(frame), CLASS_TCP);
    for (let length = 14; length < frame.length; length++) {
      assert.equal(classOf(frame.subarray(0, length)), CLASS_OTHER_IP | CLASS_CUT, String(length));
    }
    for (let length = 0; length < 14; length++) {
      assert.equal(classOf(frame.subarray(0, length)), CLASS_NOT_IP | CLASS_CUT, String(length));
    }
    assert.equal(classOf(tcpFrame(A, B, { from: 1, to: 2, headerWords: 4 })), CLASS_OTHER_IP);
    const beyond = ipv4({ from: A, to: B, protocol: 6, payload: tcp({ from: 1, to: 2, headerWords: 6 }) });
    assert.equal(classOf(ethernet(ETHERTYPE_IPV4, concat(beyond, filler(10)))), CLASS_OTHER_IP);
  });

  test('UDP: the length must hold the header', () => {
    const framed4 = (length: number): Bytes =>
      ethernet(
        ETHERTYPE_IPV4,
        ipv4({ from: A, to: B, protocol: 17, payload: udp({ from: 1, to: 2, length, payload: filler(4) }) }),
      );
    const framed6 = (length: number): Bytes =>
      ethernet(
        ETHERTYPE_IPV6,
        ipv6({ from: SIX_A, to: SIX_B, protocol: 17, payload: udp({ from: 1, to: 2, length }) }),
      );
    for (const length of [8, 9, 12, 500]) assert.equal(classOf(framed4(length)), CLASS_UDP);
    for (const length of [0, 1, 7]) assert.equal(classOf(framed4(length)), CLASS_OTHER_IP);
    assert.equal(classOf(framed6(0)), CLASS_UDP);
    assert.equal(classOf(framed6(7)), CLASS_OTHER_IP);
  });

  test('UDP-Lite counts as UDP', () => {
    const frame = ethernet(ETHERTYPE_IPV4, ipv4({ from: A, to: B, protocol: 136, payload: datagram }));
    const { found, fields } = parse(frame);
    assert.equal(found, CLASS_UDP);
    assert.equal((fields[FIELD_KIND] as number) & 0xff, 17);
  });
});

suite('any bytes', () => {
  const link = fc.constantFrom(LINK_ETHERNET, LINK_RAW, LINK_LINUX, LINK_LINUX_2, LINK_LOOPBACK, LINK_OTHER);
  const wholes = [
    ethernet(ETHERTYPE_IPV4, tcp4),
    ethernet(ETHERTYPE_IPV6, udp6, [{ type: 0x8100, id: 1 }]),
    ethernet(
      ETHERTYPE_IPV6,
      ipv6({ from: SIX_A, to: SIX_B, protocol: 6, payload: segment, extensions: [fragmentHeader(0, true)] }),
    ),
  ];

  // `parse` asserts that nothing outside of the packet matters.
  test('random packets', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), link, (packet, shape) => void parse(packet, shape)),
      { numRuns: 500 },
    );
  });

  test('packets with some bytes changed, then cut', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom(...wholes), changes, fc.nat(), (whole, spoils, cut) => {
        const packet = whole.slice(0, cut % (whole.length + 1));
        for (const [at, value] of spoils) if (packet.length > 0) packet[at % packet.length] = value;
        parse(packet);
      }),
      { numRuns: 1000 },
    );
  });
});
