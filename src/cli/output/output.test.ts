import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JobFigures, ReplayResult } from '../replay/result.js';
import { formatColumns } from './columns.js';
import { jsonOf } from './json.js';
import { formatCount, formatMebibytes, formatScaled, formatSeconds } from './numbers.js';
import { canShowProgress, progressText } from './progress.js';
import { disagreements, textOf } from './text.js';

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
  const text = progressText({ bytesRead: 500, bytesTotal: 1000, packets: 3000 }, 2);
  assert.equal(text, `[${'='.repeat(15)}${' '.repeat(15)}]  50 %  3.00 k packets, 1.50 k/s`);
  // A file that grew while it was read.
  assert.match(progressText({ bytesRead: 2000, bytesTotal: 1000, packets: 1 }, 0), /100 %/);
  assert.equal(progressText({ bytesRead: 5, bytesTotal: 0, packets: 10 }, 1), '10 packets, 10/s');
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
