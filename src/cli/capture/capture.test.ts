import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { CaptureError } from '../errors.js';
import {
  type Block,
  type Bytes,
  type CapturedPacket,
  concat,
  filler,
  pcap,
  pcapng,
  u32be,
} from '../testing/captures.test-kit.js';
import { scanAll } from '../testing/scan.test-kit.js';
import { LINK_ETHERNET, LINK_OTHER, LINK_RAW } from './links.js';

const SIZES = [0, 1, 3, 60, 1514, 9000, 16_400, 66_000];
const packets: CapturedPacket[] = SIZES.map((size) => ({ data: filler(size), originalLength: size + 5 }));
const expected = packets.map(({ data, originalLength }) => ({
  data,
  original: originalLength ?? data.length,
  link: LINK_ETHERNET,
}));
/** Cluster sizes that cut headers and packets in every place, and those that are used. */
const CLUSTERS = [7, 16, 24, 61, 2048, 4096, 16_384, 1 << 20];

function assertScans(file: Bytes, wanted: readonly object[]): void {
  for (const clusterBytes of CLUSTERS) {
    assert.deepEqual(scanAll(file, clusterBytes), wanted, `clusters of ${clusterBytes} bytes`);
  }
}

function refusal(file: Bytes): { offset: number; reason: string } {
  const found = CLUSTERS.map((clusterBytes) => {
    try {
      scanAll(file, clusterBytes);
    } catch (error) {
      assert.ok(error instanceof CaptureError, String(error));
      return { offset: error.offset, reason: error.reason };
    }
    return assert.fail(`clusters of ${clusterBytes} bytes: nothing was refused`);
  });
  // Where the file was cut into clusters must not show.
  for (const each of found) assert.deepEqual(each, found[0]);
  return found[0] as { offset: number; reason: string };
}

function assertRefused(file: Bytes, offset: number, reason: RegExp): void {
  const found = refusal(file);
  assert.equal(found.offset, offset, found.reason);
  assert.match(found.reason, reason);
}

suite('pcap', () => {
  for (const bigEndian of [false, true]) {
    for (const nanoseconds of [false, true]) {
      const order = bigEndian ? 'big endian' : 'little endian';
      test(`${order}, ${nanoseconds ? 'nanoseconds' : 'microseconds'}`, () => {
        assertScans(pcap(packets, { bigEndian, nanoseconds }), expected);
      });
    }
  }

  test('a file without packets', () => assertScans(pcap([]), []));

  test('other link types', () => {
    const [packet] = packets.slice(3);
    assert.ok(packet);
    assert.equal(scanAll(pcap([packet], { link: 101 }), 2048)[0]?.link, LINK_RAW);
    assert.equal(scanAll(pcap([packet], { link: 147 }), 2048)[0]?.link, LINK_OTHER);
    // The upper half of the word tells of a checksum at the end of frames.
    assert.equal(scanAll(pcap([packet], { link: 0x14000001 }), 2048)[0]?.link, LINK_ETHERNET);
  });

  test('a snap length that lies does no harm', () => {
    assertScans(pcap(packets, { snapLength: 4 }), expected);
    assertScans(pcap(packets, { snapLength: 0xffffffff }), expected);
  });

  test('an original length that is shorter than the packet is taken as it is', () => {
    const odd = [{ data: filler(100), originalLength: 20 }];
    assertScans(pcap(odd), [{ data: filler(100), original: 20, link: LINK_ETHERNET }]);
  });

  test('an original length that fills the word', () => {
    const odd = [{ data: filler(10), originalLength: 0xffffffff }];
    assertScans(pcap(odd), [{ data: filler(10), original: 0xffffffff, link: LINK_ETHERNET }]);
  });

  test('refuses what cannot be', () => {
    const one = pcap([{ data: filler(100) }]);
    assertRefused(one.subarray(0, 0), 0, /empty/);
    assertRefused(one.subarray(0, 5), 5, /too short/);
    assertRefused(one.subarray(0, 23), 23, /inside its header of 24 bytes/);
    assertRefused(one.subarray(0, 39), 39, /inside the header of a record/);
    assertRefused(one.subarray(0, 139), 24, /longer than the file.* 1 bytes too early/);
    assertRefused(one.subarray(0, 40), 24, /longer than the file.* 100 bytes too early/);
    assertRefused(pcap([], { version: [3, 0] }), 4, /version 3\.0/);
    assertRefused(filler(100), 0, /not a pcap or pcapng capture: it begins with 03 0a 11 18/);
    assertRefused(concat([0x1f, 0x8b, 8, 0], filler(100)), 0, /gzip/);
  });

  test('refuses a record that claims more than any packet', () => {
    const absurd = pcap(packets.slice(0, 3)).slice();
    // The captured length of the second record.
    new DataView(absurd.buffer).setUint32(24 + 16 + 8, 0xfffffff0, true);
    assertRefused(absurd, 40, /4294967280 captured bytes/);
    const tooLong = pcap([{ data: filler(262_145) }]);
    assertRefused(tooLong, 24, /262145 captured bytes/);
    assert.equal(scanAll(pcap([{ data: filler(262_144) }]), 16_384).length, 1);
  });
});

/** Blocks of all kinds, in two sections of different byte order. */
function mixedBlocks(bigEndian: boolean): Block[] {
  return [
    { kind: 'section', bigEndian },
    { kind: 'interface', link: 101, options: filler(12) },
    { kind: 'unknown', type: 0x0bad, body: filler(3000) },
    { kind: 'interface', link: 1 },
    ...packets.map((packet): Block => ({ kind: 'packet', interface: 1, packet, options: filler(9) })),
    { kind: 'packet', interface: 0, packet: { data: filler(20) } },
    { kind: 'simple', packet: { data: filler(21) } },
    { kind: 'obsolete', interface: 1, packet: { data: filler(22), originalLength: 30 } },
    { kind: 'unknown', type: 5, body: filler(1) },
    { kind: 'section', bigEndian: !bigEndian },
    { kind: 'interface', link: 1, snapLength: 10 },
    { kind: 'simple', packet: { data: filler(10), originalLength: 500 } },
    { kind: 'packet', packet: { data: filler(23) } },
  ];
}

const mixedExpected = [
  ...expected,
  { data: filler(20), original: 20, link: LINK_RAW },
  { data: filler(21), original: 21, link: LINK_RAW },
  { data: filler(22), original: 30, link: LINK_ETHERNET },
  { data: filler(10), original: 500, link: LINK_ETHERNET },
  { data: filler(23), original: 23, link: LINK_ETHERNET },
];

suite('pcapng', () => {
  test('interfaces, unknown blocks, all kinds of packet blocks, sections of both orders', () => {
    assertScans(pcapng(mixedBlocks(false)), mixedExpected);
    assertScans(pcapng(mixedBlocks(true)), mixedExpected);
  });

  test('a section without anything', () => assertScans(pcapng([{ kind: 'section' }]), []));

  const section: Block = { kind: 'section' };
  const ethernet: Block = { kind: 'interface' };
  const packet: Block = { kind: 'packet', packet: { data: filler(40) } };
  /** Where the third block begins, and where its fields are. */
  const THIRD = 28 + 20;

  test('refuses a packet of an interface that is not there', () => {
    assertRefused(pcapng([section, packet]), 28, /interface 0, which the section has not described/);
    const second: Block = { kind: 'packet', interface: 7, packet: { data: filler(4) } };
    assertRefused(pcapng([section, ethernet, second]), THIRD, /interface 7/);
    assertRefused(pcapng([section, { kind: 'simple', packet: { data: filler(4) } }]), 28, /interface 0/);
    // A new section has to describe its own.
    assertRefused(pcapng([section, ethernet, section, packet]), THIRD + 28, /interface 0/);
  });

  test('refuses lengths that cannot be', () => {
    const spoilt = (at: number, value: number): Bytes => {
      const file = pcapng([section, ethernet, packet]);
      new DataView(file.buffer).setUint32(at, value, true);
      return file;
    };
    for (const length of [0, 4, 12, 28, 31, 73, 0xffffffff]) {
      assertRefused(spoilt(THIRD + 4, length), THIRD, /a packet block cannot be \d+ bytes long/);
    }
    assertRefused(spoilt(4, 24), 0, /a section header block cannot be 24 bytes long/);
    assertRefused(spoilt(28 + 4, 16), 28, /an? interface description block cannot be 16 bytes long/);
    assertRefused(spoilt(THIRD + 4, 76), THIRD, /says 76 bytes at its start|inside this packet block/);
    assertRefused(spoilt(THIRD + 20, 41), THIRD, /41 captured bytes does not fit a block of 72/);
    assertRefused(spoilt(THIRD + 20, 300_000), THIRD, /300000 captured bytes/);
    assertRefused(spoilt(THIRD + 68, 71), THIRD, /72 bytes at its start and 71 at its end/);
    assertRefused(spoilt(8, 0x12345678), 8, /78 56 34 12 is not the byte-order magic/);
    assertRefused(spoilt(12, 2), 12, /version 2\.0/);
  });

  test('refuses a simple packet that does not fit its block', () => {
    const file = pcapng([
      section,
      ethernet,
      { kind: 'simple', packet: { data: filler(8), originalLength: 9 } },
    ]);
    assertRefused(file, THIRD, /9 captured bytes does not fit a block of 24/);
  });

  test('refuses a file that ends inside a block', () => {
    const file = pcapng([section, ethernet, packet]);
    assertRefused(
      file.subarray(0, file.length - 1),
      THIRD,
      /ends at byte 119, inside this packet block of 72/,
    );
    assertRefused(file.subarray(0, THIRD + 5), THIRD + 5, /inside the header of a block/);
    assertRefused(file.subarray(0, 20), 0, /inside this section header block/);
  });

  test('refuses a block that is longer than the file', () => {
    const file = concat(pcapng([section]), pcapng([{ kind: 'unknown', type: 99, body: filler(8) }]));
    new DataView(file.buffer).setUint32(32, 4_000_000, true);
    assertRefused(file, 28, /inside this 0x63 block of 4000000 bytes/);
  });
});

suite('any bytes', () => {
  /** Scans, or refuses; nothing else, and the same whatever stands around the clusters. */
  function survives(file: Bytes, clusterBytes: number): void {
    const outcome = (poison: number): unknown => {
      try {
        return scanAll(file, clusterBytes, poison);
      } catch (error) {
        assert.ok(error instanceof CaptureError, (error as Error).stack);
        return error.message;
      }
    };
    assert.deepEqual(outcome(0), outcome(0xff));
  }

  const wholes = [
    pcap(packets.slice(0, 5)),
    pcap(packets.slice(0, 5), { bigEndian: true }),
    pcapng(mixedBlocks(false).slice(0, 9)),
    pcapng(mixedBlocks(true).slice(0, 9)),
  ];
  const clusterBytes = fc.constantFrom(13, 64, 2048, 16_384);

  test('random bytes after a magic', () => {
    const magics = [u32be(0xa1b2c3d4), u32be(0xd4c3b2a1), u32be(0x0a0d0d0a), []];
    const file = fc
      .tuple(fc.constantFrom(...magics), fc.uint8Array({ maxLength: 300 }))
      .map(([magic, rest]) => concat(magic, rest));
    fc.assert(fc.property(file, clusterBytes, survives), { numRuns: 300 });
  });

  test('captures with some bytes changed, then cut', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom(...wholes), changes, fc.nat(), clusterBytes, (whole, spoils, cut, size) => {
        const file = whole.slice(0, cut % (whole.length + 1));
        // Headers are at the beginning more often than not.
        for (const [at, value] of spoils) if (file.length > 0) file[at % Math.min(200, file.length)] = value;
        survives(file, size);
      }),
      { numRuns: 500 },
    );
  });

  test('packets of any size in clusters of any size', () => {
    const sizes = fc.array(fc.nat(3000), { maxLength: 20 });
    fc.assert(
      fc.property(
        sizes,
        fc.integer({ min: 1, max: 5000 }),
        fc.boolean(),
        fc.boolean(),
        (all, size, big, ng) => {
          const made = all.map((each) => ({ data: filler(each) }));
          const blocks: Block[] = [
            { kind: 'section', bigEndian: big },
            { kind: 'interface' },
            ...made.map((packet): Block => ({ kind: 'packet', packet })),
          ];
          const file = ng ? pcapng(blocks) : pcap(made, { bigEndian: big });
          const wanted = made.map(({ data }) => ({ data, original: data.length, link: LINK_ETHERNET }));
          assert.deepEqual(scanAll(file, size), wanted);
        },
      ),
    );
  });
});
