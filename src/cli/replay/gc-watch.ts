/** Counts the pauses of the garbage collector in this thread. */

import { type PerformanceEntry, PerformanceObserver, performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';

export interface GcFigures {
  readonly count: number;
  readonly ms: number;
  readonly maxMs: number;
}

export interface GcWatch {
  /** The pauses between `from` and now, in this thread's `performance.now()`. */
  stop(from: number): Promise<GcFigures>;
}

export function watchGc(): GcWatch {
  const entries: PerformanceEntry[] = [];
  const observer = new PerformanceObserver((list) => entries.push(...list.getEntries()));
  observer.observe({ entryTypes: ['gc'] });
  return {
    async stop(from) {
      const to = performance.now();
      // Entries arrive with the event loop, one round late.
      await setImmediate();
      await setImmediate();
      entries.push(...observer.takeRecords());
      observer.disconnect();
      const pauses = entries
        .filter(({ startTime }) => startTime >= from && startTime <= to)
        .map(({ duration }) => duration);
      return sumGc(pauses.map((ms) => ({ count: 1, ms, maxMs: ms })));
    },
  };
}

/** The figures of several threads together. */
export function sumGc(figures: readonly GcFigures[]): GcFigures {
  return figures.reduce(
    (sum, each) => ({
      count: sum.count + each.count,
      ms: sum.ms + each.ms,
      maxMs: Math.max(sum.maxMs, each.maxMs),
    }),
    { count: 0, ms: 0, maxMs: 0 },
  );
}
