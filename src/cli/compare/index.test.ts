import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { InputError, InterruptedError } from '../errors.js';
import {
  type CapturedPacket,
  ethernet,
  filler,
  ipv4,
  pcap,
  tcpFrame,
  udpFrame,
} from '../testing/captures.test-kit.js';
import { type BaselineOptions, runBaseline } from './index.js';

const folder = mkdtempSync(join(tmpdir(), 'mbuma-compare-'));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'small.pcap');

const clients = 20;
const packets: CapturedPacket[] = [];
for (let client = 0; client < clients; client++) {
  const from = 40_000 + client;
  packets.push(
    { data: tcpFrame('10.0.0.1', '10.0.0.2', { from, to: 80, payload: filler(client) }) },
    { data: tcpFrame('10.0.0.2', '10.0.0.1', { from: 80, to: from, payload: filler(100) }) },
    { data: udpFrame('10.0.0.1', '10.0.0.3', { from: 53, to: from }), originalLength: 70_000 },
  );
}
packets.push(
  { data: ethernet(0x0806, filler(28)) },
  { data: ethernet(0x0800, ipv4({ from: '1.1.1.1', to: '2.2.2.2', protocol: 1, payload: filler(8) })) },
  {
    data: ethernet(
      0x0800,
      ipv4({ from: '1.1.1.1', to: '2.2.2.2', protocol: 17, payload: filler(8), fragmentOffset: 1 }),
    ),
  },
);
writeFileSync(path, pcap(packets));

const options: BaselineOptions = { files: [path, path], workers: 1, repeat: 3, top: 2 };
const passes = 6;

for (const workers of [1, 3]) {
  test(`counts a capture with ${workers} worker(s)`, async () => {
    const result = await runBaseline({ ...options, workers });
    const bytes = packets.reduce((sum, { data, originalLength }) => sum + (originalLength ?? data.length), 0);
    const { packets: count, tcp, udp, otherIp, nonIp, fragments, conversations } = result;
    assert.deepEqual(
      { count, bytes: result.bytes, tcp, udp, otherIp, nonIp, fragments, conversations },
      {
        count: packets.length * passes,
        bytes: bytes * passes,
        tcp: 2 * clients * passes,
        udp: clients * passes,
        otherIp: 2 * passes,
        nonIp: passes,
        fragments: passes,
        conversations: { tcp: clients, udp: clients },
      },
    );
    assert.deepEqual(result.top[0], {
      protocol: 'udp',
      a: '10.0.0.1:53',
      b: '10.0.0.3:40000',
      packets: passes,
      bytes: 70_000 * passes,
      packetsAB: passes,
      bytesAB: 70_000 * passes,
    });
    assert.equal(result.top.length, 2);
    assert.equal(result.workers, workers);
    assert.equal(result.files, 2);
    assert.ok(result.seconds > 0 && result.packetsPerSecond > 0 && result.bytesPerSecond > 0);
    assert.ok(result.peakRss > 2 ** 20 && result.gc.count >= 0);
  });
}

test('a failure is one line', async () => {
  await assert.rejects(
    runBaseline({ ...options, files: [join(folder, 'none.pcap')] }),
    (error) =>
      error instanceof InputError && /^the comparison failed: .*none\.pcap: ENOENT.*$/.test(error.message),
  );
});

test('its peak memory is its own, not that of the process that asked', async () => {
  const large = Buffer.alloc(192 * 2 ** 20, 1);
  const { peakRss } = await runBaseline(options);
  assert.ok(process.platform !== 'linux' || peakRss < large.length, `${peakRss}`);
});

test('ends when it is aborted', async () => {
  await assert.rejects(runBaseline(options, AbortSignal.abort()), InterruptedError);
  const controller = new AbortController();
  const running = runBaseline({ ...options, repeat: 1_000_000_000 }, controller.signal);
  setTimeout(() => controller.abort(), 200);
  await assert.rejects(running, InterruptedError);
});
