/** Zones without the layers above them, the means to look inside, and numbers that the environment sets. */

import assert from 'node:assert/strict';
import { type CheckLevel, MbumaError } from '../check/index.js';
import {
  createAttachment,
  createMachine,
  type Machine,
  type MemoryHandle,
  openMachine,
  planThreads,
  publishMachine,
} from '../machine/index.js';
import type { AuditReport, Memory } from '../memory-api.js';
import { createPages, planPages } from '../phys/index.js';
import type { Addr } from '../record/index.js';
import { createUma, planUma, type Uma, type UmaContext } from './index.js';
import { CACHE_WORDS, ThreadCache, ZONE_WORDS } from './records.js';

const planners = [planThreads, planPages, planUma];
const HASH = 0x7a57;

/** Runs of a property; more with MBUMA_TEST_RUNS=10. */
export function runs(count: number): number {
  return Math.ceil(count * Number(process.env.MBUMA_TEST_RUNS ?? 1));
}

/** The seed of every random choice; another with MBUMA_TEST_SEED. */
export const seed: number = Number(process.env.MBUMA_TEST_SEED ?? 20261121);

/** Parameters for fast-check. */
export function property(count: number): { numRuns: number; seed: number } {
  return { numRuns: runs(count), seed };
}

/** A small generator with a state of its own: whole numbers below `bound`. */
export function randomFrom(start: number): (bound: number) => number {
  let state = Math.imul(start ^ 0x9e3779b9, 0x85ebca6b) || 1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
}

export interface PartyOptions {
  readonly pageCount?: number;
  readonly maxThreads?: number;
  readonly maxZones?: number;
  readonly checkLevel?: CheckLevel;
  readonly wasm?: boolean;
}

/** One attachment to a memory of zones. Several in one JavaScript thread play several threads. */
export interface Party extends UmaContext {
  readonly uma: Uma;
  readonly words: Int32Array;
  /** Word index of this thread's cache for a zone. */
  cacheOf(zone: { readonly index: number }): number;
  recordOf(zone: { readonly index: number }): number;
}

function partyOf(machine: Machine, initialise: boolean): Party {
  const attachment = createAttachment(machine);
  const { threads } = attachment;
  const pages = createPages(attachment, initialise);
  const context = { ...attachment, pages };
  const uma = createUma(context, initialise);
  const { maxZones } = machine.layout.parameters;
  return {
    ...context,
    uma,
    words: machine.words,
    cacheOf: ({ index }) =>
      machine.area('thread caches') + (threads.slot * (maxZones + 1) + index) * CACHE_WORDS,
    recordOf: ({ index }) => machine.area('zones') + index * ZONE_WORDS,
  };
}

export function makeParty(options: PartyOptions = {}): Party {
  const { pageCount = 256, maxThreads = 8, maxZones = 16, checkLevel = 1, wasm = false } = options;
  const machine = createMachine(
    { pageCount, maxThreads, maxZones, checkLevel, wasm, reservedPages: 0 },
    planners,
    HASH,
  );
  const party = partyOf(machine, true);
  publishMachine(machine);
  return party;
}

export function joinParty(handle: MemoryHandle): Party {
  return partyOf(openMachine(handle, planners, HASH), false);
}

/** Takes every page that is free, so that nothing can grow; the function gives them back. */
export function takeAllPages({ pages }: Party): () => void {
  const taken: number[] = [];
  for (let page = pages.tryAllocRun(1, 3); page !== 0; page = pages.tryAllocRun(1, 3)) taken.push(page);
  return () => {
    for (const page of taken.splice(0)) pages.freeRun(page, 1);
  };
}

/** Items that the thread has cached for the zone. */
export function cachedHere(party: Party, zone: { readonly index: number }): number {
  const cache = party.cacheOf(zone);
  const read = (offset: number): number => party.words[cache + offset] as number;
  return (read(ThreadCache.top) & 255) + (read(ThreadCache.spare) & 255);
}

export function findings(party: Party): string[] {
  const found: string[] = [];
  const report = (rule: string, message: string): void => {
    found.push(`${rule} ${message}`);
  };
  party.pages.audit(report);
  party.uma.audit(report);
  return found;
}

export function brokenRules(party: Party): string[] {
  return [...new Set(findings(party).map((finding) => finding.slice(0, finding.indexOf(' '))))].sort();
}

export function assertClean(subject: Party | Memory, when = ''): void {
  const found = 'uma' in subject ? findings(subject) : messagesOf((subject as Memory).audit());
  assert.deepEqual(found, [], when);
}

function messagesOf({ violations }: AuditReport): string[] {
  return violations.map(({ rule, message }) => `${rule} ${message}`);
}

/** Gives everything back and checks that each page is where it was. */
export function assertEmpty(party: Party, freePages: number): void {
  party.uma.reclaimer.reclaim('drain');
  assertClean(party);
  assert.equal(party.pages.freePages(), freePages);
}

function oursOf(error: unknown): MbumaError {
  assert.ok(error instanceof MbumaError, `a foreign error: ${error instanceof Error ? error.stack : error}`);
  return error;
}

/** The error of a call, which must be one of ours. */
export function errorOf(call: () => unknown): MbumaError {
  try {
    call();
  } catch (error) {
    return oursOf(error);
  }
  return assert.fail('nothing was thrown');
}

export function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return oursOf(error).code;
  }
  return 'nothing thrown';
}

export async function codeOfPromise(call: () => Promise<unknown>): Promise<string> {
  try {
    await call();
  } catch (error) {
    return oursOf(error).code;
  }
  return 'nothing thrown';
}

/** The item of a call that must not fail. */
export function must(item: Addr | 0): Addr {
  assert.notEqual(item, 0);
  return item as Addr;
}

/** Lets everything that is ready in the event loop run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
