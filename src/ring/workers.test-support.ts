/** Starts the workers of `ring.test-worker.ts`. */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { ThreadName } from '../machine/index.js';
import type { RingMemory } from './ring.test-support.js';
import type { Task } from './ring.test-worker.js';

export interface Started {
  readonly worker: Worker;
  readonly name: ThreadName;
  readonly result: Promise<unknown>;
}

/** Starts a thread, and comes back when it is attached. */
export async function start(memory: RingMemory, task: Omit<Task, 'handle'>): Promise<Started> {
  const workerData: Task = { handle: memory.handle, ...task };
  const worker = new Worker(new URL('./ring.test-worker.js', import.meta.url), { workerData });
  const failed = once(worker, 'error').then(([error]) => {
    throw error;
  });
  const exit = once(worker, 'exit');
  const ready = once(worker, 'message');
  const [name] = (await Promise.race([ready, failed])) as [ThreadName];
  const message = once(worker, 'message');
  const result = Promise.race([message, failed]).then(async (values) => {
    await exit;
    return (values as unknown[])[0];
  });
  result.catch(() => {});
  failed.catch(() => {});
  return { worker, name, result };
}
