/** A memory with rings and nothing else, for the tests of this folder. */

import assert from 'node:assert/strict';
import {
  createAttachment,
  createMachine,
  type Machine,
  type MemoryHandle,
  openMachine,
  planThreads,
  publishMachine,
  type ThreadName,
} from '../machine/index.js';
import { type Mortal, makeMortal } from '../machine/mortal.test-kit.js';
import { createPages, planPages } from '../phys/index.js';
import type { RingContext } from './context.js';
import { createRings, planRings, type Rings } from './index.js';
import type { RingRef } from './records.js';
import { createRegistry } from './registry.js';

const PLANNERS = [planThreads, planPages, planRings];
const HASH = 4711;

export interface RingMemory extends RingContext {
  readonly rings: Rings;
  readonly handle: MemoryHandle;
  /** `RULE: message` of each finding. */
  audit(): string[];
}

function attach(machine: Machine, initialise: boolean): RingMemory {
  const attachment = createAttachment(machine);
  const pages = createPages(attachment, initialise);
  const context = { ...attachment, pages };
  const rings = createRings(context);
  return {
    ...context,
    rings,
    handle: machine.handle,
    audit() {
      const findings: string[] = [];
      const report = (rule: string, message: string): void => {
        findings.push(`${rule}: ${message}`);
      };
      rings.audit(report);
      pages.audit(report);
      return findings;
    },
  };
}

export function createRingMemory(
  options: { pageCount?: number; wasm?: boolean | undefined; mayBlock?: boolean } = {},
): RingMemory {
  const { pageCount = 256, wasm } = options;
  const machine = createMachine(
    { pageCount, maxThreads: 16, maxZones: 1, checkLevel: 1, wasm, reservedPages: 0 },
    PLANNERS,
    HASH,
  );
  const memory = attach(options.mayBlock === false ? { ...machine, mayBlock: false } : machine, true);
  publishMachine(machine);
  return memory;
}

/** The same memory for another thread (or a second attachment of this one). */
export function openRingMemory(handle: MemoryHandle): RingMemory {
  return attach(openMachine(handle, PLANNERS, HASH), false);
}

export interface MortalMemory extends RingMemory, Pick<Mortal, 'dieAt' | 'stores'> {}

/** Another thread of the memory, which can die between any two of its stores. It must not sleep. */
export function openMortalMemory(handle: MemoryHandle): MortalMemory {
  const { machine, dieAt, stores } = makeMortal(openMachine(handle, PLANNERS, HASH));
  return { ...attach(machine, false), dieAt, stores };
}

/** Says that the thread of a memory has ended. */
export function bury({ threads }: RingMemory, { slot, generation }: ThreadName): void {
  assert.equal(threads.declareDead(slot, generation), true);
}

/** Cleans up after a dead thread, as far as these layers go. */
export function cleanUp({ locks, rings }: RingMemory, { slot }: ThreadName): void {
  locks.takeOverAll(slot);
  rings.leaveLines(slot);
}

/** The record of a ring. */
export function ringRefOf(memory: RingMemory, name: string): RingRef {
  const registry = createRegistry(memory);
  for (let index = 0; index < registry.count(); index++) {
    if (registry.nameOf(registry.at(index)) === name) return registry.at(index);
  }
  throw new Error(`there is no ring ${name}`);
}
