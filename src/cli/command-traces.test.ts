import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { ended, mbuma, start } from './testing/command.test-kit.js';
import { fileOf, SAMPLE } from './testing/files.test-kit.js';
import { busyTrace, free, malloc, traceBytes } from './testing/traces.test-kit.js';

const TRACE = fileOf(traceBytes(busyTrace(4000, 3, 5)), 'busy.trace');

suite('mbuma replay of traces', () => {
  test('text: totals, memory, tables, verdict; no escapes', async () => {
    const { status, stdout, stderr } = await mbuma('replay', TRACE, '--workers', '2');
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
    for (const wanted of [
      /^4,000 operations of 3 threads, from 1 trace$/m,
      /^ {2}\S+ m?s with 2 workers: \S+( [kM])? operations\/s$/m,
      /^asked for +[\d,]+ +\d+\.\d %$/m,
      /^wasted inside items +[\d,]+ +\d+\.\d %$/m,
      /^wasted in slabs +[\d,]+ +\d+\.\d %$/m,
      /^wasted in caches +[\d,]+ +\d+\.\d %$/m,
      /^used +[\d,]+ +100\.0 %$/m,
      /^Most that was live at one time: [\d,]+ bytes$/m,
      /^ +Type InUse MemUse HighUse Requests {2}Size\(s\)$/m,
      /^ +busy +\d+ /m,
      /^malloc-64: +64,/m,
      /^Audit: clean/m,
    ]) {
      assert.match(stdout, wanted);
    }
    assert.ok(!stdout.includes('\u001b') && !stdout.includes('Comparison'));
  });

  test('JSON: one object with the documented fields and no others', async () => {
    const { status, stdout, stderr } = await mbuma('replay', TRACE, '--json', '--workers', '2', '--no-fill');
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
    assert.equal(stdout.split('\n').length, 2);
    const result = JSON.parse(stdout);
    assert.deepEqual(Object.keys(result), [
      'files',
      'ops',
      'seconds',
      'opsPerSecond',
      'gc',
      'peakRss',
      'workers',
      'threads',
      'peakLive',
      'peakUsed',
      'live',
      'waste',
      'internalShare',
      'memory',
      'audit',
    ]);
    assert.deepEqual([result.files, result.ops, result.workers, result.threads], [1, 4000, 2, 3]);
    assert.deepEqual(Object.keys(result.waste), ['internal', 'slab', 'cached']);
    assert.deepEqual(Object.keys(result.internalShare), ['atPeak', 'overall']);
    assert.deepEqual(Object.keys(result.memory), ['zones', 'malloc']);
    const wanted = ['name', 'used', 'bytes', 'bytesHigh', 'requests', 'sizes'];
    for (const type of result.memory.malloc) assert.deepEqual(Object.keys(type), wanted);
    assert.deepEqual(result.audit, { clean: true, violations: [] });
  });

  test('compare: all do the same job', async () => {
    const text = await mbuma('replay', TRACE, '--compare');
    assert.deepEqual([text.status, text.stderr], [0, '']);
    assert.match(text.stdout, /^ +operations\/s +time +ours to it +GC pauses +GC time +peak RSS$/m);
    assert.match(text.stdout, /^mbuma, \d+ workers? .* MiB$/m);
    assert.match(text.stdout, /^@thi\.ng\/malloc .* \d+\.\d{3} .* MiB$/m);
    assert.match(text.stdout, /^Buffer\.allocUnsafe .* \d+\.\d{3} .* MiB$/m);
    const { stdout } = await mbuma('replay', TRACE, '--compare', '--json', '--repeat', '2');
    const { compare, ops, seconds } = JSON.parse(stdout);
    assert.deepEqual(Object.keys(compare), ['@thi.ng/malloc', 'Buffer.allocUnsafe']);
    for (const theirs of Object.values(compare) as Record<string, number>[]) {
      const figures = ['ops', 'seconds', 'opsPerSecond', 'gc', 'peakRss', 'timeRatio'];
      assert.deepEqual(Object.keys(theirs), figures);
      assert.equal(theirs.ops, ops);
      assert.equal(theirs.timeRatio, seconds / (theirs.seconds as number));
    }
  });

  const refused: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [[TRACE, SAMPLE], /captures and traces \(\*\.trace\) cannot be replayed together/],
    [[TRACE, '--top', '3'], /--top is for captures/],
    [[SAMPLE, '--no-fill'], /--no-fill is for traces/],
    [[TRACE, '--workers', '65'], /--workers must be a whole number from 1 to 64/],
    [[TRACE, '--set', 'no.such=1'], /no\.such/],
  ];
  for (const [args, message] of refused) {
    test(`usage: ${message.source}`, async () => {
      const { status, stdout, stderr } = await mbuma('replay', ...args);
      assert.deepEqual({ status, stdout }, { status: 2, stdout: '' });
      assert.match(stderr, message);
      assert.match(stderr, /^mbuma: [^\n]+\n$/);
    });
  }

  const bad: readonly (readonly [name: string, args: readonly string[], message: RegExp])[] = [
    ['none', ['/nowhere/x.trace'], /^mbuma: \/nowhere\/x\.trace: no such file\n$/],
    [
      'damaged',
      [fileOf(traceBytes([free(4)]), 'bad.trace')],
      /bad\.trace: record 1, at byte offset 0: object 4 /,
    ],
    ['too small a memory', [TRACE, '--memory', '64K'], /^mbuma: --memory: 65536 bytes are too small/],
    [
      'a block too large',
      [fileOf(traceBytes([malloc(1, 1 << 30)]), 'large.trace')],
      /record 1 of .*large\.trace asks for 1073741824 bytes in vain\n$/,
    ],
  ];
  for (const [name, args, message] of bad) {
    test(`bad input: ${name}`, async () => {
      const { status, stdout, stderr } = await mbuma('replay', ...args, '--json');
      assert.deepEqual({ status, stdout }, { status: 1, stdout: '' });
      assert.match(stderr, message);
      assert.match(stderr, /^mbuma: [^\n]+\n$/);
    });
  }

  test('Ctrl-C ends it promptly with status 130', async () => {
    const child = start(['replay', TRACE, '--repeat', '1000000']);
    setTimeout(() => child.kill('SIGINT'), 700);
    const before = performance.now();
    const wanted = { status: 130, stdout: '', stderr: 'mbuma: interrupted\n' };
    assert.deepEqual(await ended(child), wanted);
    assert.ok(performance.now() - before < 20_000);
  });
});
