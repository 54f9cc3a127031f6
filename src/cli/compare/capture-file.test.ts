import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { LINK_ETHERNET, LINK_RAW } from '../capture/links.js';
import { InputError } from '../errors.js';
import {
  type Block,
  type Bytes,
  type CapturedPacket,
  filler,
  pcap,
  pcapng,
} from '../testing/captures.test-kit.js';
import { CaptureFile } from './capture-file.js';
import { createChunk, PACKET_NUMBERS } from './chunk.js';

const folder = mkdtempSync(join(tmpdir(), 'mbuma-compare-'));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'capture');

interface Found {
  readonly data: string;
  readonly original: number;
  readonly link: number;
}

function read(bytes: Bytes, chunkBytes: number): Found[] {
  writeFileSync(path, bytes);
  const file = new CaptureFile(path);
  const batch = createChunk(chunkBytes);
  const found: Found[] = [];
  try {
    while (file.fill(batch)) {
      for (let line = 0; line < batch.count; line++) {
        const at = line * PACKET_NUMBERS;
        const [start = 0, captured = 0, original = 0, link = 0] = batch.packets.subarray(at, at + 4);
        found.push({ data: Buffer.from(batch.bytes, start, captured).toString('hex'), original, link });
      }
    }
  } finally {
    file.close();
  }
  return found;
}

const packets: readonly CapturedPacket[] = [0, 1, 60, 61, 62, 63, 150, 4].map((length) => ({
  data: filler(length),
  originalLength: length + 5,
}));
const found = (of: readonly CapturedPacket[], link = LINK_ETHERNET): Found[] =>
  of.map(({ data, originalLength = data.length }) => ({
    data: Buffer.from(data).toString('hex'),
    original: originalLength,
    link,
  }));

/** Sizes of chunks that cut records everywhere. */
const chunkSizes = [256, 257, 300, 511, 4096];

for (const bigEndian of [false, true]) {
  for (const nanoseconds of [false, true]) {
    const name = `${bigEndian ? 'big' : 'little'} endian, ${nanoseconds ? 'nano' : 'micro'}seconds`;
    test(`reads pcap, ${name}`, () => {
      for (const chunkBytes of chunkSizes) {
        assert.deepEqual(read(pcap(packets, { bigEndian, nanoseconds }), chunkBytes), found(packets));
      }
    });
  }
}

const [first = { data: filler(1) }, , third = { data: filler(60) }] = packets;
const blocks: readonly Block[] = [
  { kind: 'section' },
  { kind: 'interface', snapLength: 40 },
  { kind: 'interface', link: 101, options: filler(8) },
  { kind: 'packet', packet: third, options: filler(12) },
  { kind: 'unknown', type: 0xbad, body: filler(3000) },
  { kind: 'packet', interface: 1, packet: first, options: filler(700) },
  { kind: 'simple', packet: { data: filler(40), originalLength: 90 } },
  { kind: 'obsolete', interface: 1, packet: third },
  { kind: 'section', bigEndian: true },
  { kind: 'interface', link: 101 },
  { kind: 'packet', packet: third },
];

test('reads pcapng: byte orders, interfaces, blocks of every kind', () => {
  const expected = [
    ...found([third]),
    ...found([first], LINK_RAW),
    ...found([{ data: filler(40), originalLength: 90 }]),
    ...found([third, third], LINK_RAW),
  ];
  for (const chunkBytes of chunkSizes) assert.deepEqual(read(pcapng(blocks), chunkBytes), expected);
});

test('refuses what is no capture, naming file and place', () => {
  const capture = pcap(packets);
  const refusals: [string, Bytes, RegExp][] = [
    ['empty', new Uint8Array(0), /the file is empty/],
    ['short', capture.subarray(0, 20), /offset 20: the file is too short/],
    ['foreign', filler(100), /offset 0: not a pcap or pcapng capture/],
    ['cut', capture.subarray(0, capture.length - 1), /the file ends inside a record/],
    ['version', pcap([], { version: [3, 0] }), /offset 4: pcap version 3/],
    ['lying', Buffer.concat([pcap([]), Buffer.alloc(16, 0xff)]), /offset 24: 4294967295 captured bytes/],
    ['cut block', pcapng(blocks).subarray(0, 200), /the file ends inside a record/],
    [
      'no interface',
      pcapng([{ kind: 'section' }, { kind: 'packet', packet: first }]),
      /offset 28: interface 0/,
    ],
    ['block length', Buffer.concat([pcapng([{ kind: 'section' }]), Buffer.alloc(12)]), /offset 28: a block/],
    ['section version', pcapng([{ kind: 'section', version: [2, 0] }]), /offset 12: pcapng version 2/],
  ];
  for (const [name, bytes, reason] of refusals) {
    assert.throws(
      () => read(bytes, 4096),
      (error) => error instanceof InputError && error.message.startsWith(path) && reason.test(error.message),
      name,
    );
  }
});

test('refuses a file that is not there, and a folder', () => {
  assert.throws(() => new CaptureFile(join(folder, 'none')), /none: ENOENT/);
  const file = new CaptureFile(folder);
  assert.throws(() => file.fill(createChunk(256)), /EISDIR/);
  file.close();
});
