// npm run proof: every row, two at a time, and a scorecard. README.md tells what the rows prove.

import { fork } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readJsonOrNull } from '../scripts/files.mjs';
import { HELP, readOptions, UsageError } from './options.mjs';

const AT_A_TIME = 2;
const AGAIN_MS = 1000;
/** A row that is in the middle of a long step does not hear that it is to end. */
const GRACE_MS = 5000;
const signalNumbers = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 };

const children = new Set();
let endedBy = null;
let endedAt = 0;

/** The row of a process that did not come to its end. */
function brokenRow(name, why) {
  return { name, figures: {}, ok: false, findings: [why], controls: 0, complete: false, seconds: 0 };
}

function runRow({ name, module }, { level, seed, file }, progress) {
  return new Promise((done) => {
    const child = fork(fileURLToPath(new URL('./row-process.mjs', import.meta.url)));
    let row = null;
    children.add(child);
    child.on('message', (message) => {
      if (message.row !== undefined) row = message.row;
      else progress.show(name, message.done / message.of);
    });
    child.on('exit', (status, signal) => {
      children.delete(child);
      const why = endedBy === null ? `ended with ${signal ?? `status ${status}`}` : 'ended within a step';
      done(row ?? brokenRow(name, why));
    });
    child.send({ module: String(new URL(module, import.meta.url)), level, seed, file });
  });
}

/** One line on a terminal, nothing elsewhere. */
function startProgress() {
  const shares = new Map();
  const draw = (text) => process.stderr.isTTY && process.stderr.write(`\r\u001b[K${text}`);
  return {
    show(name, share) {
      shares.set(name, `${name} ${Math.floor(share * 100)} %`);
      draw([...shares.values()].join('   '));
    },
    done(name) {
      shares.delete(name);
      draw('');
    },
  };
}

/** Where a row's state is kept; a state of another run is not gone on with. */
function stateFile(folder, name, { level, seed }) {
  if (folder === null) return null;
  mkdirSync(folder, { recursive: true });
  const file = join(resolve(folder), `${name}.json`);
  const known = readJsonOrNull(file);
  if (known !== null && (known.level !== level || known.seed !== seed)) {
    const other = `of --level ${known.level} --seed ${known.seed}`;
    throw new UsageError(`--state ${folder}: holds a run ${other}; take another folder`);
  }
  return file;
}

function printRow({ name, ok, figures, findings, controls, complete, seconds }) {
  const verdict = ok ? 'passed' : complete ? 'FAILED' : 'BROKEN OFF';
  const shown = Object.entries(figures).map(([key, value]) => `${key} ${value.toLocaleString('en')}`);
  const head = `${name.padEnd(10)} ${verdict.padEnd(10)} ${seconds.toFixed(0).padStart(6)} s  controls ${controls}  `;
  process.stdout.write(`${head}${shown.slice(0, 3).join(', ')}\n`);
  for (let at = 3; at < shown.length; at += 4)
    process.stdout.write(`${' '.repeat(22)}${shown.slice(at, at + 4).join(', ')}\n`);
  for (const finding of findings) process.stdout.write(`  ${finding.replaceAll('\n', '\n    ')}\n`);
}

async function main(args) {
  const options = readOptions(args);
  if (options.help) {
    process.stdout.write(HELP);
    return;
  }
  const waiting = options.rows.map((row) => ({ row, file: stateFile(options.state, row.name, options) }));
  const progress = startProgress();
  const scores = [];
  const lane = async () => {
    while (waiting.length > 0 && endedBy === null) {
      const { row, file } = waiting.shift();
      scores.push(await runRow(row, { ...options, file }, progress));
      progress.done(row.name);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, lane));
  process.stdout.write(`level ${options.level}, seed ${options.seed}, Node ${process.versions.node}\n\n`);
  const order = options.rows.map(({ name }) => name);
  scores.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  for (const score of scores) printRow(score);
  if (endedBy !== null) process.exitCode = 128 + signalNumbers[endedBy];
  else if (scores.some(({ ok }) => !ok)) process.exitCode = 1;
}

for (const signal of Object.keys(signalNumbers)) {
  process.on(signal, () => {
    // The same signal may come by the terminal and by whoever started us. The second one that is meant kills.
    const again = endedBy !== null && performance.now() - endedAt > AGAIN_MS;
    for (const child of children) child.kill(again ? 'SIGKILL' : 'SIGTERM');
    setTimeout(() => {
      for (const child of children) child.kill('SIGKILL');
    }, GRACE_MS).unref();
    if (endedBy === null) endedAt = performance.now();
    endedBy ??= signal;
  });
}
process.stdout.on('error', (error) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`proof: ${error.message}; --help tells the options\n`);
  process.exitCode = 2;
}
