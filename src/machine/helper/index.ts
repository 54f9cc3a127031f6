// See README.md.

export { createPlainHelper, type Helper, instantiateHelper } from './helper.js';
export {
  createWasmMemory,
  isWasmMemory,
  type WasmMemory,
  wasmMaxBytes,
  wasmPageBytes,
} from './webassembly.js';
