// Modules without a C library, which import malloc and the others themselves, and have an errno somewhere.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import wabt from 'wabt';
import { attachMemory, createMemory } from '../../dist/index.js';
import { createMallocImports, heapBaseOf } from '../../dist/wasm.js';

const ERRNO = 65536;
const PLACE = 65544;
const { parseWat } = await wabt();

const names = {
  malloc: 1,
  free: -1,
  calloc: 2,
  realloc: 2,
  aligned_alloc: 2,
  posix_memalign: 3,
  malloc_usable_size: 1,
};

/** A module that passes everything on, and has data behind 65536. */
function assemble() {
  const calls = Object.entries(names).map(([name, count]) => {
    const type = `(param ${'i32 '.repeat(Math.abs(count))}) ${count < 0 ? '' : '(result i32)'}`;
    const gets = Array.from({ length: Math.abs(count) }, (_, at) => `(local.get ${at})`).join(' ');
    return {
      imported: `(import "env" "${name}" (func $${name} ${type}))`,
      exported: `(func (export "${name}") ${type} ${gets} (call $${name}))`,
    };
  });
  const text = `(module
    (import "env" "memory" (memory 2 65536 shared))
    ${calls.map(({ imported }) => imported).join('\n')}
    ${calls.map(({ exported }) => exported).join('\n')}
    (global (export "__heap_base") i32 (i32.const 65600))
    (func (export "errno") (result i32) (i32.const ${ERRNO}))
    (func (export "store8") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
    (data (i32.const ${PLACE}) "\\01\\02\\03\\04")
    (data (i32.const 0) "the module begins here"))`;
  const features = { threads: true, bulk_memory: true };
  const module = parseWat('direct.wat', text, features);
  const { buffer } = module.toBinary({});
  module.destroy();
  return buffer;
}

function makeKit(bytes = 2 << 20) {
  const file = assemble();
  const memory = createMemory({ bytes, wasm: { heapBase: heapBaseOf(file) } });
  const type = memory.mallocType({ name: 'wasm' });
  const module = new WebAssembly.Module(file);
  const instantiate = (over) => {
    const env = { memory: over.handle.wasm, ...createMallocImports(over, { errno: () => exports.errno() }) };
    const { exports } = new WebAssembly.Instance(module, { env });
    return exports;
  };
  const exports = instantiate(memory);
  function takeErrno() {
    const code = memory.words[ERRNO >>> 2];
    memory.words[ERRNO >>> 2] = 0;
    return code;
  }
  return { memory, type, exports, instantiate, takeErrno };
}

const clean = { clean: true, violations: [] };

describe('a module without a C library', () => {
  it('calls all of them, with numbers that are negative to JavaScript', () => {
    const { memory, type, exports, takeErrno } = makeKit();
    const block = exports.malloc(100);
    assert.equal(exports.malloc_usable_size(block), 112);
    const other = exports.realloc(block, 1000);
    const zeros = exports.calloc(10, 10);
    const aligned = exports.aligned_alloc(4096, 10);
    assert.equal(aligned % 4096, 0);
    assert.equal(exports.posix_memalign(PLACE, 64, 10), 0);
    const fifth = memory.words[PLACE >>> 2];
    for (const each of [other, zeros, aligned, fifth]) exports.free(each);
    assert.equal(exports.malloc(0xfffffff0), 0);
    assert.equal(takeErrno(), 48);
    assert.equal(exports.calloc(0x10000, 0x10000), 0);
    assert.equal(takeErrno(), 48);
    assert.equal(exports.aligned_alloc(0, 1), 0);
    assert.equal(takeErrno(), 28);
    assert.equal(exports.posix_memalign(PLACE, 0x80000000, 1), 48);
    assert.equal(takeErrno(), 0);
    assert.equal(type.stats().used, 0);
    assert.deepEqual(memory.audit(), clean);
  });

  it('is instantiated again and again, and writes its data each time, while the memory works', () => {
    const { memory, type, exports, instantiate } = makeKit();
    const text = () => String.fromCharCode(...memory.bytes.subarray(0, 10));
    for (let n = 0; n < 5; n++) {
      const other = attachMemory(memory.handle);
      const block = type.tryAlloc(100);
      const theirs = instantiate(other);
      assert.equal(text(), 'the module');
      theirs.free(block);
      exports.free(theirs.malloc(100));
      // All of its part, to the last byte.
      for (let at = 0; at < memory.handle.reservedBytes; at++) theirs.store8(at, n + 1);
      other.detach();
      assert.deepEqual(memory.audit(), clean);
    }
    assert.equal(type.stats().used, 0);
  });

  it('hears of its wrong frees by an error that goes through it', () => {
    const { memory, exports } = makeKit();
    const block = exports.malloc(100);
    exports.free(block);
    assert.throws(() => exports.free(block), { name: 'MbumaError', code: 'FREE_TWICE', address: block });
    assert.throws(() => exports.free(0xfffffff0), { code: 'BAD_ARGUMENT' });
    assert.throws(() => exports.free(ERRNO), { code: 'FREE_FOREIGN' });
    assert.throws(() => exports.posix_memalign(0, 16, 16), { code: 'BAD_ARGUMENT' });
    assert.ok(exports.malloc(100) > 0);
    assert.deepEqual(memory.audit(), clean);
  });

  it('takes all that there is, and gives it back', () => {
    const { memory, exports, takeErrno } = makeKit(4 << 20);
    const free = memory.stats().pages.free;
    for (let round = 0; round < 3; round++) {
      const blocks = [];
      for (let block = exports.malloc(1000); block !== 0; block = exports.malloc(1000)) blocks.push(block);
      assert.equal(takeErrno(), 48);
      assert.ok(blocks.length > 1000, `${blocks.length}`);
      for (const block of blocks) exports.free(block);
    }
    memory.drain();
    assert.ok(memory.stats().pages.free > free - 20);
    assert.deepEqual(memory.audit(), clean);
  });
});
