/** The most memory that this process ever had resident. */

import { readFileSync } from 'node:fs';

/**
 * In bytes. Not `resourceUsage().maxRSS` where that can be helped: on Linux a child inherits it from the
 * process that started it, so a small child of a large parent seems large.
 */
export function peakRssBytes(): number {
  return (ownPeakKibibytes() ?? process.resourceUsage().maxRSS) * 1024;
}

function ownPeakKibibytes(): number | undefined {
  try {
    const peak = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1];
    return peak === undefined ? undefined : Number(peak);
  } catch {
    return undefined;
  }
}
