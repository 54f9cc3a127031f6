/** A memory with rings and nothing else, for the tests of this folder. */

import {
  attachThread,
  createLocks,
  createMachine,
  createWaiting,
  type Machine,
  type MemoryHandle,
  openMachine,
  planThreads,
  publishMachine,
} from '../machine/index.js';
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
  const threads = attachThread(machine);
  const locks = createLocks(machine, threads);
  const waiting = createWaiting(machine, threads);
  const pages = createPages(machine, locks, initialise);
  const context = { machine, threads, locks, waiting, pages };
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
    { pageCount, maxThreads: 16, maxZones: 1, checkLevel: 1, wasm },
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

/** Thrown in a thread that was told to die, at every store from then on. */
export class Death extends Error {}

export interface MortalMemory extends RingMemory {
  /** Lets it die before its store number `count` from now on, counted from 1. Notifying counts as a store. */
  dieAt(count: number): void;
  /** Stores until now. */
  stores(): number;
}

/** Another thread of the memory, which can die between any two of its stores. It must not sleep. */
export function openMortalMemory(handle: MemoryHandle): MortalMemory {
  const machine = openMachine(handle, PLANNERS, HASH);
  const { atomics } = machine;
  let stores = 0;
  let last = Number.POSITIVE_INFINITY;
  function live(): void {
    stores++;
    if (stores >= last) throw new Death('dead');
  }
  const words = new Proxy(machine.words, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
    set(target, key, value) {
      live();
      return Reflect.set(target, key, value);
    },
  });
  const guard =
    <Arguments extends unknown[], Result>(call: (...values: Arguments) => Result) =>
    (...values: Arguments): Result => {
      live();
      return call(...values);
    };
  const mortal: Machine = {
    ...machine,
    words,
    atomics: {
      load: atomics.load,
      store: guard(atomics.store),
      add: guard(atomics.add),
      exchange: guard(atomics.exchange),
      compareExchange: guard(atomics.compareExchange),
      compareExchangeByte: guard(atomics.compareExchangeByte),
      notify: guard(atomics.notify),
    },
  };
  return {
    ...attach(mortal, false),
    dieAt(count) {
      last = stores + count;
    },
    stores: () => stores,
  };
}

/** The record of a ring. */
export function ringRefOf(memory: RingMemory, name: string): RingRef {
  const registry = createRegistry(memory);
  for (let index = 0; index < registry.count(); index++) {
    if (registry.nameOf(registry.at(index)) === name) return registry.at(index);
  }
  throw new Error(`there is no ring ${name}`);
}
