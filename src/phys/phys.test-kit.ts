/** Makes a small memory with nothing in it but the page layer. */

import assert from 'node:assert/strict';
import {
  attachThread,
  createLocks,
  createMachine,
  type Locks,
  type Machine,
  type MemoryHandle,
  openMachine,
  planThreads,
  publishMachine,
} from '../machine/index.js';
import { createPages, type Pages, planPages } from './index.js';

export interface Kit {
  readonly machine: Machine;
  readonly locks: Locks;
  readonly pages: Pages;
}

const planners = [planThreads, planPages];
const HASH = 1;

function kitOf(machine: Machine, initialise: boolean): Kit {
  const locks = createLocks(machine, attachThread(machine));
  return { machine, locks, pages: createPages(machine, locks, initialise) };
}

export function makeKit(pageCount: number): Kit {
  const machine = createMachine(
    { pageCount, maxThreads: 4, maxZones: 1, checkLevel: 1, wasm: false },
    planners,
    HASH,
  );
  const kit = kitOf(machine, true);
  publishMachine(machine);
  return kit;
}

/** The same memory, in another thread. */
export function joinKit(handle: MemoryHandle): Kit {
  return kitOf(openMachine(handle, planners, HASH), false);
}

/** What a worker of `pages.test-worker.ts` is told. */
export interface WorkerOrders {
  readonly handle: MemoryHandle;
  readonly rounds: number;
  readonly seed: number;
}

/** Rules that the audit found broken. */
export function brokenRules(pages: Pages): string[] {
  const rules = new Set<string>();
  pages.audit((rule) => rules.add(rule));
  return [...rules].sort();
}

export function assertClean(pages: Pages): void {
  const findings: string[] = [];
  pages.audit((rule, message) => findings.push(`${rule} ${message}`));
  assert.deepEqual(findings, []);
}
