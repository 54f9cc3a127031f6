export * from './audit.js';
export * from './fabric.js';
export { createPlainHelper, type Helper, type WasmMemory } from './helper/index.js';
export * from './layout.js';
export * from './locks.js';
export * from './machine.js';
export * from './records.js';
export * from './threads.js';
export * from './waiting.js';
