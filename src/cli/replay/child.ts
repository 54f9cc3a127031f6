/** The process of `apart.ts`. */

import { type FromChild, sendableError, type ToChild } from './apart.js';
import type { ReplayOptions } from './result.js';
import { runReplay } from './run.js';

const controller = new AbortController();

function send(message: FromChild): void {
  if (process.connected) process.send?.(message);
}

async function start(options: ReplayOptions): Promise<void> {
  let last = 0;
  try {
    const result = await runReplay(options, {
      signal: controller.signal,
      onProgress(progress) {
        const now = performance.now();
        if (now - last < 100) return;
        last = now;
        send({ kind: 'progress', progress });
      },
    });
    send({ kind: 'result', result });
  } catch (error) {
    send({ kind: 'error', error: sendableError(error) });
  }
}

process.on('message', (message: ToChild) => {
  if (message.kind === 'start') void start(message.options);
  else controller.abort();
});
// Without the parent there is nobody to work for. It also decides what Ctrl-C means.
process.on('disconnect', () => process.exit());
process.on('SIGINT', () => {});
