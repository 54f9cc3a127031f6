/**
 * The machine: views, atomics, bulk fill and copy over one shared buffer. With its neighbours
 * in this folder the only place that touches `SharedArrayBuffer`, `WebAssembly.Memory` and `Atomics`.
 *
 * Views have an explicit length and are never replaced: the buffer is allocated whole and never grows.
 */

import {
  type CheckLevel,
  createFailpoints,
  createWitness,
  type Failpoints,
  MbumaError,
  type Witness,
} from '../check/index.js';
import { WORD_SHIFT } from '../record/index.js';
import {
  createPlainHelper,
  createWasmMemory,
  type Helper,
  instantiateHelper,
  isWasmMemory,
  type WasmMemory,
  wasmPageBytes,
} from './helper/index.js';
import { type AreaPlanner, areaOf, bootBytes, type Layout, planLayout } from './layout.js';
import { FORMAT_VERSION, MAGIC, PAGE_SIZE, SUPERBLOCK, Superblock } from './records.js';

/** What goes through `workerData` and `postMessage` so that another thread can attach. */
export interface MemoryHandle {
  readonly kind: 'mbuma-memory';
  readonly version: number;
  /** The buffer itself, where WebAssembly is not allowed. */
  readonly buffer: SharedArrayBuffer | null;
  /** The WebAssembly memory whose buffer is used, else null. */
  readonly wasm: WasmMemory | null;
}

/** How a memory is made; all values checked already. */
export interface MachineOptions {
  /** A multiple of 16 (a page of WebAssembly), unless `wasm` is false; at most 2^19. */
  readonly pageCount: number;
  readonly maxThreads: number;
  readonly maxZones: number;
  readonly checkLevel: CheckLevel;
  /** False: a plain SharedArrayBuffer. True: WebAssembly, or an error. Undefined: WebAssembly if allowed. */
  readonly wasm: boolean | undefined;
}

/** The seven atomic operations on word indexes. Sequentially consistent, all of them. */
export interface AtomicWords {
  load(index: number): number;
  store(index: number, value: number): void;
  add(index: number, value: number): number;
  exchange(index: number, value: number): number;
  compareExchange(index: number, expected: number, replacement: number): number;
  /** Wakes up to `count` threads that sleep on the word. */
  notify(index: number, count: number): number;
}

/** One thread's view of the memory, before it has a slot. */
export interface Machine {
  readonly handle: MemoryHandle;
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  /** 64-bit floats, for counters: index = word index / 2. */
  readonly floats: Float64Array;
  readonly atomics: AtomicWords;
  readonly layout: Layout;
  readonly checkLevel: CheckLevel;
  readonly failpoints: Failpoints;
  readonly witness: Witness;
  /** Whether this thread may block in `Atomics.wait` (not in a browser's main thread). */
  readonly mayBlock: boolean;
  /** Word index of a boot area. */
  area(name: string): number;
  /** Copies `length` bytes inside the memory; the ranges may overlap. */
  copyBytes(target: number, source: number, length: number): void;
  /** See helper/helper.wat. */
  readonly helper: Helper;
  /** Fills `length` bytes with `value`. */
  fillBytes(address: number, value: number, length: number): void;
}

function makeBuffer(options: MachineOptions): { wasm: WasmMemory | null; buffer: SharedArrayBuffer } {
  const bytes = options.pageCount * PAGE_SIZE;
  try {
    const wasm = options.wasm === false ? null : createWasmMemory(bytes / wasmPageBytes);
    if (wasm !== null) return { wasm, buffer: wasm.buffer as SharedArrayBuffer };
    if (typeof SharedArrayBuffer === 'function') return { wasm, buffer: new SharedArrayBuffer(bytes) };
  } catch (cause) {
    throw new MbumaError('OUT_OF_MEMORY', `cannot make a shared memory of ${bytes} bytes`, { cause });
  }
  throw new MbumaError(
    'BAD_CONFIGURATION',
    'there is no SharedArrayBuffer here: browsers have it in cross-origin isolated pages only',
  );
}

/** By what it is, not by its class, whose name a page that is not isolated does not have. */
function isSharedBuffer(value: unknown): value is SharedArrayBuffer {
  return Object.prototype.toString.call(value) === '[object SharedArrayBuffer]';
}

/** `Atomics.wait` throws where blocking is forbidden, even when it would not wait. */
function detectMayBlock(words: Int32Array): boolean {
  try {
    Atomics.wait(words, 0, 1, 0);
    return true;
  } catch {
    return false;
  }
}

function buildMachine(
  handle: MemoryHandle,
  buffer: SharedArrayBuffer,
  layout: Layout,
  checkLevel: CheckLevel,
): Machine {
  const byteLength = layout.parameters.pageCount * PAGE_SIZE;
  const words = new Int32Array(buffer, 0, byteLength / 4);
  const bytes = new Uint8Array(buffer, 0, byteLength);
  const floats = new Float64Array(buffer, 0, byteLength / 8);
  const helper: Helper =
    (handle.wasm === null ? null : instantiateHelper(handle.wasm)) ?? createPlainHelper(words, bytes);
  const { copy, fill } = helper;
  return {
    handle,
    words,
    bytes,
    floats,
    layout,
    checkLevel,
    atomics: createAtomics(helper),
    failpoints: createFailpoints(),
    witness: createWitness(),
    mayBlock: detectMayBlock(words),
    area: (name) => areaOf(layout, name),
    helper,
    copyBytes: (target, source, length) => copy(target, source, length),
    fillBytes: (address, value, length) => fill(address, value, length),
  };
}

/** The helper beats `Atomics`, which V8 calls and does not inline, by 2 to 3 times: see helper/README.md. */
function createAtomics(helper: Helper): AtomicWords {
  const { load, store, add, exchange, compareExchange, notify } = helper;
  return {
    load: (index) => load(index << WORD_SHIFT),
    store: (index, value) => store(index << WORD_SHIFT, value),
    add: (index, value) => add(index << WORD_SHIFT, value),
    exchange: (index, value) => exchange(index << WORD_SHIFT, value),
    compareExchange: (index, expected, replacement) =>
      compareExchange(index << WORD_SHIFT, expected, replacement),
    notify: (index, count) => notify(index << WORD_SHIFT, count),
  };
}

/** Makes the buffer and writes the superblock, all but the magic word: `publishMachine` does that. */
export function createMachine(
  options: MachineOptions,
  planners: readonly AreaPlanner[],
  hash: number,
): Machine {
  const layout = planLayout(options, planners);
  if (layout.firstPage >= options.pageCount) {
    throw new MbumaError(
      'BAD_CONFIGURATION',
      `a memory of ${options.pageCount * PAGE_SIZE} bytes is too small: ${bootBytes(layout)} are needed before the first page`,
    );
  }
  const { wasm, buffer } = makeBuffer(options);
  const handle: MemoryHandle = {
    kind: 'mbuma-memory',
    version: FORMAT_VERSION,
    buffer: wasm === null ? buffer : null,
    wasm,
  };
  const machine = buildMachine(handle, buffer, layout, options.checkLevel);
  if (options.wasm === true && machine.helper.kind !== 'wasm') {
    throw new MbumaError('BAD_CONFIGURATION', 'wasm is true, and WebAssembly is not there or not allowed');
  }
  const { words } = machine;
  words[SUPERBLOCK + Superblock.version] = FORMAT_VERSION;
  words[SUPERBLOCK + Superblock.layoutHash] = hash;
  words[SUPERBLOCK + Superblock.pageCount] = options.pageCount;
  words[SUPERBLOCK + Superblock.maxThreads] = options.maxThreads;
  words[SUPERBLOCK + Superblock.maxZones] = options.maxZones;
  words[SUPERBLOCK + Superblock.checkLevel] = options.checkLevel;
  words[SUPERBLOCK + Superblock.firstPage] = layout.firstPage;
  return machine;
}

/** Says that the memory is complete: from now on other threads can attach. */
export function publishMachine(machine: Machine): void {
  machine.atomics.store(SUPERBLOCK + Superblock.magic, MAGIC);
}

function badHandle(reason: string): MbumaError {
  return new MbumaError('BAD_HANDLE', reason);
}

/** Opens a memory that another thread made. Compares magic, version, layouts and size first. */
export function openMachine(handle: unknown, planners: readonly AreaPlanner[], hash: number): Machine {
  if (typeof handle !== 'object' || handle === null) throw badHandle('the handle is not an object');
  const { kind, buffer, wasm } = handle as Partial<MemoryHandle>;
  if (kind !== 'mbuma-memory') throw badHandle('the object is not the handle of a memory');
  const shared = isWasmMemory(wasm) ? wasm.buffer : buffer;
  if (!isSharedBuffer(shared) || shared.byteLength < 2 * PAGE_SIZE) {
    throw badHandle('the handle has no shared buffer: was it sent by workerData or postMessage?');
  }
  const header = new Int32Array(shared, 0, PAGE_SIZE / 4);
  const read = (offset: number): number => header[SUPERBLOCK + offset] ?? 0;
  if (Atomics.load(header, SUPERBLOCK + Superblock.magic) !== MAGIC) {
    throw badHandle('the buffer is not a memory of mbuma, or it is not complete');
  }
  if (read(Superblock.version) !== FORMAT_VERSION || read(Superblock.layoutHash) !== hash) {
    throw badHandle('the memory was made by another version of mbuma: every thread must use the same');
  }
  const parameters = {
    pageCount: read(Superblock.pageCount),
    maxThreads: read(Superblock.maxThreads),
    maxZones: read(Superblock.maxZones),
  };
  const layout = planLayout(parameters, planners);
  if (
    parameters.pageCount * PAGE_SIZE !== shared.byteLength ||
    read(Superblock.firstPage) !== layout.firstPage
  ) {
    throw badHandle('the superblock contradicts the buffer: the memory is damaged');
  }
  const level = read(Superblock.checkLevel) as CheckLevel;
  const opened: MemoryHandle = isWasmMemory(wasm)
    ? { kind, version: FORMAT_VERSION, buffer: null, wasm }
    : { kind, version: FORMAT_VERSION, buffer: shared, wasm: null };
  return buildMachine(opened, shared, layout, level);
}
