import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createMemory, type Memory } from '../../index.js';
import { CaptureError, InputError, InterruptedError } from '../errors.js';
import {
  type Block,
  type Bytes,
  filler,
  pcap,
  pcapng,
  TCP_ACK,
  tcpFrame,
  udpFrame,
} from '../testing/captures.test-kit.js';
import { fileOf, SAMPLE } from '../testing/files.test-kit.js';
import { mixedPackets } from '../testing/mixed.test-kit.js';
import type { ReplayHooks, ReplayOptions, ReplayResult } from './result.js';
import { replayIn, runReplay } from './run.js';

const MIB = 2 ** 20;

function replay(files: readonly string[], options: Partial<ReplayOptions> = {}): Promise<ReplayResult> {
  return runReplay({ files, workers: 1, repeat: 1, memoryBytes: 32 * MIB, top: 1e6, ...options });
}

/** What must be the same however the work is split. */
function essence({
  zones,
  audit,
  seconds,
  packetsPerSecond,
  gc,
  peakRss,
  workers,
  ...rest
}: ReplayResult): object {
  assert.deepEqual(audit, { clean: true, violations: [] });
  for (const { name, used, size } of zones) {
    // The clusters of cached packets belong to their zone.
    const held = name === 'mbuf_cluster' ? zones.find((zone) => zone.name === 'mbuf_packet')?.free : 0;
    assert.equal(used, held, `${used} items of zone ${name} (${size} bytes) are out`);
  }
  assert.ok(seconds > 0 && packetsPerSecond >= 0 && gc.count >= 0 && peakRss > MIB && workers >= 1);
  return rest;
}

suite('replay', () => {
  test('the sample', async () => {
    const result = await replay([SAMPLE], { top: 2 });
    assert.deepEqual(essence(result), {
      files: 1,
      packets: 1790,
      bytes: 1_977_819,
      tcp: 1710,
      udp: 80,
      otherIp: 0,
      nonIp: 0,
      fragments: 0,
      conversations: { tcp: 57, udp: 40 },
      top: [
        {
          protocol: 'tcp',
          a: '127.0.0.1:60484',
          b: '127.0.0.1:16379',
          packets: 75,
          bytes: 287_644,
          packetsAB: 49,
          bytesAB: 4188,
        },
        {
          protocol: 'tcp',
          a: '127.0.0.1:60508',
          b: '127.0.0.1:16379',
          packets: 72,
          bytes: 274_597,
          packetsAB: 47,
          bytesAB: 4013,
        },
      ],
    });
  });

  test('a capture without packets', async () => {
    const { packets, top } = await replay([fileOf(pcap([]))]);
    assert.deepEqual({ packets, top }, { packets: 0, top: [] });
  });

  const mixed = mixedPackets(3000, 1);

  test('any number of workers, any size of memory, any format: the same', async () => {
    const file = fileOf(pcap(mixed));
    const wanted = essence(await replay([file]));
    assert.ok((wanted as ReplayResult).conversations.tcp > 100);
    assert.deepEqual(essence(await replay([file], { workers: 2 })), wanted);
    assert.deepEqual(essence(await replay([file], { workers: 4, memoryBytes: 4 * MIB })), wanted);
    assert.deepEqual(essence(await replay([file], { memoryBytes: MIB })), wanted);
    const blocks: Block[] = [
      { kind: 'section', bigEndian: true },
      { kind: 'interface' },
      ...mixed.map((packet): Block => ({ kind: 'packet', packet })),
    ];
    assert.deepEqual(essence(await replay([fileOf(pcapng(blocks))], { workers: 3 })), wanted);
  });

  test('repeated: the same conversations, more packets', async () => {
    const file = fileOf(pcap(mixed));
    const once = await replay([file]);
    const thrice = await replay([file], { repeat: 3, workers: 2 });
    assert.deepEqual(thrice.conversations, once.conversations);
    for (const figure of ['packets', 'bytes', 'tcp', 'udp', 'otherIp', 'nonIp', 'fragments'] as const) {
      assert.equal(thrice[figure], 3 * once[figure], figure);
    }
    const sums = (result: ReplayResult, factor: number): object[] =>
      result.top.map(({ a, b, packets, bytes }) => ({
        a,
        b,
        packets: packets * factor,
        bytes: bytes * factor,
      }));
    assert.deepEqual(sums(thrice, 1), sums(once, 3));
    essence(thrice);
  });

  test('several files count as one', async () => {
    const halves = [mixed.slice(0, 1000), mixed.slice(1000)].map((packets) => fileOf(pcap(packets)));
    const whole = essence(await replay([fileOf(pcap(mixed))]));
    assert.deepEqual({ ...essence(await replay(halves, { workers: 2 })), files: 1 }, whole);
  });

  test('packets larger than any cluster, and a memory hardly larger than they', async () => {
    const sizes = [0, 1, 16_000, 16_384, 40_000, 200_000];
    const frames = sizes.map((size) =>
      udpFrame('10.0.0.1', '10.0.0.2', { from: 1, to: 2, payload: filler(size) }),
    );
    const file = fileOf(pcap(frames.map((data) => ({ data }))));
    for (const memoryBytes of [MIB, 2 * MIB, 64 * MIB]) {
      const result = await replay([file], { memoryBytes, repeat: 5 });
      const wanted = { packets: 30, bytes: 5 * frames.reduce((sum, frame) => sum + frame.length, 0) };
      assert.deepEqual({ packets: result.packets, bytes: result.bytes }, wanted);
      essence(result);
    }
  });

  test('packets leave three eighths of the pages to the records that they wait for', async () => {
    for (const memoryBytes of [MIB, 2 * MIB, 32 * MIB]) {
      const memory = createMemory({ bytes: memoryBytes, maxThreads: 2, maxZones: 48 });
      const options = { files: [SAMPLE], workers: 1, repeat: 1, memoryBytes, top: 1 };
      await replayIn(memory, options);
      const { mbuf, cluster, jumboPage, jumbo16k } = memory.mbufs.zones;
      const most = (memory.stats().pages.pages * jumboPage.size * 5) / 8;
      for (const { name, max, size } of [cluster, jumboPage, jumbo16k]) {
        assert.ok(max > 0 && mbuf.max > 0 && max * size + mbuf.max * mbuf.size <= most, name);
      }
      memory.detach();
    }
  });

  test('headers that clusters cut in two, in every place', async () => {
    // Packets of 90 bytes in records of 106: the ends of clusters fall on every byte of them.
    const frames = Array.from({ length: 20_000 }, (_, index) =>
      tcpFrame('10.0.0.1', '10.0.0.2', {
        from: 1000 + (index % 7),
        to: 80,
        flags: TCP_ACK,
        payload: filler(36),
      }),
    );
    const file = fileOf(pcap(frames.map((data) => ({ data }))));
    for (const [memoryBytes, workers] of [
      [2 * MIB, 1],
      [64 * MIB, 3],
    ] as const) {
      const result = await replay([file], { memoryBytes, workers });
      assert.equal(result.tcp, 20_000);
      assert.equal(result.conversations.tcp, 7);
      essence(result);
    }
  });

  test('progress and files that cannot tell their size', async () => {
    const seen: number[] = [];
    const file = fileOf(pcap(mixed));
    await runReplay(
      { files: [file], workers: 1, repeat: 20, memoryBytes: 32 * MIB, top: 0 },
      {
        onProgress({ done, total }) {
          assert.ok(done <= total);
          seen.push(done);
        },
      },
    );
    assert.ok(seen.length > 0);
    assert.deepEqual(
      seen,
      [...seen].sort((left, right) => left - right),
    );
  });
});

suite('what stands in the way', () => {
  /** Replays in a memory that the test keeps; afterwards nothing may be missing in it. */
  async function refused(
    files: readonly string[],
    options: Partial<ReplayOptions> = {},
    hooks: ReplayHooks = {},
  ): Promise<Error> {
    const whole = { files, workers: 1, repeat: 1, memoryBytes: 8 * MIB, top: 1, ...options };
    const memory: Memory = createMemory({ bytes: whole.memoryBytes, maxThreads: whole.workers + 1 });
    const error = await replayIn(memory, whole, hooks).then(
      () => assert.fail('it was not refused'),
      (reason: Error) => reason,
    );
    const held = memory.stats().zones.find(({ name }) => name === 'mbuf_packet')?.free ?? 0;
    for (const { name, used } of memory.stats().zones) {
      if (name.startsWith('conversation')) continue;
      assert.equal(used, name === 'mbuf_cluster' ? held : 0, `zone ${name}`);
    }
    assert.deepEqual(memory.audit().violations, []);
    assert.equal(memory.stats().threads, 1);
    memory.detach();
    return error;
  }

  const good = mixedPackets(500, 2);

  test('a file that is cut gives up everything', async () => {
    const whole: Bytes = pcap(good);
    for (const workers of [1, 3]) {
      for (const length of [0, 10, 30, whole.length - 1, whole.length >> 1]) {
        const error = await refused([SAMPLE, fileOf(whole.subarray(0, length))], { workers });
        assert.ok(error instanceof CaptureError, error.stack);
        assert.match(error.message, /\.pcap: at byte offset \d+: /);
      }
    }
  });

  test('a file that is not there, or is a folder', async () => {
    assert.match(
      (await refused(['/nowhere/at/all.pcap'])).message,
      /^\/nowhere\/at\/all\.pcap: no such file$/,
    );
    const folder = new URL('.', import.meta.url).pathname;
    assert.match((await refused([folder])).message, /is a directory/);
  });

  test('more conversations than the memory holds', async () => {
    const frames = Array.from({ length: 60_000 }, (_, index) => ({
      data: udpFrame(`10.0.${index >> 8}.${index & 255}`, '10.9.0.1', { from: 1, to: 2 }),
    }));
    const file = fileOf(pcap(frames));
    for (const workers of [1, 2]) {
      const error = await refused([file], { workers, memoryBytes: MIB });
      assert.ok(error instanceof InputError, error.stack);
      assert.match(error.message, /^--memory: 1048576 bytes are too small: no memory is left for the record/);
    }
  });

  test('an interrupt', async () => {
    const controller = new AbortController();
    const file = fileOf(pcap(good));
    setTimeout(() => controller.abort(), 100);
    const error = await refused([file], { repeat: 1_000_000 }, { signal: controller.signal });
    assert.ok(error instanceof InterruptedError, error.stack);
  });

  test('memories that cannot be', async () => {
    for (const [memoryBytes, message] of [
      [0, /^--memory: 0 bytes are too small, the least is 1048576/],
      [MIB - 1, /too small/],
      [2 ** 31 + 1, /too large, the most is 2147483648/],
    ] as const) {
      await assert.rejects(replay([SAMPLE], { memoryBytes }), (error: Error) => {
        assert.ok(error instanceof InputError);
        assert.match(error.message, message);
        return true;
      });
    }
  });

  test('many workers in a small memory: they work, or it says that it is too small', async () => {
    const outcome = await replay([SAMPLE], { workers: 20, memoryBytes: MIB }).then(
      (result) => result.packets,
      (error: Error) => error.message,
    );
    if (outcome !== 1790) assert.match(String(outcome), /^--memory: 1048576 bytes are too small: /);
  });
});
