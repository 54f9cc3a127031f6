/** The command line, read strictly: anything that is not understood is an error, nothing is guessed. */

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { UsageError } from './errors.js';
import type { ReplayOptions } from './replay/result.js';

export type Invocation =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | {
      readonly kind: 'replay';
      readonly options: ReplayOptions;
      readonly compare: boolean;
      readonly json: boolean;
    };

export const WORKERS_MAX = 64;
export const REPEAT_MAX = 1_000_000;
export const TOP_MAX = 1_000_000;
export const DEFAULT_MEMORY = '64M';
export const DEFAULT_TOP = 10;

/** One thread reads; the others work. More than four seldom help: then reading is the limit. */
export function defaultWorkers(): number {
  return Math.max(1, Math.min(4, availableParallelism() - 1));
}

/** @param args what stands after the program's name */
export function readInvocation(args: readonly string[]): Invocation {
  const { values, positionals } = parse(args);
  if (values.help) return { kind: 'help' };
  if (values.version) return { kind: 'version' };
  const [command, ...files] = positionals;
  if (command === undefined) throw new UsageError('a command is missing: there is `replay`');
  if (command !== 'replay')
    throw new UsageError(`unknown command ${JSON.stringify(command)}: there is \`replay\``);
  if (files.length === 0) throw new UsageError('replay: a capture file is missing');
  const options = {
    files,
    workers: readCount('--workers', values.workers, 1, WORKERS_MAX, defaultWorkers()),
    repeat: readCount('--repeat', values.repeat, 1, REPEAT_MAX, 1),
    memoryBytes: readSize('--memory', values.memory ?? DEFAULT_MEMORY),
    top: readCount('--top', values.top, 0, TOP_MAX, DEFAULT_TOP),
  };
  return { kind: 'replay', options, compare: values.compare ?? false, json: values.json ?? false };
}

type Values = ReturnType<typeof parseStrictly>['values'];

function parseStrictly(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      workers: { type: 'string', short: 'w' },
      repeat: { type: 'string', short: 'r' },
      memory: { type: 'string', short: 'm' },
      top: { type: 'string', short: 't' },
      compare: { type: 'boolean' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean', short: 'V' },
    },
  });
}

function parse(args: readonly string[]): { values: Values; positionals: string[] } {
  try {
    return parseStrictly(args);
  } catch (error) {
    // Its messages are sentences; some go on with advice that would need a second line.
    const [sentence = ''] = (error as Error).message.split(/\.\s|\n/);
    throw new UsageError(sentence);
  }
}

function readCount(
  option: string,
  text: string | undefined,
  least: number,
  most: number,
  fallback: number,
): number {
  if (text === undefined) return fallback;
  const count = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (count >= least && count <= most) return count;
  throw new UsageError(
    `${option} must be a whole number from ${least} to ${most}, not ${JSON.stringify(text)}`,
  );
}

const units = new Map([
  ['', 1],
  ['K', 2 ** 10],
  ['M', 2 ** 20],
  ['G', 2 ** 30],
]);

/** Bytes: `67108864`, `65536K`, `64M`, `64MiB`, `1G`. */
export function readSize(option: string, text: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,12})\s*([KMG]?)(?:i?B)?$/i.exec(text) ?? [];
  const bytes = Number(digits) * (units.get(unit.toUpperCase()) ?? Number.NaN);
  if (digits !== '' && Number.isSafeInteger(bytes)) return bytes;
  throw new UsageError(`${option} must be a size such as 64M or 1G, not ${JSON.stringify(text)}`);
}
