// The cells of a run, and the running of one process for one of them.
import { spawn } from 'node:child_process';
import { PEERS } from './competitors.mjs';
import { SUITES, sizesOf } from './suites.mjs';

/** `{ suite, size, peers }`, in the order of the tables. `peers` are those that can run here. */
export function cellsOf(options, ready) {
  const cells = [];
  for (const suite of SUITES) {
    if (suite === 'replay') continue;
    if (options.suites !== null && !options.suites.has(suite)) continue;
    const all = sizesOf(suite);
    // A filter by size leaves a suite of one size alone.
    const sizes = all.length === 1 ? all : all.filter((size) => options.sizes?.has(size) ?? true);
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
    reason: peer.isOurs && !oursReady ? 'ours cannot run' : peer.prepare(),
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
