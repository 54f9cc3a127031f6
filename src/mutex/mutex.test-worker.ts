/** A thread of the tests of mutexes, in a Worker of its own. */

import { parentPort, workerData } from 'node:worker_threads';
import { attachMemory, MbumaError, type Memory } from '../index.js';
import type { MemoryHandle } from '../machine/index.js';

export interface Task {
  readonly handle: MemoryHandle;
  /** What it does: `count` with the mutex, sync and async in turn; `hold` it for ever; `take` it once. */
  readonly role: 'count' | 'hold' | 'exit with' | 'take' | 'nest';
  readonly rounds: number;
  /** Word index of what the mutex guards: a count, and whether somebody is in the middle of it. */
  readonly word: number;
  readonly names: readonly string[];
}

/** What it says at the end, or when it has what it holds. */
export interface Answer {
  readonly counted: number;
  /** How often it was told that an owner has died. */
  readonly died: number;
  readonly failures: number;
  readonly error: string;
}

const { handle, role, rounds, word, names } = workerData as Task;
const memory = attachMemory(handle);
const answer = { counted: 0, died: 0, failures: 0, error: '' };

function work({ words }: Memory, ownerDied: boolean): void {
  if (words[word + 1] !== 0 && !ownerDied) answer.failures++;
  if (ownerDied) answer.died++;
  words[word + 1] = memory.thread;
  words[word] = (words[word] as number) + 1;
  if (words[word + 1] !== memory.thread) answer.failures++;
  words[word + 1] = 0;
  answer.counted++;
}

async function count(): Promise<void> {
  const mutex = memory.mutex(names[0] as string);
  for (let round = 0; round < rounds; round++) {
    const token = round % 3 === 2 ? await mutex.lockAsync() : mutex.lock();
    work(memory, token.ownerDied);
    if (!token.unlock()) answer.failures++;
    if (round % 7 === 6) {
      const tried = mutex.tryLock();
      if (tried !== null) work(memory, tried.ownerDied);
      tried?.unlock();
    }
  }
}

/** Takes the mutexes one in the other, again and again; the first refusal is the answer. */
function nest(): void {
  try {
    for (let round = 0; round < rounds; round++) {
      const tokens = names.map((name) => memory.mutex(name).lock(2000));
      for (const token of tokens) token.unlock();
      answer.counted++;
    }
  } catch (error) {
    answer.error = error instanceof MbumaError ? `${error.code} ${error.message}` : String(error);
  }
}

if (role === 'count') await count();
else if (role === 'nest') nest();
else {
  const token = memory.mutex(names[0] as string).lock();
  answer.died = Number(token.ownerDied);
  memory.words[word + 1] = memory.thread;
  if (role === 'take') {
    memory.words[word + 1] = 0;
    token.unlock();
  }
}
parentPort?.postMessage(answer);
if (role === 'hold') setInterval(() => {}, 1000);
else if (role === 'exit with') setTimeout(() => process.exit(), 50);
else memory.detach();
