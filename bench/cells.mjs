// The cells of a run, and the running of one process for one of them.
import { spawn } from 'node:child_process';
import { basename } from 'node:path';
import { PEERS } from './competitors.mjs';
import { defaultSizesOf, SUITES, sizesOf } from './suites.mjs';

/** The suites that were asked for, by name or by none; those of files, when there is a file. */
export function suitesOf(options) {
  return SUITES.filter((suite) => {
    if (suite === 'replay' && options.capture === null && options.suites === null) return false;
    if (suite === 'trace' && options.traces.length === 0 && options.suites === null) return false;
    return options.suites?.has(suite) ?? true;
  });
}

function sizesAskedFor(suite, { sizes }) {
  const all = sizesOf(suite);
  // A filter by size leaves a suite of one size alone.
  if (all.length === 1) return all;
  return sizes === null ? defaultSizesOf(suite) : all.filter((size) => sizes.has(size));
}

/** `redis` of `traces/redis.trace`. */
export const traceName = (file) => basename(file).replace(/\.trace$/, '');

/**
 * `{ suite, size, peers }`, in the order of the tables. `peers` are those that can run here. A trace's cell
 * has the file besides.
 */
export function cellsOf(suites, options, ready) {
  const cells = [];
  const add = (kind, size, rest) => {
    const peers = ready.filter((peer) => peer.suites[kind]?.includes(size));
    if (options.peers === null || peers.length > 0) cells.push({ ...rest, size, peers });
  };
  for (const suite of suites) {
    if (suite === 'trace')
      for (const trace of options.traces) add(suite, 0, { suite: `trace:${traceName(trace)}`, trace });
    else if (suite !== 'replay')
      for (const size of sizesAskedFor(suite, options)) add(suite, size, { suite });
  }
  return cells;
}

/** The process of a competitor for a cell. */
export const commandOf = (competitor, { suite, size, trace }) =>
  competitor.command(suite.split(':')[0], size, trace);

/** Peers chosen by the options, each with what hinders it (null: nothing). */
export function preparePeers(options, oursReady) {
  return PEERS.filter((peer) => options.peers?.has(peer.name) ?? true).map((peer) => ({
    peer,
    reason: peer.isOurs && !oursReady ? 'ours cannot run' : peer.prepare(),
  }));
}

/** The slowest cell, a trace in `@thi.ng/malloc`, takes 90 s where much else runs; who takes this long hangs. */
const PROCESS_MS = 300_000;

/** Runs one process to its end and gives its last line as an object. */
export function runProcess({ file, args, env, timeout = PROCESS_MS }) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout,
      killSignal: 'SIGKILL',
    });
    let output = '';
    let complaints = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (complaints += text));
    child.once('error', reject);
    child.once('close', (status, signal) => {
      const complaint = firstError(complaints);
      // A library that cannot be preloaded is only mentioned, and the figures would be those of glibc.
      if (status !== 0 || complaints.includes('cannot be preloaded')) {
        reject(new Error(complaint || `ended by ${signal ?? `status ${status}`}`));
        return;
      }
      try {
        resolve(JSON.parse(output.trim().split('\n').at(-1)));
      } catch {
        reject(new Error(`printed no figures: ${output.trim().slice(0, 100)}`));
      }
    });
  });
}

/** Of a stack trace the line that says what happened, else the first line. */
function firstError(text) {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return (
    lines.find((line) => /error\b.*:/i.test(line) && !line.startsWith('    at')) ??
    lines[0] ??
    ''
  ).trim();
}
