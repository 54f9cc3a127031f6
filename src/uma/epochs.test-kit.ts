/** Epoch zones for tests. */

import assert from 'node:assert/strict';
import { type Addr, createMemory, type Memory, type Zone, type ZoneOptions } from '../index.js';
import { createFabric, FORMAT_VERSION, type Weave } from '../machine/index.js';
import { createMemoryOver, joinMemory } from '../memory.js';
import { assertClean } from './uma.test-kit.js';

const ITEM_WORDS = 16;

export function makeMemory(options = {}): Memory {
  return createMemory({ bytes: 1 << 20, maxThreads: 6, maxZones: 16, ...options });
}

export function openZone(memory: Memory, options: Partial<ZoneOptions> = {}): Zone {
  return memory.zone({ name: 'e', size: ITEM_WORDS * 4, epoch: true, ...options });
}

export function take(zone: Zone, count: number): Addr[] {
  return Array.from({ length: count }, () => {
    const item = zone.tryAlloc();
    assert.notEqual(item, 0);
    return item as Addr;
  });
}

/** Items of these that are handed out again within so many allocations. */
export function reused(zone: Zone, items: readonly Addr[], tries: number): number {
  const known = new Set<number>(items);
  let count = 0;
  for (let index = 0; index < tries; index++) if (known.has(zone.tryAlloc())) count++;
  return count;
}

/** All that has been freed is back in its pages. */
export function assertEmpty(memory: Memory, freePages: number): void {
  memory.drain();
  memory.synchronize(5000);
  memory.drain();
  assertClean(memory);
  assert.equal(memory.stats().pages.free, freePages);
}

/**
 * Attachments to a memory where all accesses are in order, and so without a tick: the sequence goes on with
 * every look. All in one thread.
 */
export function makeOrdered(threads: number, checkLevel: 0 | 1 | 2): Memory[] {
  const weave: Weave = (byteLength) => {
    const buffer = new SharedArrayBuffer(byteLength);
    const fabric = { ...createFabric(buffer, null, byteLength), delayMs: 0 };
    return { handle: { kind: 'mbuma-memory', version: FORMAT_VERSION, buffer, wasm: null }, fabric };
  };
  const options = { bytes: 1 << 20, maxThreads: threads, maxZones: 16, checkLevel };
  const { memory, machine } = createMemoryOver(options, weave);
  const { buffer } = machine.handle as { buffer: SharedArrayBuffer };
  const join = (): Memory =>
    joinMemory(machine, { ...createFabric(buffer, null, machine.bytes.length), delayMs: 0 });
  return [memory, ...Array.from({ length: threads - 1 }, join)];
}
