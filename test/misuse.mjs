// Runs the programs of test/misuse, each of which does one wrong thing, and says how what mbuma answers
// differs from what the program says that it answers.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { MbumaError } from '../dist/index.js';

const folder = fileURLToPath(new URL('misuse/', import.meta.url));

/** The programs, by their paths. */
export function listMisuses() {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.mjs'))
    .sort()
    .map((name) => join(folder, name));
}

/** What a program exports, its text, and how it ended: { path, text, program, error }. */
export async function runMisuse(path) {
  const text = readFileSync(path, 'utf8');
  const program = await import(pathToFileURL(path).href);
  try {
    await program.misuse();
    return { path, text, program, error: null };
  } catch (error) {
    return { path, text, program, error };
  }
}

/** What is wrong with a program that was run: what it says of itself, and what came of it. */
export function judge({ path, text, program, error }) {
  return [...judgeText(text), ...judgeError(path, program, error), ...judgeMemory(program)];
}

/** The properties of an error that a program tells exactly; what it does not name must not be there. */
const PLACE = ['code', 'message', 'zone', 'address', 'owner'];

function judgeText(text) {
  const [first, second] = text.split('\n');
  return /^\/\/ (?:(?!\. ).)+\.$/.test(first) && second === '' ? [] : ['the first line is not one sentence'];
}

function judgeError(path, { refusal }, error) {
  if (error === null) return ['nothing is refused'];
  if (!(error instanceof MbumaError)) return [`no MbumaError: ${error?.stack ?? error}`];
  const told = toldBy(path, error);
  const details = told.details.split('\n');
  return [
    ...PLACE.filter((name) => told[name] !== refusal[name]).map(
      (name) => `${name} is ${show(told[name], name)}, not ${show(refusal[name], name)}`,
    ),
    ...(refusal.details ?? [])
      .filter((line) => !details.includes(line))
      .map((line) => `details lack ${show(line)}:\n${told.details}`),
  ];
}

/** The memory must be whole, unless the misuse is what damages it. A program without a memory says null. */
function judgeMemory({ memory, damage = [] }) {
  if (memory === null) return [];
  if (memory === undefined) return ['there is no memory to be looked at'];
  const { violations } = memory.audit();
  const broken = [...new Set(violations.map(({ rule }) => rule))].sort();
  // Its timer would keep what is damaged alive for the next programs.
  memory.detach();
  if (broken.join() === damage.join()) return [];
  const shown = violations.map(({ rule, message }) => `\n${rule}: ${message}`).join('');
  return [`the audit finds [${broken}], not [${damage}]${shown}`];
}

/** An error as programs write it: `{site}` stands for a place in the program, whatever line it is on. */
function toldBy(path, { code, message, zone, address, owner, details = '' }) {
  return {
    code,
    message: hideSites(message, path),
    zone,
    address,
    owner,
    details: hideSites(details, path),
  };
}

/** mbuma tells a file by its path, of which only the end is there if it is long. */
function hideSites(text, path) {
  const whole = pathToFileURL(path).pathname;
  return text.replace(/([^\s(]+):\d+:\d+/g, (site, file) =>
    file.endsWith(`misuse/${basename(whole)}`) && whole.endsWith(file) ? '{site}' : site,
  );
}

function show(value, name) {
  return name === 'address' && value !== undefined ? `0x${value.toString(16)}` : JSON.stringify(value);
}

/**
 * The text of a program whose addresses have moved, as they all do when the layout of a memory changes: with
 * those that mbuma tells now. Null: none has, or words differ, which a person must look at.
 */
export function withMovedAddresses({ path, text, program, error }) {
  if (!(error instanceof MbumaError)) return null;
  const before = [program.refusal.message, ...(program.refusal.details ?? [])];
  const told = toldBy(path, error);
  const after = [told.message, ...before.slice(1).map((line) => lineLike(line, told.details))];
  if (after.some((line, index) => withoutAddresses(line) !== withoutAddresses(before[index]))) return null;
  const addresses = (lines) => lines.join('\n').match(ADDRESS) ?? [];
  const moved = new Map(addresses(before).map((address, index) => [address, addresses(after)[index]]));
  if (program.refusal.address !== undefined)
    moved.set(`0x${program.refusal.address.toString(16)}`, `0x${told.address?.toString(16)}`);
  const written = text.replace(ADDRESS, (address) => moved.get(address) ?? address);
  return written === text ? null : written;
}

const ADDRESS = /0x[0-9a-f]+/g;

function withoutAddresses(line = '') {
  return line.replace(ADDRESS, '0x');
}

function lineLike(line, details) {
  return details.split('\n').find((each) => withoutAddresses(each) === withoutAddresses(line));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const moves = process.argv.includes('--move');
  for (const path of listMisuses()) {
    const ran = await runMisuse(path);
    const found = judge(ran);
    if (found.length === 0) continue;
    const moved = withMovedAddresses(ran);
    if (moves && moved !== null) writeFileSync(path, moved);
    console.log(`${basename(path)}: ${moved === null ? '' : 'only addresses: '}${found.join('\n')}`);
  }
}
