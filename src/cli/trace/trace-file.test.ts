import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { InputError } from '../errors.js';
import { fileOf } from '../testing/files.test-kit.js';
import { busyTrace, calloc, free, malloc, realloc, traceBytes } from '../testing/traces.test-kit.js';
import { OBJECT_MAX, parseTrace, readTrace, TraceError } from './trace-file.js';

suite('a trace', () => {
  test('its records, and what objects had before', () => {
    const trace = parseTrace(
      'a',
      traceBytes([malloc(7, 100), calloc(3, 50, 1), realloc(7, 200, 1), free(7), realloc(3, 0), free(3, 1)]),
    );
    assert.deepEqual([...trace.operations], [1, 3, 4, 2, 4, 2]);
    assert.deepEqual([...trace.objects], [7, 3, 7, 7, 3, 3]);
    assert.deepEqual([...trace.sizes], [100, 50, 200, 0, 0, 0]);
    assert.deepEqual([...trace.befores], [0, 0, 100, 200, 50, 0]);
    assert.deepEqual([...trace.threads], [0, 1, 1, 0, 0, 1]);
    const { records, objectMax, threadCount, peakLive } = trace;
    assert.deepEqual([records, objectMax, threadCount, peakLive], [6, 7, 2, 250]);
  });

  test('from a file, and of a part of a buffer', () => {
    const bytes = traceBytes(busyTrace(500, 3, 1));
    const shifted = new Uint8Array(bytes.length + 5);
    shifted.set(bytes, 5);
    const file = fileOf(bytes, 'whole.trace');
    assert.deepEqual(readTrace(file), parseTrace(file, shifted.subarray(5)));
  });

  test('the largest size and 256 threads', () => {
    const threads = Array.from({ length: 256 }, (_, thread) => malloc(thread + 1, 0xffffffff, thread));
    const trace = parseTrace('a', traceBytes(threads));
    assert.equal(trace.threadCount, 256);
    assert.equal(trace.peakLive, 256 * 0xffffffff);
  });
});

suite('refused, with the record that is wrong', () => {
  const good = [malloc(1, 10), malloc(2, 10), free(2)];
  const cases: readonly (readonly [name: string, bytes: Uint8Array, record: number, reason: RegExp])[] = [
    ['cut', traceBytes(good).subarray(0, 30), 3, /ends after 6 of its 12 bytes/],
    [
      'an operation 0',
      traceBytes([...good, { object: 3, operation: 0 }]),
      4,
      /no operation has the number 0/,
    ],
    ['an operation 6', traceBytes([{ object: 3, operation: 6 }]), 1, /no operation has the number 6/],
    ['object 0', traceBytes([malloc(0, 1)]), 1, /must be from 1 to 67108863, not 0/],
    ['an object too large', traceBytes([malloc(OBJECT_MAX + 1, 1)]), 1, /not 67108864/],
    ['a free of nothing', traceBytes([...good, free(3)]), 4, /object 3 is freed and was never/],
    ['a free before', traceBytes([free(1), malloc(1, 1)]), 1, /object 1 is freed and was never/],
    ['a free twice', traceBytes([...good, free(2)]), 4, /object 2 is freed and has been freed before/],
    ['a free with a size', traceBytes([...good, { ...free(1), size: 9 }]), 4, /a free has a size, 9/],
    [
      'a realloc of nothing',
      traceBytes([...good, realloc(9, 1)]),
      4,
      /object 9 is reallocated and was never/,
    ],
    [
      'a realloc after',
      traceBytes([...good, realloc(2, 1)]),
      4,
      /object 2 is reallocated and has been freed/,
    ],
    ['an id again', traceBytes([...good, malloc(1, 4)]), 4, /object 1 is allocated a second time/],
    ['an id after its end', traceBytes([...good, calloc(2, 4)]), 4, /object 2 is allocated a second time/],
    ['a thread too early', traceBytes([malloc(1, 4), malloc(2, 4, 2)]), 2, /thread 2 comes before thread 1/],
    [
      'text',
      new TextEncoder().encode('once upon a time, in a land'.slice(0, 24)),
      1,
      /not an allocation trace/,
    ],
  ];
  for (const [name, bytes, record, reason] of cases) {
    test(name, () => {
      assert.throws(
        () => parseTrace('x.trace', bytes),
        (error) => {
          assert(error instanceof TraceError);
          assert.equal(error.record, record);
          assert.match(error.message, reason);
          const where = `x.trace: record ${record}, at byte offset ${(record - 1) * 12}: `;
          assert.ok(error.message.startsWith(where), error.message);
          return true;
        },
      );
    });
  }

  test('an empty file, none, a folder', () => {
    for (const [file, reason] of [
      [fileOf('', 'empty.trace'), /the file is empty$/],
      ['/nowhere/x.trace', /^\/nowhere\/x\.trace: no such file$/],
      ['/', /^\/: is a directory$/],
    ] as const) {
      assert.throws(
        () => readTrace(file),
        (error) => error instanceof InputError && reason.test(error.message),
      );
    }
  });
});
