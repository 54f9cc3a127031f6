/** Makes a memory with the layers below and the mbufs, and the questions that tests ask of it. */

import assert from 'node:assert/strict';
import { MbumaError } from '../check/index.js';
import {
  createAttachment,
  createMachine,
  type Machine,
  type MemoryHandle,
  openMachine,
  planThreads,
  publishMachine,
} from '../machine/index.js';
import { createPages, planPages } from '../phys/index.js';
import type { Addr } from '../record/index.js';
import { createUma, planUma } from '../uma/index.js';
import { createMbufs, type MbufContext, type Mbufs, planMbufs } from './index.js';

export interface Kit {
  readonly machine: Machine;
  readonly context: MbufContext;
  readonly mbufs: Mbufs;
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
}

export interface KitOptions {
  readonly pageCount?: number;
  readonly checkLevel?: 0 | 1 | 2 | 3;
  readonly max?: number;
  readonly wasm?: boolean;
}

const PLANNERS = [planThreads, planPages, planUma, planMbufs];

function assemble(machine: Machine, initialise: boolean, max: number | undefined): Kit {
  const attachment = createAttachment(machine);
  const pages = createPages(attachment, initialise);
  const uma = createUma({ ...attachment, pages }, initialise);
  const context = { ...attachment, pages, uma };
  const mbufs = createMbufs(context, { max });
  return { machine, context, mbufs, words: machine.words, bytes: machine.bytes };
}

export function makeKit({ pageCount = 1024, checkLevel = 1, max, wasm = false }: KitOptions = {}): Kit {
  const options = { pageCount, maxThreads: 8, maxZones: 16, checkLevel, wasm, reservedPages: 0 } as const;
  return assemble(createMachine(options, PLANNERS, 1), true, max);
}

/** A second attachment to the same memory, in the same thread: what another thread would have. */
export function attachKit(kit: Kit): Kit {
  publishMachine(kit.machine);
  return openKit(kit.machine.handle);
}

/** Attaches the calling thread. */
export function openKit(handle: MemoryHandle): Kit {
  return assemble(openMachine(handle, PLANNERS, 1), false, undefined);
}

/** What the audits of all layers find. */
export function findings({ context, mbufs }: Kit): string[] {
  const found: string[] = [];
  const report = (rule: string, message: string): void => {
    found.push(`${rule} ${message}`);
  };
  context.pages.audit(report);
  context.uma.audit(report);
  mbufs.audit(report);
  return found;
}

export function assertClean(kit: Kit): void {
  assert.deepEqual(findings(kit), []);
}

/** Clean, and nothing in use. */
export function assertNothingUsed(kit: Kit): void {
  assertClean(kit);
  const { mbufs, clusters, packets, zones } = kit.mbufs.stats();
  assert.deepEqual(
    {
      mbufs: mbufs.current,
      clusters: clusters.current,
      packets: packets.current,
      jumbo: zones.jumboPage.used + zones.jumbo9k.used + zones.jumbo16k.used,
      counters: zones.externalCounter.used,
    },
    { mbufs: 0, clusters: 0, packets: 0, jumbo: 0, counters: 0 },
  );
}

/** Asserts that `act` throws an MbumaError of that code. */
export function assertCode(act: () => unknown, code: string, message?: string): void {
  assert.throws(act, (error: unknown) => {
    assert.ok(error instanceof MbumaError, `${message ?? ''}: ${String(error)}`);
    assert.equal(error.code, code, `${message ?? ''}: ${error.message}`);
    return true;
  });
}

/** The address, which is not null. */
export function must(address: Addr | 0): Addr {
  assert.notEqual(address, 0);
  return address as Addr;
}

/** Gives this thread's caches and its slot back. */
export function detachKit({ context }: Kit): void {
  context.uma.reclaimer.leave();
  context.threads.release();
}

/** All bytes of a chain. */
export function bytesOf({ mbufs }: Kit, m: Addr): number[] {
  const result: number[] = [];
  for (const { view, start, end } of mbufs.segments(m)) result.push(...view.subarray(start, end));
  return result;
}
