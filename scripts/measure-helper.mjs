// What the helper's operations cost, called from JavaScript, against JavaScript's own ways.
//
//   node scripts/measure-helper.mjs [rounds]     a table of medians in ns, one process per figure
//
// Run it by any Node binary: every figure is measured by that binary, the ways interleaved, `rounds` (5)
// times.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const atomicCases = ['lock-unlock', 'load', 'store', 'add', 'notify'];
const bulkSizes = [16, 64, 256, 1500, 4096];
const bulkCases = bulkSizes.flatMap((size) => [`fill-${size}`, `copy-${size}`]);
const ways = ['wasm', 'js', 'js-words', 'js-loop'];

if (process.argv[2] === '--one') {
  const { createPlainHelper, createWasmMemory, instantiateHelper } = await import(
    '../dist/machine/helper/index.js'
  );
  const memory = createWasmMemory(1024);
  const words = new Int32Array(memory.buffer, 0, memory.buffer.byteLength >> 2);
  const bytes = new Uint8Array(memory.buffer, 0, memory.buffer.byteLength);
  const helper = process.argv[4] === 'wasm' ? instantiateHelper(memory) : createPlainHelper(words, bytes);
  console.log(measure(process.argv[3], process.argv[4], helper, words, bytes));
} else {
  compareAll(Number(process.argv[2] ?? 5));
}

function compareAll(rounds) {
  console.log(`node ${process.version}, ns per operation, median of ${rounds} (least)`);
  for (const name of [...atomicCases, ...bulkCases]) {
    const figures = new Map();
    for (let round = 0; round < rounds; round += 1) {
      for (const way of ways) {
        const run = spawnSync(process.execPath, [fileURLToPath(import.meta.url), '--one', name, way], {
          encoding: 'utf8',
        });
        if (run.status !== 0) throw new Error(run.stderr);
        const nanoseconds = Number(run.stdout);
        if (nanoseconds > 0) figures.set(way, [...(figures.get(way) ?? []), nanoseconds]);
      }
    }
    const cells = [...figures].map(([way, list]) => {
      list.sort((a, b) => a - b);
      return `${way} ${list[list.length >> 1].toFixed(1)} (${list[0].toFixed(1)})`;
    });
    console.log(`${name.padEnd(12)} ${cells.join('   ')}`);
  }
}

/** ns per operation of case `name` done the `way` asked for; 0 when that way does not exist for it. */
function measure(name, way, helper, words, bytes) {
  const [kind, sizeText] = name.split('-');
  const body =
    kind === 'fill' || kind === 'copy'
      ? bulkBody(kind, way, Number(sizeText), helper, words, bytes)
      : atomicBody(name, way, helper, words);
  if (body === null) return 0;
  const perCall = 1000;
  let calls = 20;
  for (let warm = 0; warm < 50; warm += 1) body(perCall);
  let best = 0;
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const start = process.hrtime.bigint();
    for (let call = 0; call < calls; call += 1) body(perCall);
    const elapsed = Number(process.hrtime.bigint() - start);
    const each = elapsed / (calls * perCall);
    if (best === 0 || each < best) best = each;
    if (elapsed < 5e6) calls *= 2;
  }
  return best;
}

// Each body works on 64 locks, 64 bytes apart, with a plain access under the lock, as a zone's slow path
// does.

function atomicBody(name, way, helper, words) {
  const { load, store, add, exchange, compareExchange, notify } = helper;
  const first = 4096;
  if (way === 'wasm') {
    return {
      'lock-unlock'(count) {
        for (let i = 0; i < count; i += 1) {
          const lock = first + ((i & 63) << 6);
          if (compareExchange(lock, 0, 7) !== 0) throw new Error('held');
          words[(lock >> 2) + 1] += 1;
          if (exchange(lock, 0) !== 7) throw new Error('lost');
        }
      },
      load(count) {
        let sum = 0;
        for (let i = 0; i < count; i += 1) sum = (sum + load(first + ((i & 63) << 6))) | 0;
        words[1] = sum;
      },
      store(count) {
        for (let i = 0; i < count; i += 1) store(first + ((i & 63) << 6), i);
      },
      add(count) {
        for (let i = 0; i < count; i += 1) add(first + ((i & 63) << 6), 1);
      },
      notify(count) {
        for (let i = 0; i < count; i += 1) notify(first + ((i & 63) << 6), 1);
      },
    }[name];
  }
  if (way !== 'js') return null;
  return {
    'lock-unlock'(count) {
      for (let i = 0; i < count; i += 1) {
        const lock = (first + ((i & 63) << 6)) >> 2;
        if (Atomics.compareExchange(words, lock, 0, 7) !== 0) throw new Error('held');
        words[lock + 1] += 1;
        if (Atomics.exchange(words, lock, 0) !== 7) throw new Error('lost');
      }
    },
    load(count) {
      let sum = 0;
      for (let i = 0; i < count; i += 1)
        sum = (sum + Atomics.load(words, (first + ((i & 63) << 6)) >> 2)) | 0;
      words[1] = sum;
    },
    store(count) {
      for (let i = 0; i < count; i += 1) Atomics.store(words, (first + ((i & 63) << 6)) >> 2, i);
    },
    add(count) {
      for (let i = 0; i < count; i += 1) Atomics.add(words, (first + ((i & 63) << 6)) >> 2, 1);
    },
    notify(count) {
      for (let i = 0; i < count; i += 1) Atomics.notify(words, (first + ((i & 63) << 6)) >> 2, 1);
    },
  }[name];
}

function bulkBody(kind, way, size, helper, words, bytes) {
  const { fill, copy } = helper;
  const targets = 1 << 20;
  const sources = 2 << 20;
  const step = (size + 63) & ~63;
  if (kind === 'fill') {
    return {
      wasm(count) {
        for (let i = 0; i < count; i += 1) fill(targets + (i & 63) * step, 0, size);
      },
      js(count) {
        for (let i = 0; i < count; i += 1) {
          const at = targets + (i & 63) * step;
          bytes.fill(0, at, at + size);
        }
      },
      'js-words'(count) {
        for (let i = 0; i < count; i += 1) {
          const at = (targets + (i & 63) * step) >> 2;
          words.fill(0, at, at + (size >> 2));
        }
      },
      'js-loop'(count) {
        for (let i = 0; i < count; i += 1) {
          const at = (targets + (i & 63) * step) >> 2;
          for (let word = at, end = at + (size >> 2); word < end; word += 1) words[word] = 0;
        }
      },
    }[way];
  }
  return {
    wasm(count) {
      for (let i = 0; i < count; i += 1) {
        const offset = (i & 63) * step;
        copy(targets + offset, sources + offset, size);
      }
    },
    js(count) {
      for (let i = 0; i < count; i += 1) {
        const offset = (i & 63) * step;
        bytes.copyWithin(targets + offset, sources + offset, sources + offset + size);
      }
    },
    'js-words'(count) {
      for (let i = 0; i < count; i += 1) {
        const offset = ((i & 63) * step) >> 2;
        words.copyWithin(
          (targets >> 2) + offset,
          (sources >> 2) + offset,
          (sources >> 2) + offset + (size >> 2),
        );
      }
    },
    'js-loop'(count) {
      for (let i = 0; i < count; i += 1) {
        const offset = ((i & 63) * step) >> 2;
        const target = (targets >> 2) + offset;
        const source = (sources >> 2) + offset;
        for (let word = 0, end = size >> 2; word < end; word += 1)
          words[target + word] = words[source + word];
      }
    },
  }[way];
}
