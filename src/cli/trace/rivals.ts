/** Those that a replay of traces is compared with: each has a process of its own, and one thread. */

import { runProgram } from '../compare/program.js';
import type { SpeedFigures, TraceOptions } from './result.js';

/** Names, as they are told. */
export const RIVALS = ['@thi.ng/malloc', 'Buffer.allocUnsafe'] as const;

export type RivalName = (typeof RIVALS)[number];

export interface RivalOptions extends Pick<TraceOptions, 'files' | 'repeat' | 'memoryBytes' | 'fills'> {
  readonly rival: RivalName;
}

/** What it did, or why it could not. */
export type RivalResult = SpeedFigures | { readonly leftOut: string };

export interface Compared {
  readonly name: RivalName;
  readonly result: RivalResult;
}

/** One after the other. @throws InputError, InterruptedError */
export async function runRivals(options: TraceOptions, signal?: AbortSignal): Promise<readonly Compared[]> {
  const { files, repeat, memoryBytes, fills } = options;
  const program = new URL('./rival.js', import.meta.url);
  const compared: Compared[] = [];
  for (const rival of RIVALS) {
    const job: RivalOptions = { rival, files, repeat, memoryBytes, fills };
    compared.push({ name: rival, result: await runProgram<RivalResult>(program, job, signal) });
  }
  return compared;
}
