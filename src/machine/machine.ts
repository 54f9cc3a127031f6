/**
 * The machine: a fabric, and what the memory in it is: layout, level of checking, failpoints, witness.
 * With its neighbours in this folder the only place that touches `SharedArrayBuffer`,
 * `WebAssembly.Memory` and `Atomics`.
 */

import {
  type CheckLevel,
  createFailpoints,
  createWitness,
  damaged,
  type Failpoints,
  MbumaError,
  type Witness,
} from '../check/index.js';
import { FIRST_SEQUENCE } from './epochs.js';
import { createFabric, type Fabric } from './fabric.js';
import { createWasmMemory, isWasmMemory, type WasmMemory, wasmPageBytes } from './helper/index.js';
import { type AreaPlanner, areaOf, bootBytes, type Layout, planLayout } from './layout.js';
import { EpochState, FORMAT_VERSION, MAGIC, PAGE_SIZE, SUPERBLOCK, Superblock } from './records.js';
import { createSettings, writeDefaults } from './tunables.js';

/** What goes through `workerData` and `postMessage` so that another thread can attach. */
export interface MemoryHandle {
  readonly kind: 'mbuma-memory';
  readonly version: number;
  /** The buffer itself, where WebAssembly is not allowed. */
  readonly buffer: SharedArrayBuffer | null;
  /** The WebAssembly memory whose buffer is used, for modules to import; else null. */
  readonly wasm: WasmMemory | null;
  /** Bytes at the start that are a module's: nothing of the memory's own lies there. */
  readonly reservedBytes: number;
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
  /** Pages at the start that are left to a module; less than `pageCount`. */
  readonly reservedPages: number;
}

/** One thread's view of the memory, before it has a slot. */
export interface Machine extends Fabric {
  readonly handle: MemoryHandle;
  readonly layout: Layout;
  readonly checkLevel: CheckLevel;
  readonly failpoints: Failpoints;
  readonly witness: Witness;
  /** Word index of a boot area. */
  area(name: string): number;
  /** Copies `length` bytes inside the memory; the ranges may overlap. */
  copyBytes(target: number, source: number, length: number): void;
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

/** Whether a memory can begin behind so many bytes, which may be anything. */
function isReservation(reservedBytes: unknown, byteLength: number): reservedBytes is number {
  return (
    typeof reservedBytes === 'number' &&
    reservedBytes >= 0 &&
    reservedBytes % PAGE_SIZE === 0 &&
    reservedBytes <= byteLength - 2 * PAGE_SIZE
  );
}

function buildMachine(handle: MemoryHandle, fabric: Fabric, layout: Layout, checkLevel: CheckLevel): Machine {
  const { copy, fill } = fabric.helper;
  const witness = createWitness();
  const failpoints = createFailpoints();
  fabric.onRewind(() => witness.reset());
  return {
    ...fabric,
    handle,
    layout,
    checkLevel,
    failpoints,
    witness,
    area: (name) => areaOf(layout, name),
    copyBytes(target, source, length) {
      try {
        copy(target, source, length);
      } catch (cause) {
        throw damaged(`${length} bytes from ${source} to ${target} do not lie in it`, { cause });
      }
    },
    fillBytes(address, value, length) {
      try {
        fill(address, value, length);
      } catch (cause) {
        throw damaged(`${length} bytes from ${address} on do not lie in it`, { cause });
      }
    },
  };
}

/** A handle, but for where the memory begins, and a fabric for a new memory of so many bytes. */
export type Weave = (byteLength: number) => { handle: Omit<MemoryHandle, 'reservedBytes'>; fabric: Fabric };

function weaveFor(options: MachineOptions): Weave {
  return (byteLength) => {
    const { wasm, buffer } = makeBuffer(options);
    const handle = {
      kind: 'mbuma-memory' as const,
      version: FORMAT_VERSION,
      buffer: wasm === null ? buffer : null,
      wasm,
    };
    return { handle, fabric: createFabric(buffer, wasm, byteLength) };
  };
}

/**
 * Makes the buffer and writes the superblock, all but the magic word: `publishMachine` does that.
 *
 * @param weave makes the memory itself; by default a real one, as the options say
 */
export function createMachine(
  options: MachineOptions,
  planners: readonly AreaPlanner[],
  hash: number,
  weave: Weave = weaveFor(options),
): Machine {
  const layout = planLayout(options, planners);
  if (layout.firstPage >= options.pageCount) {
    throw new MbumaError(
      'BAD_CONFIGURATION',
      `a memory of ${options.pageCount * PAGE_SIZE} bytes is too small: ${bootBytes(layout)} are needed before the first page`,
    );
  }
  const { handle, fabric } = weave(options.pageCount * PAGE_SIZE);
  const reservedBytes = options.reservedPages * PAGE_SIZE;
  const machine = buildMachine({ ...handle, reservedBytes }, fabric, layout, options.checkLevel);
  if (options.wasm === true && machine.helper.kind !== 'wasm') {
    throw new MbumaError('BAD_CONFIGURATION', 'wasm is true, and WebAssembly is not there or not allowed');
  }
  const { words } = machine;
  const { superblock } = layout;
  words[superblock + Superblock.version] = FORMAT_VERSION;
  words[superblock + Superblock.layoutHash] = hash;
  words[superblock + Superblock.pageCount] = options.pageCount;
  words[superblock + Superblock.maxThreads] = options.maxThreads;
  words[superblock + Superblock.maxZones] = options.maxZones;
  words[superblock + Superblock.checkLevel] = options.checkLevel;
  words[superblock + Superblock.firstPage] = layout.firstPage;
  words[superblock + Superblock.modulePages] = options.reservedPages;
  writeDefaults(createSettings(machine));
  words[machine.area('epochs') + EpochState.sequence] = FIRST_SEQUENCE;
  return machine;
}

/** Says that the memory is complete: from now on other threads can attach. */
export function publishMachine(machine: Machine): void {
  machine.atomics.store(machine.layout.superblock + Superblock.magic, MAGIC);
}

function badHandle(reason: string): MbumaError {
  return new MbumaError('BAD_HANDLE', reason);
}

/** Opens a memory that another thread made. Compares magic, version, layouts and size first. */
export function openMachine(handle: unknown, planners: readonly AreaPlanner[], hash: number): Machine {
  if (typeof handle !== 'object' || handle === null) throw badHandle('the handle is not an object');
  // Nothing else is read of an object that is none: its accessors are not ours to run.
  const { kind } = handle as Partial<MemoryHandle>;
  if (kind !== 'mbuma-memory') throw badHandle('the object is not the handle of a memory');
  const { buffer, wasm, reservedBytes } = handle as MemoryHandle;
  const shared = isWasmMemory(wasm) ? wasm.buffer : buffer;
  if (!isSharedBuffer(shared) || shared.byteLength < 2 * PAGE_SIZE) {
    throw badHandle('the handle has no shared buffer: was it sent by workerData or postMessage?');
  }
  if (!isReservation(reservedBytes, shared.byteLength)) {
    throw badHandle('the handle does not say where the memory begins: every thread must use the same mbuma');
  }
  const header = new Int32Array(shared, reservedBytes, PAGE_SIZE / 4);
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
    reservedPages: reservedBytes / PAGE_SIZE,
  };
  const layout = planLayout(parameters, planners);
  if (
    parameters.pageCount * PAGE_SIZE !== shared.byteLength ||
    read(Superblock.modulePages) !== parameters.reservedPages ||
    read(Superblock.firstPage) !== layout.firstPage
  ) {
    throw badHandle('the superblock contradicts the buffer: the memory is damaged');
  }
  const level = read(Superblock.checkLevel) as CheckLevel;
  const opened: MemoryHandle = isWasmMemory(wasm)
    ? { kind, version: FORMAT_VERSION, buffer: null, wasm, reservedBytes }
    : { kind, version: FORMAT_VERSION, buffer: shared, wasm: null, reservedBytes };
  const fabric = createFabric(shared, opened.wasm, shared.byteLength);
  return buildMachine(opened, fabric, layout, level);
}

/** Opens, over another fabric, the memory that `machine` made: what `openMachine` does for a handle. */
export function joinMachine(machine: Machine, fabric: Fabric): Machine {
  return buildMachine(machine.handle, fabric, machine.layout, machine.checkLevel);
}
