/** From the command line to the exit status. */

import { readFileSync } from 'node:fs';
import { runBaseline } from './compare/index.js';
import { InputError, InterruptedError, UsageError } from './errors.js';
import { HELP } from './help.js';
import { type Invocation, readInvocation } from './options.js';
import { jsonOf, traceJsonOf } from './output/json.js';
import { createProgressLine } from './output/progress.js';
import { disagreements, textOf } from './output/text.js';
import { traceTextOf } from './output/trace-text.js';
import { runReplayApart } from './replay/apart.js';
import type { AuditFigures, JobFigures, ReplayResult } from './replay/result.js';
import { runReplay } from './replay/run.js';
import { runSysctl } from './sysctl/run.js';
import type { TraceResult } from './trace/result.js';
import { type Compared, runRivals } from './trace/rivals.js';
import { runTraces } from './trace/run.js';

/** What the command touches of its process. */
export interface Surroundings {
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  /** Aborted when the user wants to stop. */
  readonly signal: AbortSignal;
}

export const EXIT_DONE = 0;
export const EXIT_INPUT = 1;
export const EXIT_USAGE = 2;
export const EXIT_INTERRUPTED = 130;

/** Runs the command; gives its exit status. Throws only what is a fault of the command itself. */
export async function runCommand(around: Surroundings): Promise<number> {
  try {
    return await run(readInvocation(around.args), around);
  } catch (error) {
    const say = (line: string): boolean => around.stderr.write(`mbuma: ${line}\n`);
    if (error instanceof UsageError) {
      say(`${error.message} (\`mbuma --help\` tells more)`);
      return EXIT_USAGE;
    }
    if (error instanceof InterruptedError) {
      say('interrupted');
      return EXIT_INTERRUPTED;
    }
    if (!(error instanceof InputError)) throw error;
    say(error.message.replaceAll(/\s*\n\s*/g, ' '));
    return EXIT_INPUT;
  }
}

async function run(invocation: Invocation, around: Surroundings): Promise<number> {
  switch (invocation.kind) {
    case 'help':
      around.stdout.write(HELP);
      return EXIT_DONE;
    case 'version':
      around.stdout.write(`${version()}\n`);
      return EXIT_DONE;
    case 'sysctl':
      around.stdout.write(runSysctl(invocation.options));
      return EXIT_DONE;
    case 'replay':
      return replay(invocation, around);
    case 'trace':
      return replayTraces(invocation, around);
  }
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

async function replay(
  { options, compare, json }: Extract<Invocation, { kind: 'replay' }>,
  { stdout, stderr, env, signal }: Surroundings,
): Promise<number> {
  const line = createProgressLine(stderr, env);
  const hooks = { signal, onProgress: line.show };
  let result: ReplayResult;
  let compared: JobFigures | undefined;
  try {
    result = compare ? await runReplayApart(options, hooks) : await runReplay(options, hooks);
    if (compare) compared = await runBaseline(options, signal);
  } finally {
    line.end();
  }
  stdout.write(json ? `${JSON.stringify(jsonOf(result, compared))}\n` : textOf(result, compared));
  refuseUnclean(result.audit);
  const differing = compared === undefined ? [] : disagreements(result, compared);
  if (differing.length > 0) throw new InputError(`the two sides disagree: ${differing.join('; ')}`);
  return EXIT_DONE;
}

async function replayTraces(
  { options, compare, json }: Extract<Invocation, { kind: 'trace' }>,
  { stdout, stderr, env, signal }: Surroundings,
): Promise<number> {
  const line = createProgressLine(stderr, env);
  let result: TraceResult;
  let compared: readonly Compared[] | undefined;
  try {
    result = await runTraces(options, { signal, onProgress: line.show });
    if (compare) compared = await runRivals(options, signal);
  } finally {
    line.end();
  }
  stdout.write(json ? `${JSON.stringify(traceJsonOf(result, compared))}\n` : traceTextOf(result, compared));
  refuseUnclean(result.audit);
  return EXIT_DONE;
}

function refuseUnclean({ clean }: AuditFigures): void {
  if (!clean) throw new InputError('the audit of the memory is not clean');
}
