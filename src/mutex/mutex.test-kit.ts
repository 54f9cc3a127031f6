/** Memories and threads for the tests of mutexes. */

import assert from 'node:assert/strict';
import { attachMemory, createMemory, type Memory, type MemoryOptions } from '../index.js';
import type { Tunable } from '../machine/index.js';
import { attachmentOf } from '../memory.js';

/** So many attachments to one memory: they play threads, in one. Detached and audited at the end. */
export function withThreads(
  count: number,
  options: Partial<MemoryOptions>,
  body: (...memories: Memory[]) => void,
): void {
  const memories = makeThreads(count, options);
  body(...memories);
  endThreads(memories);
}

export async function withThreadsAsync(
  count: number,
  options: Partial<MemoryOptions>,
  body: (...memories: Memory[]) => Promise<void>,
): Promise<void> {
  const memories = makeThreads(count, options);
  await body(...memories);
  endThreads(memories);
}

export function makeThreads(count: number, options: Partial<MemoryOptions> = {}): Memory[] {
  const first = createMemory({ bytes: 1 << 20, checkLevel: 1, ...options });
  return [first, ...Array.from({ length: count - 1 }, () => attachMemory(first.handle))];
}

/** Whoever is attached still looks whether all is well. */
function endThreads(memories: readonly Memory[]): void {
  let looked = 0;
  for (const memory of memories) {
    try {
      memory.poll();
    } catch {
      continue;
    }
    assertClean(memory);
    looked++;
  }
  assert.ok(looked > 0);
}

export function assertClean(memory: Memory): void {
  assert.deepEqual(memory.audit().violations, []);
}

export function setSetting(memory: Memory, name: Tunable, value: number): void {
  attachmentOf(memory).settings.write(name, value);
}

/** What an error is told by. */
export function code(expected: string, message?: RegExp): (error: unknown) => boolean {
  return (error) => {
    const { code: found, message: text } = error as { code?: string; message: string };
    assert.equal(found, expected, text);
    if (message !== undefined) assert.match(text, message);
    return true;
  };
}
