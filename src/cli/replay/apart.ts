/** A replay in a process of its own, so that its peak memory and its garbage collections are its own. */

import { fork } from 'node:child_process';
import { CaptureError, InputError, InterruptedError, UsageError } from '../errors.js';
import type { Progress, ReplayHooks, ReplayOptions, ReplayResult } from './result.js';

/** What the process is told: the job first, then perhaps to stop. */
export type ToChild = { readonly kind: 'start'; readonly options: ReplayOptions } | { readonly kind: 'stop' };

export type FromChild =
  | { readonly kind: 'progress'; readonly progress: Progress }
  | { readonly kind: 'result'; readonly result: ReplayResult }
  | { readonly kind: 'error'; readonly error: SentError };

/** An error as it goes from process to process. */
export interface SentError {
  readonly name: string;
  readonly message: string;
}

export function sendableError(error: unknown): SentError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  // Of an error of ours the message is all that is to be said.
  const known = [InputError, InterruptedError, UsageError].some((kind) => error instanceof kind);
  const name = error instanceof CaptureError ? 'InputError' : error.name;
  return { name, message: known ? error.message : (error.stack ?? error.message) };
}

function receivedError({ name, message }: SentError): Error {
  if (name === 'InputError') return new InputError(message);
  if (name === 'UsageError') return new UsageError(message);
  return name === 'InterruptedError' ? new InterruptedError() : new Error(message);
}

export function runReplayApart(options: ReplayOptions, hooks: ReplayHooks = {}): Promise<ReplayResult> {
  const child = fork(new URL('./child.js', import.meta.url), [], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const send = (message: ToChild): void => {
    if (child.connected) child.send(message);
  };
  const stop = (): void => send({ kind: 'stop' });
  hooks.signal?.addEventListener('abort', stop);
  return new Promise<ReplayResult>((resolve, reject) => {
    child.on('message', (message: FromChild) => {
      if (message.kind === 'progress') hooks.onProgress?.(message.progress);
      else if (message.kind === 'result') resolve(message.result);
      else reject(receivedError(message.error));
    });
    child.on('error', reject);
    child.on('exit', (code, signal) =>
      reject(new Error(`the replay's process ended with ${signal ?? code}`)),
    );
    send({ kind: 'start', options });
  }).finally(() => {
    hooks.signal?.removeEventListener('abort', stop);
    if (child.connected) child.disconnect();
  });
}
