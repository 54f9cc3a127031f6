// The cells of a run, and the running of one process for one of them.
import { spawn } from 'node:child_process';
import { PEERS, SUITES } from './competitors.mjs';
import { LEVEL_SUITES } from './levels.mjs';

/** Sizes of the suites that have one thing to measure: the filter by size leaves them alone. */
const SINGLE_SIZE = {
  zones8: 64,
  epoch: 64,
  section: 4,
  packet: 2048,
  packet32: 2048,
  ring: 4,
  ring1: 4,
  ringBlocking: 4,
  ...Object.fromEntries(LEVEL_SUITES.map((suite) => [suite, 64])),
  refLife: 4,
  refPair: 4,
  refShared: 4,
  lookup1000: 4,
  lookup100000: 4,
};
const ALL_SIZES = [64, 256, 2048];

/** `{ suite, size, peers }`, in the order of the tables. `peers` are those that can run here. */
export function cellsOf(options, ready) {
  const cells = [];
  for (const suite of Object.keys(SUITES)) {
    if (suite === 'replay') continue;
    if (options.suites !== null && !options.suites.has(suite)) continue;
    const single = SINGLE_SIZE[suite];
    const sizes =
      single === undefined ? ALL_SIZES.filter((size) => options.sizes?.has(size) ?? true) : [single];
    for (const size of sizes) {
      const peers = ready.filter((peer) => peer.suites[suite]?.includes(size));
      if (options.peers === null || peers.length > 0) cells.push({ suite, size, peers });
    }
  }
  return cells;
}

/** Peers chosen by the options, each with what hinders it (null: nothing). */
export function preparePeers(options, oursReady) {
  return PEERS.filter((peer) => options.peers?.has(peer.name) ?? true).map((peer) => ({
    peer,
    reason: peer.name === 'zone1' && !oursReady ? 'ours cannot run' : peer.prepare(),
  }));
}

/** The slowest cell takes a few seconds; a process that takes this long hangs. */
const PROCESS_MS = 120_000;

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
