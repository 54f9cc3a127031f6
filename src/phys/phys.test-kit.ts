/** Makes a small memory with nothing in it but the page layer. */

import assert from 'node:assert/strict';
import {
  type Attachment,
  createAttachment,
  createMachine,
  type Machine,
  type MemoryHandle,
  openMachine,
  planThreads,
  publishMachine,
} from '../machine/index.js';
import { type Mortal, makeMortal } from '../machine/mortal.test-kit.js';
import { createPages, type Pages, planPages } from './index.js';

export interface Kit extends Attachment {
  readonly pages: Pages;
}

const planners = [planThreads, planPages];
const HASH = 1;

function kitOf(machine: Machine, initialise: boolean): Kit {
  const attachment = createAttachment(machine);
  return { ...attachment, pages: createPages(attachment, initialise) };
}

export function makeKit(pageCount: number): Kit {
  const machine = createMachine(
    { pageCount, maxThreads: 4, maxZones: 1, checkLevel: 1, wasm: false, reservedPages: 0 },
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

/** One that dies when it is told to: see mortal.test-kit.ts. */
export interface MortalKit extends Kit {
  readonly mortal: Mortal;
}

export function joinMortal(handle: MemoryHandle): MortalKit {
  const mortal = makeMortal(openMachine(handle, planners, HASH));
  return { ...kitOf(mortal.machine, false), mortal };
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

/** Everything that the layer keeps about free pages; the same for the same set of free pages, links aside. */
export function freeShape({ pages }: Kit): unknown {
  const { free, byOrder, longestBlock } = pages.stats();
  return { free, byOrder, longestBlock };
}
