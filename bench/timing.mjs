// How a cell is timed in JavaScript. bench/native/timing.h does the same in C: the same clock (monotonic wall
// time), the same warm-up, the same number and length of repetitions, the same line of output.
import { constants, PerformanceObserver, performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { median } from './statistics.mjs';

const WARM_UP_MS = 100;
const REPETITION_MS = 25;
const REPETITIONS = 9;
/** A loop whose turn takes seconds is repeated less often: none begins after so many milliseconds. */
const LAST_BEGIN_MS = 5000;

/** Calls `loop(turns)` until it is warm and `turns` fill one repetition; gives that number of turns. */
function findTurns(loop) {
  let turns = 1;
  let warmMs = 0;
  for (;;) {
    const tookMs = timeTurns(loop, turns);
    warmMs += tookMs;
    if (tookMs < REPETITION_MS) {
      turns = tookMs < REPETITION_MS / 8 ? turns * 4 : turns + Math.floor(turns / 4) + 1;
    } else if (warmMs >= WARM_UP_MS) {
      return turns;
    }
  }
}

function timeTurns(loop, turns) {
  const start = performance.now();
  loop(turns);
  return performance.now() - start;
}

/** The garbage collections of the timed part only; those of start and warm-up are not counted. */
async function watchCollections(timedPart) {
  const entries = [];
  const observer = new PerformanceObserver((list) => entries.push(...list.getEntries()));
  observer.observe({ entryTypes: ['gc'] });
  const start = performance.now();
  const result = timedPart();
  const end = performance.now();
  // Entries are delivered from the event loop, after the collection.
  for (let i = 0; i < 3; i++) await setImmediate();
  entries.push(...observer.takeRecords());
  observer.disconnect();
  const pauses = entries.filter((entry) => entry.startTime >= start && entry.startTime < end);
  return { result, gc: summarize(pauses) };
}

function summarize(pauses) {
  let ms = 0;
  let maxMs = 0;
  let major = 0;
  for (const pause of pauses) {
    ms += pause.duration;
    maxMs = Math.max(maxMs, pause.duration);
    if (pause.detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) major++;
  }
  return { count: pauses.length, major, ms, maxMs };
}

/**
 * Times `loop` and prints one JSON line: ns per item, median and best of the repetitions, the GC, and what is
 * `besides`.
 */
export async function measureLoop(loop, itemsPerTurn, besides = {}) {
  const turns = findTurns(loop);
  const { result, gc } = await watchCollections(() => {
    const samples = new Float64Array(REPETITIONS);
    const start = performance.now();
    let count = 0;
    while (count < REPETITIONS && (count === 0 || performance.now() - start < LAST_BEGIN_MS))
      samples[count++] = timeTurns(loop, turns);
    return samples.subarray(0, count);
  });
  const ns = Array.from(result, (ms) => (ms * 1e6) / turns / itemsPerTurn);
  const rssMiB = process.memoryUsage.rss() / 2 ** 20;
  console.log(JSON.stringify({ median: median(ns), best: Math.min(...ns), turns, gc, rssMiB, ...besides }));
}
