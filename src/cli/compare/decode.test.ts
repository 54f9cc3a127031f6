import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CLASS_CUT, CLASS_MASK, CLASS_TCP, FIELD_BACKWARD, FIELD_PORTS } from '../packet/fields.js';
import { createPacketParser } from '../packet/parse.js';
import {
  type Bytes,
  ethernet,
  fragmentHeader,
  ipv4,
  ipv6,
  tcp,
  tcpFrame,
  udp,
  udpFrame,
} from '../testing/captures.test-kit.js';
import { decodePacket, flowHash, Headers } from './decode.js';

const LINKS = 6;
const four = { from: '10.0.0.1', to: '10.0.0.2' };
const six = { from: 'fd00::1', to: 'fd00::2' };
const segment = tcp({ from: 80, to: 4000, options: new Uint8Array(4), payload: new Uint8Array(9) });
const datagram = udp({ from: 53, to: 4000, payload: new Uint8Array(3) });
const tags = [
  { type: 0x88a8, id: 5 },
  { type: 0x8100, id: 7 },
];
const llc = (...header: number[]): Bytes =>
  Uint8Array.from([...header, ...ipv4({ ...four, protocol: 17, payload: datagram })]);

const frames: readonly Bytes[] = [
  tcpFrame('1.2.3.4', '5.6.7.8', { from: 1, to: 2 }),
  udpFrame('1.2.3.4', '1.2.3.4', { from: 2, to: 1 }),
  ethernet(0x0800, ipv4({ ...four, protocol: 6, payload: segment, options: new Uint8Array(8) }), tags),
  ethernet(0x0800, ipv4({ ...four, protocol: 6, payload: segment, totalLength: 0 })),
  ethernet(0x0800, ipv4({ ...four, protocol: 17, payload: datagram, moreFragments: true })),
  ethernet(0x0800, ipv4({ ...four, protocol: 17, payload: datagram, fragmentOffset: 3 })),
  ethernet(0x0800, ipv4({ ...four, protocol: 1, payload: datagram })),
  ethernet(0x86dd, ipv6({ ...six, protocol: 6, payload: segment })),
  ethernet(0x86dd, ipv6({ ...six, protocol: 136, payload: udp({ from: 7, to: 8, length: 0 }) })),
  ethernet(
    0x86dd,
    ipv6({
      ...six,
      protocol: 17,
      payload: datagram,
      extensions: [
        { type: 0, body: new Uint8Array(6) },
        { type: 51, body: new Uint8Array(10), lengthByte: 1 },
        fragmentHeader(0, true),
        { type: 60, body: new Uint8Array(14) },
      ],
    }),
  ),
  ethernet(0x86dd, ipv6({ ...six, protocol: 17, payload: datagram, extensions: [fragmentHeader(2, false)] })),
  ethernet(0x0806, new Uint8Array(28)),
  ethernet(40, llc(6, 6, 3)),
  ethernet(44, llc(0xaa, 0xaa, 3, 0, 0, 0, 8, 0)),
  ipv4({ ...four, protocol: 6, payload: segment }),
  ipv6({ ...six, protocol: 17, payload: datagram }),
  Uint8Array.from([2, 0, 0, 0, ...ipv4({ ...four, protocol: 17, payload: datagram })]),
  Uint8Array.from([0, 0, 0, 24, ...ipv6({ ...six, protocol: 17, payload: datagram })]),
];

/** A frame, spoilt in a few places and cut. */
const spoiltFrame = fc
  .tuple(
    fc.constantFrom(...frames),
    fc.array(fc.tuple(fc.nat(90), fc.oneof(fc.nat(255), fc.constantFrom(0, 6, 17, 44, 51, 60, 0x45))), {
      maxLength: 3,
    }),
    fc.nat(200),
  )
  .map(([frame, changes, length]) => {
    const bytes = frame.slice();
    for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
    return length > 120 ? bytes : bytes.subarray(0, length);
  });

/** The frame stands somewhere in a buffer, as it does in a batch. */
function place(frame: Bytes): { buffer: Buffer; view: DataView; start: number; end: number } {
  const buffer = Buffer.alloc(frame.length + 32, 0x45);
  buffer.set(frame, 16);
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  return { buffer, view, start: 16, end: 16 + frame.length };
}

test('decodes every packet as the command does', () => {
  fc.assert(
    fc.property(spoiltFrame, fc.nat(LINKS), (frame, link) => {
      const { buffer, view, start, end } = place(frame);
      const parser = createPacketParser(buffer, 1);
      const headers = new Headers();
      const expected = parser.parse(start, end, link) & ~CLASS_CUT;
      const found = decodePacket(view, start, end, link, headers);
      assert.equal(found, expected);
      if ((found & CLASS_MASK) < CLASS_TCP) return;
      const ports = [view.getUint16(headers.transport), view.getUint16(headers.transport + 2)];
      if (parser.fields[FIELD_BACKWARD] === 1) ports.reverse();
      const [low = 0, high = 0] = ports;
      assert.equal(parser.fields[FIELD_PORTS], (low << 16) | high);
    }),
    { numRuns: 3000 },
  );
});

test('all the frames mean something', () => {
  const headers = new Headers();
  const kinds = frames.map((frame) => {
    const { view, start, end } = place(frame);
    return decodePacket(view, start, end, 1, headers) & CLASS_MASK;
  });
  assert.deepEqual([...new Set(kinds)].sort(), [0, 1, 2, 3]);
});

test('both directions of a conversation have one hash', () => {
  const address = fc.ipV4();
  const port = fc.nat(65535);
  fc.assert(
    fc.property(address, address, port, port, (from, to, fromPort, toPort) => {
      const hashes = [
        tcpFrame(from, to, { from: fromPort, to: toPort }),
        tcpFrame(to, from, { from: toPort, to: fromPort }),
      ].map((frame) => {
        const { view, start, end } = place(frame);
        const headers = new Headers();
        decodePacket(view, start, end, 1, headers);
        return flowHash(view, headers);
      });
      assert.equal(hashes[0], hashes[1]);
    }),
  );
});
