import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  type Block,
  type CapturedPacket,
  concat,
  type PcapOptions,
  pcap,
  pcapng,
} from '../testing/captures.test-kit.js';
import { fileOf, SAMPLE } from '../testing/files.test-kit.js';
import { mixedPackets } from '../testing/mixed.test-kit.js';
import { askTshark, hasTshark, oracleBytes } from '../testing/tshark.test-kit.js';
import { runReplay } from './run.js';

/** Packets, bytes and every conversation are what tshark says. */
async function assertAsTshark(file: string, workers = 1): Promise<void> {
  const result = await runReplay({ files: [file], workers, repeat: 1, memoryBytes: 16 << 20, top: 1e6 });
  const rows = result.top.map(({ protocol, a, b, packets, bytes, packetsAB, bytesAB }) => {
    const ends = `${bare(a)} ${bare(b)}`;
    const there = `${packetsAB} ${oracleBytes(bytesAB)}`;
    return `${protocol} ${ends} ${there} ${packets - packetsAB} ${oracleBytes(bytes - bytesAB)}`;
  });
  const oracle = askTshark(file);
  assert.deepEqual(
    { packets: result.packets, bytes: result.bytes, rows: rows.sort() },
    { packets: oracle.packets, bytes: oracle.bytes, rows: oracle.rows },
  );
}

/** tshark writes IPv6 addresses without brackets. */
function bare(endpoint: string): string {
  return endpoint.replace(/[[\]]/g, '');
}

function mixedBlocks(packets: readonly CapturedPacket[], bigEndian: boolean): Block[] {
  return [
    { kind: 'section', bigEndian },
    { kind: 'interface', link: 147 },
    { kind: 'interface', link: 1 },
    ...packets.flatMap((packet, index): Block[] => [
      { kind: 'packet', interface: 1, packet },
      ...(index % 7 === 0 ? [{ kind: 'unknown', type: 0x4711, body: packet.data } as const] : []),
    ]),
  ];
}

suite('equal to tshark', { skip: !hasTshark && 'tshark is not installed' }, () => {
  test('the sample', async () => {
    await assertAsTshark(SAMPLE);
    await assertAsTshark(SAMPLE, 3);
  });

  const packets = mixedPackets(1500, 3);
  const options: readonly PcapOptions[] = [
    {},
    { bigEndian: true },
    { nanoseconds: true },
    { bigEndian: true, nanoseconds: true },
  ];
  for (const each of options) {
    const order = each.bigEndian ? 'big endian' : 'little endian';
    test(`pcap, ${order}, ${each.nanoseconds ? 'nanoseconds' : 'microseconds'}`, () =>
      assertAsTshark(fileOf(pcap(packets, each))));
  }

  test('pcapng with several interfaces, unknown blocks, two sections', () =>
    assertAsTshark(
      fileOf(
        concat(
          pcapng(mixedBlocks(packets.slice(0, 700), true)),
          pcapng(mixedBlocks(packets.slice(700), true)),
        ),
        'sections.pcapng',
      ),
      2,
    ));

  test('several mixtures', async () => {
    for (let seed = 10; seed < 14; seed++) await assertAsTshark(fileOf(pcap(mixedPackets(800, seed))), 2);
  });

  test('other links', async () => {
    const stripped = packets.map(({ data }) => ({ data: data.subarray(14) }));
    await assertAsTshark(fileOf(pcap(stripped, { link: 101 })));
    const loopback = packets.map(({ data }) => ({ data: concat([2, 0, 0, 0], data.subarray(14)) }));
    await assertAsTshark(fileOf(pcap(loopback, { link: 0 })));
    const linux = packets.map(({ data }) => ({ data: concat(new Uint8Array(14), data.subarray(12)) }));
    await assertAsTshark(fileOf(pcap(linux, { link: 113 })));
  });
});
