/** A worker of a trace: does its steps as often as it is asked to. */

import { performance } from 'node:perf_hooks';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { attachMemory, type Memory } from '../../index.js';
import { watchGc } from '../replay/gc-watch.js';
import { createHandover } from './handover.js';
import type { FromWorker, ToWorker, WorkerInput } from './messages.js';
import {
  AWAITS,
  GIVES,
  OPERATION_MASK,
  RECEIVER_SHIFT,
  STEP_BEFORE,
  STEP_OBJECT,
  STEP_SIZE,
  STEP_WORDS,
} from './plan.js';
import { createPlayer, DONE, NO_MEMORY } from './player.js';

/** How long a worker waits for memory that the others free. */
const PATIENCE_MS = 1000;
/** Steps between two notes of how far it is. */
const NOTE_STEPS = 1024;

type Failed = Extract<FromWorker, { kind: 'failed' }>;

/** What does all steps; it answers what has failed, if anything has. */
function createPart(memory: Memory, input: WorkerInput): () => Failed | undefined {
  const { steps, objectMax, table, number, fills } = input;
  const { words, bytes } = memory;
  const first = table >>> 2;
  const addresses = words.subarray(first, first + objectMax + 1);
  const place = first + objectMax + 1 + number;
  const rings = input.rings.map((ring) => (ring === null ? undefined : memory.ring(ring)));
  const handover = createHandover(rings, number, objectMax);
  const player = createPlayer(memory.mallocType({ name: input.type }), { words, bytes, addresses }, fills);
  const [OPERATION, AWAIT, GIVE, RECEIVER] = [OPERATION_MASK, AWAITS, GIVES, RECEIVER_SHIFT];
  const [WORDS, OBJECT, SIZE, BEFORE] = [STEP_WORDS, STEP_OBJECT, STEP_SIZE, STEP_BEFORE];
  const NOTED = NOTE_STEPS * STEP_WORDS - 1;
  const WELL = DONE;

  /** What others cache is asked for, then what they free is waited for. */
  function playAgain(operation: number, object: number, size: number, before: number): number {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      memory.reclaim('threads');
      const outcome = player.play(operation, object, size, before);
      if (outcome !== NO_MEMORY || performance.now() >= deadline) return outcome;
      handover.idle();
    }
  }

  return () => {
    let at = 0;
    try {
      for (; at < steps.length; at += WORDS) {
        if ((at & NOTED) === 0) words[place] = at / WORDS;
        const head = steps[at] as number;
        const object = steps[at + OBJECT] as number;
        const size = (steps[at + SIZE] as number) >>> 0;
        const before = (steps[at + BEFORE] as number) >>> 0;
        if ((head & AWAIT) !== 0) handover.await(object);
        let outcome = player.play(head & OPERATION, object, size, before);
        if (outcome === NO_MEMORY) outcome = playAgain(head & OPERATION, object, size, before);
        if (outcome !== WELL) {
          const reason = outcome === NO_MEMORY ? 'no memory' : 'damage';
          return { kind: 'failed', step: at / WORDS, reason, message: '' };
        }
        if ((head & GIVE) !== 0) handover.give(head >>> RECEIVER, object);
      }
      handover.flush();
      return undefined;
    } catch (error) {
      return { kind: 'failed', step: at / WORDS, reason: 'error', message: (error as Error).message };
    }
  };
}

function work(port: MessagePort, input: WorkerInput): void {
  const memory = attachMemory(input.handle);
  const playPart = createPart(memory, input);
  const post = (message: FromWorker): void => port.postMessage(message);

  async function play(): Promise<void> {
    const gcWatch = watchGc();
    const started = performance.now();
    const failed = playPart();
    post(failed ?? { kind: 'played', gc: await gcWatch.stop(started) });
  }

  port.on('message', (message: ToWorker) => {
    if (message === 'play') return void play();
    memory.detach();
    port.close();
  });
  post({ kind: 'ready' });
}

if (parentPort !== null) work(parentPort, workerData as WorkerInput);
