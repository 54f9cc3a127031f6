import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JobFigures, ReplayResult } from '../replay/result.js';
import type { TraceResult } from '../trace/result.js';
import { formatColumns } from './columns.js';
import { jsonOf, traceJsonOf } from './json.js';
import { formatCount, formatMebibytes, formatScaled, formatSeconds } from './numbers.js';
import { canShowProgress, progressText } from './progress.js';
import { disagreements, textOf } from './text.js';
import { traceTextOf } from './trace-text.js';

test('numbers', () => {
  assert.equal(formatCount(1_234_567), '1,234,567');
  const scaled: readonly (readonly [number, string])[] = [
    [0, '0'],
    [999, '999'],
    [999.6, '1.00 k'],
    [1000, '1.00 k'],
    [12_345, '12.3 k'],
    [99_950, '100 k'],
    [999_499, '999 k'],
    [999_500, '1.00 M'],
    [2.5e9, '2.50 G'],
    [1e21, '1000000 P'],
  ];
  for (const [value, text] of scaled) assert.equal(formatScaled(value), text);
  assert.equal(formatSeconds(0.0123), '12 ms');
  assert.equal(formatSeconds(1.005), '1.00 s');
  assert.equal(formatMebibytes(1.5 * 2 ** 20), '1.5 MiB');
});

test('columns are as wide as their widest cell', () => {
  const columns = [
    { title: 'a', align: 'left' },
    { title: 'number', align: 'right' },
  ] as const;
  assert.deepEqual(formatColumns(columns, [['long cell', '1'], ['x']]), [
    'a          number',
    'long cell       1',
    'x',
  ]);
  assert.deepEqual(formatColumns(columns, []), ['a  number']);
});

test('progress', () => {
  const progress = { done: 5, total: 1000, count: 10, noun: 'packets' } as const;
  const text = progressText({ ...progress, done: 500, count: 3000 }, 2);
  assert.equal(text, `[${'='.repeat(15)}${' '.repeat(15)}]  50 %  3.00 k packets, 1.50 k/s`);
  // A file that grew while it was read.
  assert.match(progressText({ ...progress, done: 2000, count: 1 }, 0), /100 %/);
  assert.equal(progressText({ ...progress, total: 0, count: 10 }, 1), '10 packets, 10/s');
});

test('progress only where there is a terminal that can', () => {
  const terminal = { isTTY: true } as NodeJS.WriteStream;
  assert.ok(canShowProgress(terminal, { TERM: 'xterm' }));
  assert.ok(canShowProgress(terminal, { NO_COLOR: '' }));
  assert.ok(!canShowProgress(terminal, { NO_COLOR: '1' }));
  assert.ok(!canShowProgress(terminal, { TERM: 'dumb' }));
  assert.ok(!canShowProgress({ isTTY: false } as NodeJS.WriteStream, {}));
});

const job: JobFigures = {
  files: 1,
  packets: 10,
  bytes: 1000,
  tcp: 4,
  udp: 3,
  otherIp: 2,
  nonIp: 1,
  fragments: 0,
  conversations: { tcp: 2, udp: 1 },
  seconds: 0.5,
  packetsPerSecond: 20,
  gc: { count: 0, ms: 0, maxMs: 0 },
  peakRss: 64 << 20,
  workers: 1,
};
const result: ReplayResult = { ...job, top: [], zones: [], audit: { clean: true, violations: [] } };

test('the sides of a comparison agree, or it is told where not', () => {
  assert.deepEqual(disagreements(result, job), []);
  const other = { ...job, tcp: 5, conversations: { tcp: 2, udp: 7 } };
  assert.deepEqual(disagreements(result, other), ['TCP packets: 4 and 5', 'UDP conversations: 1 and 7']);
});

test('text without conversations and comparison has no empty sections', () => {
  const text = textOf(result, undefined);
  assert.ok(!text.includes('Top conversations'));
  assert.ok(!text.includes('Comparison'));
  assert.ok(!text.includes('fragment'));
  assert.match(text, /no garbage collection, peak RSS 64\.0 MiB/);
});

test('text of a job that collected garbage, with fragments and violations', () => {
  const bad: ReplayResult = {
    ...result,
    fragments: 2,
    gc: { count: 1, ms: 2.25, maxMs: 2.25 },
    audit: { clean: false, violations: [{ rule: 'uma.1', message: 'an item is missing' }] },
  };
  const text = textOf(bad, { ...job, gc: { count: 0, ms: 0, maxMs: 0 } });
  assert.match(text, /not IP 1; 2 fragments$/m);
  assert.match(text, /1 garbage collection, 2\.3 ms \(longest 2\.3 ms\)/);
  assert.match(text, /^GC pauses +1 +0 +-$/m);
  assert.match(text, /Audit: 1 violation\n {2}uma\.1: an item is missing\n$/);
});

test('JSON leaves out what is not documented', () => {
  const zones = [
    { name: 'a', size: 1, limit: 2, used: 3, free: 4, requests: 5, failures: 6, sleeps: 7, pages: 8 },
  ];
  const json = JSON.parse(JSON.stringify(jsonOf({ ...result, zones }, job)));
  assert.deepEqual(json.memory.zones[0], {
    name: 'a',
    size: 1,
    limit: 2,
    used: 3,
    free: 4,
    requests: 5,
    failures: 6,
    sleeps: 7,
  });
  assert.equal(json.zones, undefined);
  assert.equal(json.compare.packets, 10);
  assert.equal(json.compare.top, undefined);
});

const traced: TraceResult = {
  files: 1,
  workers: 1,
  threads: 2,
  ops: 1000,
  seconds: 0.25,
  opsPerSecond: 4000,
  gc: { count: 0, ms: 0, maxMs: 0 },
  peakRss: 64 << 20,
  peakLive: 5000,
  peakUsed: 8192,
  live: 4096,
  waste: { internal: 1024, slab: 1024, cached: 2048 },
  internalShare: { atPeak: 0.2, overall: 0.125 },
  zones: [],
  types: [
    { name: 'a', used: 1, bytes: 16, bytesHigh: 16, requests: 2, sizes: [16, Number.POSITIVE_INFINITY] },
  ],
  audit: { clean: true, violations: [] },
};

test('text of a trace, and of rivals that are left out', () => {
  const text = traceTextOf(traced, [
    { name: '@thi.ng/malloc', result: { leftOut: 'the package is not installed' } },
    { name: 'Buffer.allocUnsafe', result: { ...traced, seconds: 0.5, opsPerSecond: 2000 } },
  ]);
  assert.match(text, /^wasted in caches +2,048 +25\.0 %$/m);
  assert.match(text, /nobody asked for 20\.0 %, and 12\.5 % over all blocks/);
  assert.match(text, /^Buffer\.allocUnsafe +2\.00 k +500 ms +0\.500 +0 +0\.0 ms +64\.0 MiB$/m);
  assert.match(text, /^@thi\.ng\/malloc is left out: the package is not installed$/m);
  assert.ok(!traceTextOf(traced, undefined).includes('Comparison'));
  const nothing = traceTextOf({ ...traced, peakUsed: 0, live: 0 }, undefined);
  assert.match(nothing, /^asked for +0 +-$/m);
});

test('JSON of a trace', () => {
  const json = JSON.parse(
    JSON.stringify(traceJsonOf(traced, [{ name: '@thi.ng/malloc', result: { leftOut: 'gone' } }])),
  );
  assert.deepEqual(json.compare, { '@thi.ng/malloc': { leftOut: 'gone' } });
  assert.deepEqual(json.memory.malloc[0].sizes, [16]);
  assert.equal(json.zones, undefined);
  assert.equal(json.types, undefined);
});
