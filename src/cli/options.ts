/** The command line, read strictly: anything that is not understood is an error, nothing is guessed. */

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { UsageError } from './errors.js';
import type { ReplayOptions } from './replay/result.js';
import { type Assignment, readAssignment } from './sysctl/assignments.js';
import type { Detail } from './sysctl/format.js';
import type { SysctlOptions } from './sysctl/run.js';
import type { TraceOptions } from './trace/result.js';

export type Invocation =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'sysctl'; readonly options: SysctlOptions }
  | {
      readonly kind: 'replay';
      readonly options: ReplayOptions;
      readonly compare: boolean;
      readonly json: boolean;
    }
  | {
      readonly kind: 'trace';
      readonly options: TraceOptions;
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
  if (args[0] === 'sysctl') return readSysctl(args.slice(1));
  const { values, positionals } = parse(() => parseReplay(args));
  if (values.help) return { kind: 'help' };
  if (values.version) return { kind: 'version' };
  const [command, ...files] = positionals;
  if (command === undefined) throw new UsageError('a command is missing: there are `replay` and `sysctl`');
  if (command === 'sysctl') throw new UsageError('sysctl: its options stand behind it');
  if (command !== 'replay')
    throw new UsageError(`unknown command ${JSON.stringify(command)}: there are \`replay\` and \`sysctl\``);
  if (files.length === 0) throw new UsageError('replay: a capture or trace file is missing');
  const shared = {
    files,
    repeat: readCount('--repeat', values.repeat, 1, REPEAT_MAX, 1),
    memoryBytes: readSize('--memory', values.memory ?? DEFAULT_MEMORY),
    ...(values.set === undefined ? {} : { settings: values.set.map(readSetting) }),
    ...(values.sysctl === undefined ? {} : { sysctl: values.sysctl.map(readName) }),
  };
  const workers = readCount('--workers', values.workers, 1, WORKERS_MAX, defaultWorkers());
  const top = readCount('--top', values.top, 0, TOP_MAX, DEFAULT_TOP);
  const rest = { compare: values.compare ?? false, json: values.json ?? false };
  if (areTraces(files)) {
    if (values.top !== undefined) throw new UsageError('--top is for captures: traces have no conversations');
    const fills = !(values['no-fill'] ?? false);
    // How many threads the trace has is not known yet.
    const chosen = values.workers === undefined ? {} : { workers };
    return { kind: 'trace', options: { ...shared, ...chosen, fills }, ...rest };
  }
  if (values['no-fill']) throw new UsageError('--no-fill is for traces: a capture has its own bytes');
  return { kind: 'replay', options: { ...shared, workers, top }, ...rest };
}

/** Traces have no mark inside by which they could be known. */
function areTraces(files: readonly string[]): boolean {
  const traces = files.filter((file) => file.toLowerCase().endsWith('.trace'));
  if (traces.length > 0 && traces.length < files.length)
    throw new UsageError('replay: captures and traces (*.trace) cannot be replayed together');
  return traces.length > 0;
}

function parseReplay(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      workers: { type: 'string', short: 'w' },
      repeat: { type: 'string', short: 'r' },
      memory: { type: 'string', short: 'm' },
      top: { type: 'string', short: 't' },
      'no-fill': { type: 'boolean' },
      set: { type: 'string', multiple: true },
      sysctl: { type: 'string', multiple: true },
      compare: { type: 'boolean' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean', short: 'V' },
    },
  });
}

function parseSysctl(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      description: { type: 'boolean', short: 'd' },
      name: { type: 'boolean', short: 'N' },
      type: { type: 'boolean', short: 't' },
      value: { type: 'boolean', short: 'n' },
      writable: { type: 'boolean', short: 'W' },
      memory: { type: 'string', short: 'm' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean', short: 'V' },
    },
  });
}

const details: readonly (readonly [option: 'description' | 'name' | 'type' | 'value', detail: Detail])[] = [
  ['description', 'description'],
  ['name', 'name alone'],
  ['type', 'type'],
  ['value', 'value alone'],
];

function readSysctl(args: readonly string[]): Invocation {
  const { values, positionals } = parse(() => parseSysctl(args));
  if (values.help) return { kind: 'help' };
  if (values.version) return { kind: 'version' };
  const json = values.json ?? false;
  const chosen = details.filter(([option]) => values[option]);
  if (chosen.length + Number(json) > 1)
    throw new UsageError('sysctl: --description, --name, --type, --value and --json exclude each other');
  const options = {
    wanted: positionals.map(readName),
    memoryBytes: readSize('--memory', values.memory ?? DEFAULT_MEMORY),
    detail: chosen[0]?.[1] ?? 'value',
    writableOnly: values.writable ?? false,
    json,
  };
  return { kind: 'sysctl', options };
}

/** An empty name would be that of the whole tree: nobody means that. */
function readName(name: string): string {
  if (name !== '') return name;
  throw new UsageError('a name of sysctl must not be empty');
}

function readSetting(text: string): Assignment {
  const setting = readAssignment(text);
  if (setting !== null) return setting;
  throw new UsageError(`--set must be NAME=VALUE, not ${JSON.stringify(text)}`);
}

function parse<Parsed>(read: () => Parsed): Parsed {
  try {
    return read();
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
