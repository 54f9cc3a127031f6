/**
 * The job of `mbuma replay` as a Node programmer would write it without mbuma: Buffers, Maps and messages.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { InputError, InterruptedError } from '../errors.js';
import type { BaselineOptions, BaselineResult, Outcome } from './result.js';

export { peakRssBytes } from './peak-rss.js';
export type { BaselineOptions, BaselineResult } from './result.js';

const PROGRAM = fileURLToPath(new URL('./baseline.js', import.meta.url));

/**
 * Runs the job in a process of its own.
 * @throws InputError with one line that says why it failed; InterruptedError when `signal` aborted it. The
 * process has ended then.
 */
export async function runBaseline(options: BaselineOptions, signal?: AbortSignal): Promise<BaselineResult> {
  try {
    return await runProgram(options, signal);
  } catch (error) {
    throw error instanceof InputError || error instanceof InterruptedError ? error : failure(error);
  }
}

async function runProgram(
  options: BaselineOptions,
  signal: AbortSignal | undefined,
): Promise<BaselineResult> {
  if (signal?.aborted) throw new InterruptedError();
  // Nothing goes over the channel. By its closing the child learns that its parent is gone.
  const child = spawn(process.execPath, [PROGRAM, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  signal?.addEventListener('abort', kill);
  try {
    const [output, complaints, ending] = await Promise.all([
      textOf(child.stdout),
      textOf(child.stderr),
      once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>,
    ]);
    if (signal?.aborted) throw new InterruptedError();
    const [status, killedBy] = ending;
    return resultOf(output, complaints, killedBy ?? `status ${status}`);
  } finally {
    signal?.removeEventListener('abort', kill);
  }
}

async function textOf(stream: Readable | null): Promise<string> {
  return stream === null ? '' : text(stream);
}

function resultOf(output: string, complaints: string, ending: string): BaselineResult {
  const outcome = outcomeOf(output);
  if (outcome !== undefined) {
    if ('error' in outcome) throw failure(outcome.error);
    return outcome;
  }
  const lastWords = complaints.trim().split('\n').at(-1);
  throw failure(`it ended with ${ending}${lastWords ? `: ${lastWords}` : ''}`);
}

/** Nothing when the program ended before it had printed its line. */
function outcomeOf(output: string): Outcome | undefined {
  try {
    return JSON.parse(output) as Outcome;
  } catch {
    return undefined;
  }
}

function failure(reason: unknown): InputError {
  const message = reason instanceof Error ? reason.message : String(reason);
  return new InputError(`the comparison failed: ${message}`);
}
