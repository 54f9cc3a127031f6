#!/usr/bin/env node
/** The command `mbuma`. */

import { EXIT_INPUT, EXIT_INTERRUPTED, runCommand } from './command.js';

const controller = new AbortController();

function interrupt(): void {
  // Who asks twice does not want to wait.
  if (controller.signal.aborted) process.exit(EXIT_INTERRUPTED);
  controller.abort();
}
process.on('SIGINT', interrupt);
process.on('SIGTERM', interrupt);

// Whoever read the output has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  // A full disk, and the like.
  process.stderr.write(`mbuma: standard output: ${error.message}\n`);
  process.exit(EXIT_INPUT);
});

process.exitCode = await runCommand({
  args: process.argv.slice(2),
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: controller.signal,
});
