import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makeTraceLoop, readTrace } from './trace.mjs';

let folder;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'mbuma-trace-'));
});
after(() => rmSync(folder, { recursive: true }));

/** A trace of `[id, size, call]`. */
function write(...records) {
  const bytes = Buffer.alloc(records.length * 12);
  for (const [index, [id, size, call]] of records.entries()) {
    bytes.writeUInt32LE(id, index * 12);
    bytes.writeUInt32LE(size, index * 12 + 4);
    bytes.writeUInt8(call, index * 12 + 8);
    // Another thread and some time: neither may be taken for the call.
    bytes.writeUInt8(3, index * 12 + 9);
    bytes.writeUInt16LE(0x1234, index * 12 + 10);
  }
  const file = join(folder, 'small.trace');
  writeFileSync(file, bytes);
  return file;
}

const MALLOC = 1;
const FREE = 2;
const CALLOC = 3;
const REALLOC = 4;
const MEMALIGN = 5;

/** Block 1 grows, 2 is freed, 3 and 4 stay: 240 bytes are the most. */
const SMALL = [
  [1, 100, MALLOC],
  [2, 40, CALLOC],
  [1, 200, REALLOC],
  [2, 0, FREE],
  [1, 0, FREE],
  [3, 16, MEMALIGN],
  [4, 8, MALLOC],
];

/** An allocator that writes down what it is asked for. */
function recorder(refuseAt = Number.POSITIVE_INFINITY) {
  const calls = [];
  const words = new Int32Array(1024);
  let next = 0;
  const give = (...call) => {
    calls.push(call.join(' '));
    next += 16;
    return next > refuseAt ? 0 : next;
  };
  const take = (item) => calls.push(`free ${item}`);
  const way = {
    names: { give, take, words },
    alloc: "give('malloc', size)",
    calloc: "give('calloc', size)",
    realloc: "give('realloc', before, size)",
    touch: 'words[item >> 2] = value',
    free: 'take(item)',
    used: () => next,
  };
  return { calls, way };
}

test('a trace is read with what is alive at its end and at its peak', () => {
  const { rest, idMax, livePeak, calls } = readTrace(write(...SMALL));
  assert.deepEqual([...rest], [3, 4]);
  assert.equal(idMax, 4);
  assert.equal(livePeak, 240);
  assert.equal(calls, SMALL.length + 2);
});

test('what is no trace is refused, with the record that is wrong', () => {
  const file = join(folder, 'odd.trace');
  writeFileSync(file, Buffer.alloc(13));
  assert.throws(() => readTrace(file), /no allocation trace/);
  assert.throws(() => readTrace(write([1, 8, 6])), /record 0: there is no call 6/);
  assert.throws(() => readTrace(write([0, 8, MALLOC])), /record 0: numbers are from 1/);
  assert.throws(() => readTrace(write([1, 2 ** 31, MALLOC])), /sizes below 2 GiB/);
  assert.throws(() => readTrace(write([1, 8, MALLOC], [2, 0, FREE])), /record 1: block 2 is not alive/);
  assert.throws(() => readTrace(write([1, 8, MALLOC], [1, 8, MALLOC])), /record 1: block 1 is alive/);
});

test('every turn makes the calls of the trace in their order, and gives back what is left', () => {
  const { calls, way } = recorder();
  const { loop, itemsPerTurn } = makeTraceLoop(write(...SMALL), way);
  const turn = (base) => [
    'malloc 100',
    'calloc 40',
    `realloc ${base + 16} 200`,
    `free ${base + 32}`,
    `free ${base + 48}`,
    'malloc 16',
    'malloc 8',
    `free ${base + 64}`,
    `free ${base + 80}`,
  ];
  assert.deepEqual(calls, turn(0));
  calls.length = 0;
  loop(2);
  assert.deepEqual(calls, [...turn(80), ...turn(160)]);
  assert.equal(itemsPerTurn, 9);
});

test('a refusal is told, not timed; bytes are looked at while the first turn runs', () => {
  assert.throws(() => makeTraceLoop(write(...SMALL), recorder(32).way), /record 2: there is no memory left/);
  // Record 64 is looked at: 65 blocks have been given by then.
  const many = Array.from({ length: 70 }, (_, index) => [index + 1, 8, MALLOC]);
  assert.deepEqual(makeTraceLoop(write(...many), recorder().way).peaks, { live: 560, used: 65 * 16 });
  const { used, ...silent } = recorder().way;
  assert.deepEqual(makeTraceLoop(write(...many), silent).peaks, { live: 560 });
});
