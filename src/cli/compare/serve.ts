/** The side of a program that `program.ts` runs: reads its argument, prints its line, and ends. */

import type { Outcome } from './program.js';

export async function serve<Options, Result extends object>(
  work: (options: Options) => Result | Promise<Result>,
): Promise<void> {
  function finish(outcome: Outcome<Result>, status: number): void {
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
    finish(await work(JSON.parse(process.argv[2] ?? '') as Options), 0);
  } catch (error) {
    fail(error);
  }
}
