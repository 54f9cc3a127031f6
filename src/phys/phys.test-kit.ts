/** Makes a small memory with nothing in it but the page layer. */

import assert from 'node:assert/strict';
import {
  attachThread,
  createLocks,
  createMachine,
  type Locks,
  type Machine,
  planThreads,
} from '../machine/index.js';
import { createPages, type Pages, planPages } from './index.js';

export interface Kit {
  readonly machine: Machine;
  readonly locks: Locks;
  readonly pages: Pages;
}

export function makeKit(pageCount: number): Kit {
  const machine = createMachine(
    { pageCount, maxThreads: 2, maxZones: 1, checkLevel: 1, wasm: false },
    [planThreads, planPages],
    1,
  );
  const locks = createLocks(machine, attachThread(machine));
  return { machine, locks, pages: createPages(machine, locks, true) };
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
