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

/** From now on: answers the longest that any one of these threads has had to wait for a processor since. */
export function watchRunDelay(threads) {
  const before = threads.map(runDelayMs);
  return () => Math.max(0, ...threads.map((thread, index) => runDelayMs(thread) - before[index]));
}
