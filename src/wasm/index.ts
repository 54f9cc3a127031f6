// See README.md.

export { heapBaseOf } from './heap-base.js';
export { createImports, type MallocImportOptions, type MallocImports } from './imports.js';
