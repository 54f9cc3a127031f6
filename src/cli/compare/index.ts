/**
 * The job of `mbuma replay` as a Node programmer would write it without mbuma: Buffers, Maps and messages.
 */

import { runProgram } from './program.js';
import type { BaselineOptions, BaselineResult } from './result.js';

export { peakRssBytes } from './peak-rss.js';
export type { BaselineOptions, BaselineResult } from './result.js';

/**
 * Runs the job in a process of its own.
 * @throws InputError with one line that says why it failed; InterruptedError when `signal` aborted it. The
 * process has ended then.
 */
export function runBaseline(options: BaselineOptions, signal?: AbortSignal): Promise<BaselineResult> {
  return runProgram<BaselineResult>(new URL('./baseline.js', import.meta.url), options, signal);
}
