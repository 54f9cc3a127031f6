// The modules of the bench: those with a malloc of their own, and the one that calls somebody else's.
import { readFileSync } from 'node:fs';
import { buildEmscripten, buildTlsf, buildWasmCaller } from './build.mjs';

const BUILDS = {
  dlmalloc: () => buildEmscripten('dlmalloc'),
  emmalloc: () => buildEmscripten('emmalloc'),
  tlsf: buildTlsf,
};

/** Blocks of one turn, as bench/native/wasm-loops.h has them. */
const LOOPS = { wasmPair: { name: 'pairs', blocks: 1 }, wasmBurst: { name: 'bursts', blocks: 32 } };

function load({ binary, reason }, imports) {
  if (reason !== undefined) throw new Error(reason);
  const module = new WebAssembly.Module(readFileSync(binary));
  return new WebAssembly.Instance(module, { env: imports }).exports;
}

/** The exports of a module with a malloc of its own. */
export function instantiate(name) {
  const exports = load(BUILDS[name](), {
    abort() {
      throw new Error(`${name} has aborted`);
    },
  });
  exports._initialize?.();
  return exports;
}

function innerLoop(exports, suite, size) {
  const { name, blocks } = LOOPS[suite];
  const run = exports[name];
  return { loop: (turns) => run(turns, size), itemsPerTurn: blocks };
}

/** Code in a module around the module's own malloc. */
export const makeInnerLoop = (suite, size, name) => innerLoop(instantiate(name), suite, size);

/** The same code around a malloc that the module imports, with its blocks in `memory`. */
export const makeCallerLoop = (suite, size, memory, mallocImports) =>
  innerLoop(load(buildWasmCaller(), { memory, ...mallocImports }), suite, size);
