// The few words of the WebAssembly API that the machine needs, found at run time and typed here.
//
// TypeScript's own types for it come only with the whole of the browser's (`lib: dom`), which the core must
// not be able to name. And WebAssembly may be missing (`node --jitless`) or forbidden (a browser page whose
// content security policy has no 'wasm-unsafe-eval'): each way in answers null then, and the caller takes the
// plain way.

/** A WebAssembly.Memory, made with `shared`. Its `buffer` is a SharedArrayBuffer. */
interface AnyWasmMemory {
  readonly buffer: ArrayBufferLike;
}

/**
 * A memory of WebAssembly: `WebAssembly.Memory`, where the types that a program is compiled with know it, so
 * that it may be handed to whatever wants one.
 */
export type WasmMemory = typeof globalThis extends {
  readonly WebAssembly: { readonly Memory: new (...given: never) => infer Instance };
}
  ? Instance & AnyWasmMemory
  : AnyWasmMemory;

interface WasmInstance {
  readonly exports: Record<string, unknown>;
}

interface WasmNamespace {
  readonly Memory: new (limits: { initial: number; maximum: number; shared: boolean }) => WasmMemory;
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object, imports: Record<string, Record<string, unknown>>) => WasmInstance;
  readonly CompileError: new (message?: string) => Error;
}

/** Bytes in a page of WebAssembly, the unit in which a memory is sized. */
export const wasmPageBytes = 65536;

/** Bytes of the largest memory that the helper can be given: 65536 pages. */
export const wasmMaxBytes: number = 65536 * wasmPageBytes;

function wasmNamespace(): WasmNamespace | null {
  const found = (globalThis as { WebAssembly?: WasmNamespace }).WebAssembly;
  return typeof found === 'object' ? found : null;
}

/**
 * A shared memory of just `pages` pages of 65536 bytes, which never grows; null where WebAssembly is not
 * there. Throws the platform's RangeError when so much address space cannot be had.
 */
export function createWasmMemory(pages: number): WasmMemory | null {
  const wasm = wasmNamespace();
  return wasm === null ? null : new wasm.Memory({ initial: pages, maximum: pages, shared: true });
}

/**
 * Whether `value` is a memory of WebAssembly, which must be handed to a thread as it is, not as its buffer.
 */
export function isWasmMemory(value: unknown): value is WasmMemory {
  const wasm = wasmNamespace();
  return wasm !== null && value instanceof wasm.Memory;
}

/** The exports of the module in `bytes` over `memory`, or null where a module may not be compiled. */
export function instantiateOver(
  memory: WasmMemory,
  bytes: Uint8Array<ArrayBuffer>,
): Record<string, unknown> | null {
  const wasm = wasmNamespace();
  if (wasm === null) return null;
  let module: object;
  try {
    module = new wasm.Module(bytes);
  } catch (error) {
    if (error instanceof wasm.CompileError || error instanceof RangeError) return null;
    throw error;
  }
  return new wasm.Instance(module, { env: { memory } }).exports;
}
