/**
 * Fabrics over a plain buffer: one under the scheduler for each thread of a model, and one that is not, for
 * who only looks while the threads stand still.
 */

import { createPlainHelper, type Fabric, type Helper } from '../machine/index.js';
import { WORD_SHIFT } from '../record/index.js';
import type { Engine } from './engine.js';
import { Kind, type ModelThread } from './model-thread.js';
import { createView } from './views.js';

/** The helper, whose atomic operations go the same way as the fabric's. */
function createHelper(words: Int32Array, bytes: Uint8Array, atomics: Fabric['atomics']): Helper {
  const indexOf = (address: number): number => {
    if ((address & 3) !== 0) throw new RangeError(`word address ${address} is not divisible by 4`);
    return address >>> WORD_SHIFT;
  };
  return {
    ...createPlainHelper(words, bytes),
    load: (address) => atomics.load(indexOf(address)),
    store: (address, value) => atomics.store(indexOf(address), value),
    add: (address, value) => atomics.add(indexOf(address), value),
    exchange: (address, value) => atomics.exchange(indexOf(address), value),
    compareExchange: (address, expected, replacement) =>
      atomics.compareExchange(indexOf(address), expected, replacement),
    notify: (address, count) => atomics.notify(indexOf(address), count),
  };
}

/** What a thread of a model has of the memory. */
export function createModelFabric(engine: Engine, thread: ModelThread): Fabric {
  const { buffer } = engine;
  const words = createView(engine, thread, new Int32Array(buffer));
  const bytes = createView(engine, thread, new Uint8Array(buffer));
  const word = (kind: number, index: number, first: number, second: number): number =>
    engine.atomic(thread, kind, index << WORD_SHIFT, first, second);
  const atomics: Fabric['atomics'] = {
    load: (index) => word(Kind.ATOMIC_LOAD, index, 0, 0),
    store(index, value) {
      word(Kind.ATOMIC_STORE, index, value, 0);
    },
    add: (index, value) => word(Kind.ADD, index, value, 0),
    exchange: (index, value) => word(Kind.EXCHANGE, index, value, 0),
    compareExchange: (index, expected, replacement) =>
      word(Kind.COMPARE_EXCHANGE, index, expected, replacement),
    compareExchangeByte: (address, expected, replacement) =>
      engine.atomic(thread, Kind.COMPARE_EXCHANGE_BYTE, address, expected, replacement),
    notify: (index, count) => engine.notify(thread, index, count),
  };
  return {
    words,
    bytes,
    floats: createView(engine, thread, new Float64Array(buffer, 0, buffer.byteLength >> 3)),
    bytesAt(index, length) {
      engine.declareMap(index, length);
      return createView(engine, thread, new Uint8Array(buffer, index << WORD_SHIFT, length));
    },
    halvesAt(index, length) {
      engine.declareMap(index, length * 2);
      return createView(engine, thread, new Uint16Array(buffer, index << WORD_SHIFT, length));
    },
    atomics,
    helper: createHelper(words, bytes, atomics),
    mayBlock: true,
    wait: (index, expected, timeoutMs) => engine.wait(thread, index, expected, timeoutMs),
    waitAsync: async (index, expected, timeoutMs) => engine.waitAsync(thread, index, expected, timeoutMs),
    now: () => engine.now(thread),
    delayMs: 0,
    spinLoads: 0,
    onRewind(reset) {
      thread.resets.push(reset);
    },
  };
}

/**
 * Looks at the memory while the threads stand still. What it writes is not undone by the engine.
 *
 * @param resets gets what puts back that which is kept outside of the memory
 */
export function createObserverFabric(buffer: ArrayBuffer, resets: (() => void)[]): Fabric {
  const words = new Int32Array(buffer);
  const bytes = new Uint8Array(buffer);
  const change = (index: number, value: number): number => {
    const old = words[index] as number;
    words[index] = value;
    return old;
  };
  const atomics: Fabric['atomics'] = {
    load: (index) => words[index] as number,
    store(index, value) {
      words[index] = value;
    },
    add: (index, value) => change(index, (words[index] as number) + value),
    exchange: change,
    compareExchange: (index, expected, replacement) =>
      words[index] === expected ? change(index, replacement) : (words[index] as number),
    compareExchangeByte(address, expected, replacement) {
      const old = bytes[address] as number;
      if (old === (expected & 255)) bytes[address] = replacement;
      return old;
    },
    notify: () => 0,
  };
  const refuse = (index: number): never => {
    throw new Error(`the observer would sleep on word ${index}: nobody runs who could wake it`);
  };
  return {
    words,
    bytes,
    floats: new Float64Array(buffer, 0, buffer.byteLength >> 3),
    bytesAt: (index, length) => new Uint8Array(buffer, index << WORD_SHIFT, length),
    halvesAt: (index, length) => new Uint16Array(buffer, index << WORD_SHIFT, length),
    atomics,
    helper: createHelper(words, bytes, atomics),
    mayBlock: true,
    wait: refuse,
    waitAsync: refuse,
    now: () => 0,
    delayMs: 0,
    spinLoads: 0,
    onRewind(reset) {
      resets.push(reset);
    },
  };
}
