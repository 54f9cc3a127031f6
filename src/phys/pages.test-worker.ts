/** Takes and frees runs at random; every word that it may touch in its runs carries its cookie. */

import { parentPort, workerData } from 'node:worker_threads';
import { PAGE_WORDS } from '../machine/index.js';
import { PageState } from './index.js';
import { joinKit, type WorkerOrders } from './phys.test-kit.js';

const { handle, rounds, seed } = workerData as WorkerOrders;
const { machine, pages } = joinKit(handle);
const { words } = machine;
const runs: { page: number; count: number }[] = [];
let state = seed;
let taken = 0;
let refused = 0;

function random(below: number): number {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
  return (state >>> 8) % below;
}

/** First and last word of each page of a run. */
function* marksOf({ page, count }: { page: number; count: number }): Generator<number> {
  for (let each = page; each < page + count; each++) {
    yield each * PAGE_WORDS;
    yield each * PAGE_WORDS + PAGE_WORDS - 1;
  }
}

function give(index: number): void {
  const [run] = runs.splice(index, 1);
  if (run === undefined) return;
  for (const mark of marksOf(run)) {
    if (words[mark] !== seed)
      throw new Error(`another thread wrote to page ${Math.floor(mark / PAGE_WORDS)}`);
  }
  if (pages.objectOf(run.page + run.count - 1) !== seed) throw new Error('the object is not ours');
  pages.freeRun(run.page, run.count);
}

for (let round = 0; round < rounds; round++) {
  if (random(2) === 0) {
    give(random(runs.length + 1));
    continue;
  }
  const count = 1 + random(random(4) === 0 ? 40 : 6);
  const page = pages.tryAllocRun(count, PageState.RUN);
  if (page === 0) {
    refused++;
    give(0);
    continue;
  }
  taken++;
  const run = { page, count };
  pages.setObject(page, count, seed);
  for (const mark of marksOf(run)) words[mark] = seed;
  runs.push(run);
}
while (runs.length > 0) give(0);
parentPort?.postMessage({ taken, refused });
