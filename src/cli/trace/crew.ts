/** The workers of a trace, from start to end. */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { InputError } from '../errors.js';
import { memoryTooSmall } from '../memory-size.js';
import type { GcFigures } from '../replay/gc-watch.js';
import type { FromWorker, ToWorker, WorkerInput } from './messages.js';
import { recordOf } from './plan.js';
import type { Trace } from './trace-file.js';

export interface Crew {
  /** When all are at work. */
  readonly ready: Promise<void>;
  /** Lets all do their steps; rejects when one cannot. */
  play(): Promise<readonly GcFigures[]>;
  /** Lets them detach, and waits for their end. */
  finish(): Promise<void>;
  /** Ends them, wherever they are. */
  dismiss(): Promise<void>;
}

interface Member {
  readonly worker: Worker;
  /** The next that it says; rejects when that is a failure, or it has ended. */
  answer(): Promise<FromWorker>;
}

function hire(
  input: WorkerInput,
  memoryBytes: number,
  failureOf: (message: FromWorker) => Error | undefined,
): Member {
  const worker = new Worker(new URL('./worker.js', import.meta.url), {
    workerData: input,
    transferList: [input.steps.buffer as ArrayBuffer],
  });
  let failure: Error | undefined;
  let heard: (message: FromWorker) => void = () => {};
  let failed: (error: Error) => void = () => {};
  const fail = (error: Error): void => {
    failure ??= error;
    failed(failure);
  };
  worker.on('message', (message: FromWorker) => {
    const said = failureOf(message);
    if (said === undefined) heard(message);
    else fail(said);
  });
  worker.on('error', (error: NodeJS.ErrnoException) => {
    fail(error.code === 'OUT_OF_MEMORY' ? memoryTooSmall(memoryBytes, error.message) : error);
  });
  worker.on('exit', () => fail(new Error(`worker ${input.number} ended before its work was done`)));
  return {
    worker,
    answer: () =>
      new Promise((resolve, reject) => {
        heard = resolve;
        failed = reject;
        if (failure !== undefined) reject(failure);
      }),
  };
}

/** Why a step of a worker could not be done, in words. */
function failureOf(
  trace: Trace,
  workers: number,
  memoryBytes: number,
  worker: number,
  message: FromWorker,
): Error | undefined {
  if (message.kind !== 'failed') return undefined;
  const record = recordOf(trace, workers, worker, message.step);
  const object = trace.objects[record - 1] as number;
  const where = `${trace.file}: record ${record}`;
  switch (message.reason) {
    case 'no memory':
      return noRoom(trace, record, memoryBytes);
    case 'damage':
      return new InputError(`${where}: the block of object ${object} does not hold what was written to it`);
    case 'error':
      return new InputError(`${where}: ${message.message}`);
  }
}

/** There is no memory for a record, counted from 1. */
export function noRoom(trace: Trace, record: number, memoryBytes: number): InputError {
  const size = trace.sizes[record - 1] as number;
  return memoryTooSmall(memoryBytes, `record ${record} of ${trace.file} asks for ${size} bytes in vain`);
}

/** @param inputs one for each worker */
export function hireCrew(trace: Trace, inputs: readonly WorkerInput[], memoryBytes: number): Crew {
  const members = inputs.map((input, number) =>
    hire(input, memoryBytes, (message) => failureOf(trace, inputs.length, memoryBytes, number, message)),
  );
  const say = (message: ToWorker): void => {
    for (const { worker } of members) worker.postMessage(message);
  };
  return {
    ready: Promise.all(members.map((member) => member.answer())).then(() => undefined),
    async play() {
      const answers = members.map((member) => member.answer());
      say('play');
      const played = await Promise.all(answers);
      return played.flatMap((message) => (message.kind === 'played' ? [message.gc] : []));
    },
    async finish() {
      const ended = members.map(({ worker }) => once(worker, 'exit'));
      say('end');
      await Promise.all(ended);
    },
    async dismiss() {
      await Promise.all(members.map(({ worker }) => worker.terminate()));
    },
  };
}
