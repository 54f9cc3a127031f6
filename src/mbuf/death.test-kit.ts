/**
 * A memory with three threads: one that dies between any two of its stores, one that lives on, and an heir.
 */

import assert from 'node:assert/strict';
import { createFabric, createPlainHelper, type Fabric, type Machine } from '../machine/index.js';
import { createMemoryOver, joinMemory } from '../memory.js';
import type { Memory } from '../memory-api.js';
import type { Addr } from '../record/index.js';

/** Thrown in a thread that was told to die, at every store from then on. */
export class Death extends Error {}

export interface MortalThread {
  readonly memory: Memory;
  /** Lets it die before its store number `count` from now on, counted from 1. */
  dieAt(count: number): void;
  /** Whether it has died. */
  isDead(): boolean;
}

/** A fabric whose every store may be the last one. A run of bytes that is filled is two stores. */
export function makeMortalFabric(machine: Machine): { fabric: Fabric } & Omit<MortalThread, 'memory'> {
  const { buffer } = machine.words;
  const real = createFabric(buffer as SharedArrayBuffer, null, machine.bytes.length);
  let stores = 0;
  let last = Number.POSITIVE_INFINITY;
  function live(): void {
    if (++stores >= last) throw new Death('dead');
  }
  function watch<View extends Int32Array | Uint8Array | Uint16Array>(view: View): View {
    return new Proxy(view, {
      get(target, key) {
        if (key === 'fill') {
          return (value: number, start = 0, end = target.length) => {
            const middle = (start + end) >> 1;
            live();
            target.fill(value, start, middle);
            live();
            target.fill(value, middle, end);
          };
        }
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== 'function') return value;
        return key === 'copyWithin' ? guard(value.bind(target)) : value.bind(target);
      },
      set(target, key, value) {
        live();
        return Reflect.set(target, key, value);
      },
    });
  }
  const guard =
    <Arguments extends unknown[], Result>(call: (...values: Arguments) => Result) =>
    (...values: Arguments): Result => {
      live();
      return call(...values);
    };
  const { atomics } = real;
  const words = watch(real.words);
  const bytes = watch(real.bytes);
  const fabric: Fabric = {
    ...real,
    words,
    bytes,
    bytesAt: (index, length) => watch(real.bytesAt(index, length)),
    halvesAt: (index, length) => watch(real.halvesAt(index, length)),
    atomics: {
      load: atomics.load,
      store: guard(atomics.store),
      add: guard(atomics.add),
      exchange: guard(atomics.exchange),
      compareExchange: guard(atomics.compareExchange),
      compareExchangeByte: guard(atomics.compareExchangeByte),
      notify: guard(atomics.notify),
    },
    helper: createPlainHelper(words, bytes),
    mayBlock: false,
  };
  return {
    fabric,
    dieAt(count) {
      last = stores + count;
    },
    isDead: () => stores >= last,
  };
}

export interface Scene {
  readonly dying: MortalThread;
  readonly living: Memory;
  /** Mbufs that the living thread holds, and frees in the end. */
  readonly kept: Addr[];
  /** Calls of the free function `note`. */
  readonly calls: unknown[][];
  joinMortal(): MortalThread;
  join(): Memory;
}

/** Clusters at most. */
export const CLUSTERS = 40;

export function makeScene(checkLevel: 0 | 1 | 2): Scene {
  const bytes = 1 << 20;
  const { memory: living, machine } = createMemoryOver({
    bytes,
    maxThreads: 5,
    maxZones: 16,
    checkLevel,
    wasm: false,
    mbufs: { max: CLUSTERS },
  });
  const calls: unknown[][] = [];
  const register = (memory: Memory): Memory => {
    memory.mbufs.registerFree('note', (...call: unknown[]) => calls.push(call));
    return memory;
  };
  const join = (): Memory =>
    register(joinMemory(machine, createFabric(machine.words.buffer as SharedArrayBuffer, null, bytes)));
  const joinMortal = (): MortalThread => {
    const { fabric, dieAt, isDead } = makeMortalFabric(machine);
    return { memory: register(joinMemory(machine, fabric)), dieAt, isDead };
  };
  register(living);
  return { living, dying: joinMortal(), kept: [], calls, join, joinMortal };
}

/** Declares a thread dead, and cleans up after it. */
export function bury(heir: Memory, dead: Memory, what: string): void {
  heir.declareDead(dead.name);
  for (const { errors } of heir.reap()) assert.deepEqual(errors, [], what);
}

export function assertClean(memory: Memory, what: string): void {
  assert.deepEqual(memory.audit().violations, [], what);
}

let pagesOfNothing: number | undefined;

/** What nobody uses is free: items, caches, pages; and can be used again. */
function assertNothingLeft(heir: Memory, what: string): void {
  heir.drain();
  assertClean(heir, `${what}: drained`);
  const stats = heir.stats();
  const left = stats.zones.filter(({ used, cached }) => used + cached !== 0);
  assert.deepEqual(left, [], what);
  pagesOfNothing ??= stats.pages.free;
  assert.equal(stats.pages.free, pagesOfNothing, `${what}: pages`);
}

/** The living thread frees what it holds and dies; the heir finds everything free. */
export function settle(scene: Scene, what: string): void {
  const { living, kept } = scene;
  assertClean(living, `${what}: reaped`);
  for (const m of kept) living.mbufs.free(m);
  assertClean(living, `${what}: freed`);
  const heir = scene.join();
  bury(heir, living, `${what}: the living`);
  assertClean(heir, `${what}: nobody left`);
  assertNothingLeft(heir, what);
  const all: Addr[] = [];
  for (let m = heir.mbufs.tryGetcl(); m !== 0; m = heir.mbufs.tryGetcl()) all.push(m);
  assert.equal(all.length, CLUSTERS, `${what}: up to the limit`);
  for (const m of all) heir.mbufs.free(m);
  assertNothingLeft(heir, `${what}: once more`);
}

/** An act of the dying thread: prepares, and gives what is to be done. */
export type Act = (scene: Scene) => (() => void) | Promise<() => void>;

/** Whether the dying thread ended before its store number `at`; false: it had fewer. */
export function playUntil(thread: MortalThread, act: () => void, at: number): boolean {
  thread.dieAt(at);
  try {
    act();
  } catch (error) {
    if (!thread.isDead()) throw error;
  }
  return thread.isDead();
}
