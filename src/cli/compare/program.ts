/** A program of a comparison, run in a process of its own: one JSON argument, one JSON line. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { InputError, InterruptedError } from '../errors.js';

/** The one line: the result, or in one line what was wrong. */
export type Outcome<Result> = Result | { readonly error: string };

/**
 * @param program what calls `serve`
 * @throws InputError with one line that says why it failed; InterruptedError when `signal` aborted it. The
 * process has ended then.
 */
export async function runProgram<Result extends object>(
  program: URL,
  options: object,
  signal?: AbortSignal,
): Promise<Result> {
  try {
    return await run<Result>(fileURLToPath(program), options, signal);
  } catch (error) {
    throw error instanceof InputError || error instanceof InterruptedError ? error : failure(error);
  }
}

async function run<Result extends object>(
  program: string,
  options: object,
  signal: AbortSignal | undefined,
): Promise<Result> {
  if (signal?.aborted) throw new InterruptedError();
  // Nothing goes over the channel. By its closing the child learns that its parent is gone.
  const child = spawn(process.execPath, [program, JSON.stringify(options)], {
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

function resultOf<Result extends object>(output: string, complaints: string, ending: string): Result {
  const outcome = outcomeOf<Result>(output);
  if (outcome !== undefined) {
    if ('error' in outcome) throw failure(outcome.error);
    return outcome;
  }
  const lastWords = complaints.trim().split('\n').at(-1);
  throw failure(`it ended with ${ending}${lastWords ? `: ${lastWords}` : ''}`);
}

/** Nothing when the program ended before it had printed its line. */
function outcomeOf<Result>(output: string): Outcome<Result> | undefined {
  try {
    return JSON.parse(output) as Outcome<Result>;
  } catch {
    return undefined;
  }
}

function failure(reason: unknown): InputError {
  const message = reason instanceof Error ? reason.message : String(reason);
  return new InputError(`the comparison failed: ${message}`);
}
