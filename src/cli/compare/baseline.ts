/**
 * The program of the comparison: one JSON argument, one JSON line. It has a process of its own, so that its
 * memory and its pauses are its own.
 */

import type { BaselineOptions, Outcome } from './result.js';
import { run } from './run.js';

function finish(outcome: Outcome, status: number): void {
  // Not before the line is written: a pipe may be slow.
  process.stdout.write(`${JSON.stringify(outcome)}\n`, () => process.exit(status));
}

function fail(error: unknown): void {
  finish({ error: error instanceof Error ? error.message : String(error) }, 1);
}

// A worker that died while nobody waited for it.
process.on('uncaughtException', fail);
if (process.connected) {
  // Without the parent there is nobody to work for. It also decides what Ctrl-C means.
  process.on('disconnect', () => process.exit());
  process.on('SIGINT', () => {});
}
try {
  const options = JSON.parse(process.argv[2] ?? '') as BaselineOptions;
  finish(await run(options), 0);
} catch (error) {
  fail(error);
}
