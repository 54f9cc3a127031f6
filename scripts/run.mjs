// Starting other programs: their output is ours, and so are the signals that end them.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Failure } from './failure.mjs';

const signalNumbers = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 };
const endingSignals = Object.keys(signalNumbers);
let running = 0;

/**
 * From now on a signal that ends us goes through process.exit, so that what is tidied at 'exit' is tidied
 * then too.
 */
export function exitOnSignals() {
  for (const signal of endingSignals) {
    process.on(signal, () => {
      if (running === 0) process.exit(128 + signalNumbers[signal]);
    });
  }
}

/**
 * Runs Node on `file` with `args` and answers its exit status. A signal that ends us ends it first, so that
 * nothing is left running, and then becomes a Failure with the status that a shell would give.
 */
export function runNode(root, file, args, options = {}) {
  return runProgram(options.node ?? process.execPath, [join(root, file), ...args], { cwd: root, ...options });
}

/** Like runNode for any program. With `capture`, answers { status, output } and prints nothing. */
export function runProgram(program, args, { cwd, env = process.env, capture = false }) {
  return new Promise((resolve, reject) => {
    const stdio = capture ? ['ignore', 'pipe', 'pipe'] : 'inherit';
    // On Windows npm is a command file, which only a shell can start.
    const shell = process.platform === 'win32' && program === 'npm';
    const child = spawn(program, args, { cwd, env, stdio, shell });
    let output = '';
    let endedBy = null;
    // Ctrl-C reaches the child by itself (same terminal); sending it twice would end npm's own clean-up
    // early.
    const forward = (signal) => {
      endedBy = signal;
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    };
    for (const signal of endingSignals) process.on(signal, forward);
    running += 1;
    const done = () => {
      running -= 1;
      for (const signal of endingSignals) process.off(signal, forward);
    };
    if (capture) {
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text) => {
          output += text;
        });
      }
    }
    child.on('error', (error) => {
      reject(new Failure(`cannot run ${program}: ${error.message}`));
    });
    child.on('close', (status, signal) => {
      done();
      const ending = endedBy ?? signal;
      if (ending !== null) {
        reject(new Failure(`ended by ${ending}`, 128 + (signalNumbers[ending] ?? 9)));
      } else {
        resolve(capture ? { status, output } : status);
      }
    });
  });
}
