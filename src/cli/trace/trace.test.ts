import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { InputError, InterruptedError, UsageError } from '../errors.js';
import type { Progress } from '../replay/result.js';
import { fileOf } from '../testing/files.test-kit.js';
import {
  busyTrace,
  free,
  malloc,
  memalign,
  realloc,
  type TraceRecord,
  traceBytes,
} from '../testing/traces.test-kit.js';
import type { TraceOptions, TraceResult } from './result.js';
import { runRivals } from './rivals.js';
import { runTraces } from './run.js';
import { parseTrace } from './trace-file.js';

const MIB = 2 ** 20;
let count = 0;

function traceOf(records: readonly TraceRecord[], name = `t${count++}.trace`): string {
  return fileOf(traceBytes(records), name);
}

function optionsOf(files: readonly string[], options: Partial<TraceOptions> = {}): TraceOptions {
  return { files, workers: 1, repeat: 1, memoryBytes: 64 * MIB, fills: true, ...options };
}

/** Replays, and looks at what must be so of every replay. */
async function replay(file: string, options: Partial<TraceOptions> = {}): Promise<TraceResult> {
  const result = await runTraces(optionsOf([file], options));
  assert.deepEqual(result.audit, { clean: true, violations: [] });
  const { live, waste, peakUsed, peakLive, internalShare, seconds, opsPerSecond, ops } = result;
  assert.equal(live + waste.internal + waste.slab + waste.cached, peakUsed);
  for (const bytes of [waste.internal, waste.slab, waste.cached])
    assert.ok(bytes >= 0, JSON.stringify(waste));
  assert.ok(live <= peakLive && peakLive <= peakUsed, `${live} ${peakLive} ${peakUsed}`);
  assert.ok(internalShare.atPeak >= 0 && internalShare.overall >= 0 && internalShare.overall < 1);
  assert.ok(Math.abs(opsPerSecond - ops / seconds) < 1);
  return result;
}

suite('a trace is replayed', () => {
  const records = busyTrace(20_000, 4, 7);
  const file = traceOf(records);
  const allocations = records.filter(({ operation }) => operation !== 2 && operation !== 4).length;
  const left = allocations - records.filter(({ operation }) => operation === 2).length;

  for (const workers of [1, 2, 3, 4, 7]) {
    test(`by ${workers} workers: every record, exact figures, the same at each run`, async () => {
      const result = await replay(file, { workers });
      assert.deepEqual([result.ops, result.threads, result.workers], [20_000, 4, workers]);
      assert.equal(result.peakLive, parseTrace(file, traceBytes(records)).peakLive);
      const type = result.types.find(({ name }) => file.endsWith(`${name}.trace`));
      assert.equal(type?.used, left);
      // Only a realloc that moves its block asks for one more.
      const reallocs = records.filter(({ operation }) => operation === 4).length;
      const requests = type?.requests ?? 0;
      assert.ok(requests > allocations && requests <= allocations + reallocs);
      const again = await replay(file, { workers, fills: false });
      for (const figure of ['peakUsed', 'live', 'waste', 'internalShare'] as const) {
        assert.deepEqual(again[figure], result[figure], figure);
      }
    });
  }

  test('by who asks others for what they cache, in passes and in the account', async () => {
    // One thread takes and frees blocks of eight sizes, and another then wants half of the memory.
    const taken = [65_536, 57_344, 49_152, 40_960, 32_768, 28_672, 24_576, 20_480].flatMap((size, group) =>
      Array.from({ length: 6 }, (_, index) => malloc(group * 6 + index + 1, size)),
    );
    const freed = taken.map((_, index) => free(index + 1));
    const large = [malloc(49, 2_000_000, 1), free(49, 1)];
    const handed = traceOf([...taken, ...freed, ...large]);
    for (const workers of [1, 2, 3]) await replay(handed, { workers, memoryBytes: 4 * MIB });
    // It leaves half of the memory in use, which the main thread frees after each pass.
    const sizes = [16, 256, 2048, 8192, 20_480, 32_768, 49_152, 65_536];
    const left = Array.from({ length: 96 }, (_, index) => malloc(index + 1, sizes[index % 8] as number));
    for (const workers of [1, 2]) await replay(traceOf(left), { workers, repeat: 3, memoryBytes: 4 * MIB });
  });

  test('more workers cache more', async () => {
    const [one, four] = [await replay(file, { workers: 1 }), await replay(file, { workers: 4 })];
    assert.ok(four.waste.cached > one.waste.cached);
  });

  test('again and again, and files one after the other', async () => {
    const other = traceOf(busyTrace(3000, 2, 8), 'other.trace');
    const result = await runTraces(optionsOf([file, other], { workers: 2, repeat: 3 }));
    assert.deepEqual(result.audit, { clean: true, violations: [] });
    assert.deepEqual([result.ops, result.files, result.threads], [3 * 23_000, 2, 4]);
    assert.ok(result.types.some(({ name, requests }) => name === 'other' && requests > 0));
  });

  test('by as many workers as it has threads, at most one for a processor', async () => {
    const { workers: _, ...options } = optionsOf([traceOf([malloc(1, 1)])]);
    assert.equal((await runTraces(options)).workers, 1);
  });

  test('progress is told up to the end', async () => {
    const seen: Progress[] = [];
    await runTraces(optionsOf([file], { repeat: 2 }), { onProgress: (progress) => seen.push(progress) });
    for (const { done, total } of seen) assert.ok(done <= total && total === 60_000);
    assert.ok(seen.some(({ done }) => done >= 40_000));
  });

  test('tunables are set and told', async () => {
    const sysctl = ['vm.uma_timeout_ms'];
    const result = await replay(file, { settings: [{ name: 'vm.uma_timeout_ms', value: '777' }], sysctl });
    assert.deepEqual(
      result.sysctl?.map(({ value }) => value),
      [777],
    );
    await assert.rejects(replay(file, { sysctl: ['no.such'] }), UsageError);
  });
});

suite('a trace with', () => {
  test('blocks of no bytes, and a realloc to none', async () => {
    const result = await replay(
      traceOf([malloc(1, 0), realloc(1, 9), realloc(1, 0), memalign(2, 0), free(1)]),
    );
    assert.equal(result.peakLive, 9);
  });

  test('one record, and all that there was given back', async () => {
    assert.equal((await replay(traceOf([malloc(1, 100)]))).types[0]?.used, 1);
    assert.equal((await replay(traceOf([malloc(1, 100), free(1)]))).types[0]?.used, 0);
  });

  test('256 threads, each of which frees what another has allocated', async () => {
    const threads = Array.from({ length: 256 }, (_, thread) => thread);
    const records = threads.map((thread) => malloc(thread + 1, 64, thread));
    const frees = threads.map((thread) => free(((thread + 1) % 256) + 1, thread));
    const result = await replay(traceOf([...records, ...frees]), { workers: 3 });
    assert.equal(result.threads, 256);
  });

  test('more objects on their way than a ring holds, in both directions', async () => {
    const COUNT = 20_000;
    const numbers = Array.from({ length: COUNT }, (_, index) => index + 1);
    const thereAndBack = numbers.flatMap((object) => [malloc(object, 16, 0), malloc(COUNT + object, 16, 1)]);
    const crossed = numbers.flatMap((object) => [free(COUNT + object, 0), free(object, 1)]);
    const result = await replay(traceOf([...thereAndBack, ...crossed]), { workers: 2 });
    assert.equal(result.types[0]?.used, 0);
  });

  test('an object that goes from thread to thread', async () => {
    const rounds = Array.from({ length: 3000 }, (_, round) => realloc(1, round * 7, round % 3));
    await replay(traceOf([malloc(1, 5), ...rounds, free(1, 2)]), { workers: 3 });
  });

  test('blocks larger than a size class, and odd names', async () => {
    const result = await replay(
      traceOf([malloc(1, 3 * MIB), realloc(1, 5 * MIB), malloc(2, 65_537), free(1)], 'größe.trace'),
    );
    assert.equal(result.types[0]?.name, 'gr??e');
    assert.equal(result.peakLive, 5 * MIB + 65_537);
  });
});

suite('no memory for a record: which one', () => {
  const cases: readonly (readonly [string, readonly TraceRecord[], RegExp])[] = [
    [
      'a block larger than any',
      [malloc(1, 8), malloc(2, 0xffffffff)],
      /record 2 of .* asks for 4294967295 b/,
    ],
    ['a realloc', [malloc(1, 8), realloc(1, 90 * MIB)], /record 2 of .* asks for 94371840 bytes in vain/],
    [
      'too many',
      Array.from({ length: 40_000 }, (_, index) => malloc(index + 1, 2000, index % 2)),
      /asks for 2000 bytes/,
    ],
  ];
  for (const [name, records, message] of cases) {
    for (const workers of [1, 2]) {
      test(`${name}, ${workers} workers`, async () => {
        await assert.rejects(runTraces(optionsOf([traceOf(records)], { workers })), (error) => {
          assert(error instanceof InputError);
          assert.match(error.message, /^--memory: 67108864 bytes are too small: /);
          assert.match(error.message, message);
          return true;
        });
      });
    }
  }

  test('a memory that cannot be, or has no room for the addresses', async () => {
    const file = traceOf([malloc(1, 8)]);
    await assert.rejects(
      runTraces(optionsOf([file], { memoryBytes: 1000 })),
      /--memory: 1000 bytes are too s/,
    );
    await assert.rejects(
      runTraces(optionsOf([traceOf([malloc(30 * MIB, 8)])])),
      /too small: .*: no room for the addresses of its objects/,
    );
  });

  test('a limit that is too low', async () => {
    const settings = [{ name: 'vm.malloc.limited.limit', value: '4096' }];
    const file = traceOf([malloc(1, 3000), malloc(2, 3000)], 'limited.trace');
    await assert.rejects(
      runTraces(optionsOf([file], { settings })),
      /or --set has made too little of them: record 2/,
    );
  });

  test('what another worker frees is waited for', async () => {
    // Without waiting the first worker would need all blocks at one time.
    const COUNT = 4000;
    const records = Array.from({ length: COUNT }, (_, index) => [
      malloc(index + 1, 20_000),
      free(index + 1, 1),
    ]);
    await replay(traceOf([malloc(COUNT + 1, 1, 0), malloc(COUNT + 2, 1, 1), ...records.flat()]), {
      workers: 2,
      memoryBytes: 16 * MIB,
    });
  });
});

suite('interrupted', () => {
  const file = traceOf(busyTrace(50_000, 4, 9));
  test('while workers play, and while it is accounted for', async () => {
    for (const when of [1, 50_001]) {
      const controller = new AbortController();
      const onProgress = ({ done }: Progress): void => {
        if (done >= when) controller.abort();
      };
      const repeat = when === 1 ? 100_000 : 1;
      await assert.rejects(
        runTraces(optionsOf([file], { workers: 2, repeat }), { signal: controller.signal, onProgress }),
        InterruptedError,
      );
    }
  });
});

suite('the rivals', () => {
  const file = traceOf(busyTrace(5000, 3, 10));

  test('do the same job', async () => {
    const compared = await runRivals(optionsOf([file, file], { repeat: 2 }));
    assert.deepEqual(
      compared.map(({ name }) => name),
      ['@thi.ng/malloc', 'Buffer.allocUnsafe'],
    );
    for (const { result } of compared) {
      assert.ok(!('leftOut' in result), JSON.stringify(result));
      assert.equal(result.ops, 20_000);
      assert.ok(result.seconds > 0 && result.peakRss > MIB);
    }
  });

  test('one that is not installed is left out, and says how to get it', () => {
    const program = fileURLToPath(new URL('./rival.js', import.meta.url));
    const job = JSON.stringify({ ...optionsOf([file]), rival: '@thi.ng/malloc' });
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ['--import', without('@thi.ng/malloc'), program, job],
      {
        encoding: 'utf8',
      },
    );
    assert.equal(stdout, '{"leftOut":"the package is not installed: npm install @thi.ng/malloc"}\n', stderr);
  });

  test('one that finds no memory is left out, with the record', async () => {
    const [pool, ...others] = await runRivals(
      optionsOf([traceOf([malloc(1, 2 * MIB)])], { memoryBytes: MIB }),
    );
    assert.match(JSON.stringify(pool?.result), /^{"leftOut":".*: record 1: it found no memory"}$/);
    assert.ok(others.every(({ result }) => !('leftOut' in result)));
  });
});

/** What `--import` takes to let Node not find a package. */
function without(name: string): string {
  const script = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`;
  const hook = script(`export function resolve(specifier, context, next) {
    if (specifier !== '${name}') return next(specifier, context);
    throw Object.assign(new Error('gone'), { code: 'ERR_MODULE_NOT_FOUND' });
  }`);
  return script(`import { register } from 'node:module'; register(${JSON.stringify(hook)});`);
}
