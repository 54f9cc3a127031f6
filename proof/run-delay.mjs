// How long a thread has wanted a processor and had none, as the kernel of Linux counts it; elsewhere never.

import { readFileSync } from 'node:fs';

/** Milliseconds since the thread began; 0 of a thread that is gone. */
export function runDelayMs(thread) {
  try {
    const [, waitedNs] = readFileSync(`/proc/self/task/${thread}/schedstat`, 'latin1').split(' ');
    return Number(waitedNs) / 1e6;
  } catch {
    return 0;
  }
}

/**
 * From now on: answers how long this process' first thread has had to wait for a processor since, and after
 * it the one of `others` that waited longest. One cleans up, then the other goes on.
 */
export function watchRunDelay(others) {
  const threads = [process.pid, ...others];
  const before = threads.map(runDelayMs);
  return () => {
    const [first, ...rest] = threads.map((thread, index) => Math.max(0, runDelayMs(thread) - before[index]));
    return first + Math.max(0, ...rest);
  };
}
