/** `heapBaseOf` over modules of all kinds, whole, cut, and damaged. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import wabt from 'wabt';
import { MbumaError } from '../check/index.js';
import { heapBaseOf } from './index.js';

const { parseWat } = await wabt();

function assemble(text: string): Uint8Array {
  const features = { threads: true, exceptions: true, mutable_globals: true };
  const module = parseWat('test.wat', `(module ${text})`, features);
  const { buffer } = module.toBinary({ write_debug_names: true });
  module.destroy();
  return buffer;
}

const IMPORTS = `
  (type $none (func))
  (import "env" "memory" (memory 1 2 shared))
  (import "env" "f" (func (param i32)))
  (import "env" "table" (table 1 funcref))
  (import "env" "tag" (tag))
  (import "env" "g" (global $g i32))
  (import "env" "h" (global $h (mut i64)))`;
const OTHERS = `
  (global i32 (global.get $g)) (global i64 (i64.const -1))
  (global f32 (f32.const -1)) (global f64 (f64.const 1e300))
  (global v128 (v128.const i32x4 1 -2 3 -4))
  (global funcref (ref.null func))`;
const base = (value: string): string => `(global (export "__heap_base") i32 (i32.const ${value}))`;

const refused = (module: unknown, message: RegExp): void =>
  assert.throws(() => heapBaseOf(module as Uint8Array), {
    name: 'MbumaError',
    code: 'BAD_ARGUMENT',
    message,
  });

describe('the heap base of a module', () => {
  it('is what it exports', () => {
    for (const value of [
      0,
      1,
      63,
      64,
      127,
      128,
      8191,
      8192,
      66_704,
      4_261_552,
      2 ** 31 - 1,
      2 ** 31,
      2 ** 32 - 1,
    ])
      for (const before of ['', OTHERS]) {
        const bytes = assemble(
          `${before === '' ? '' : IMPORTS}${before}${base(`${value}`)}(global i32 (i32.const 5))`,
        );
        assert.equal(heapBaseOf(bytes), value);
        assert.equal(heapBaseOf(bytes.slice().buffer as ArrayBuffer), value);
        assert.equal(heapBaseOf(new DataView(bytes.slice().buffer)), value);
        const shifted = new Uint8Array(bytes.length + 10);
        shifted.set(bytes, 7);
        assert.equal(heapBaseOf(shifted.subarray(7, 7 + bytes.length)), value);
      }
  });

  it('is refused where there is none', () => {
    refused(assemble(''), /does not export __heap_base: link it with -Wl,--export=__heap_base/);
    refused(assemble(`(global (export "__heap_bass") i32 (i32.const 1))`), /does not export/);
    refused(assemble(`(global (export "__heap_base2") i32 (i32.const 1))`), /does not export/);
    refused(assemble(`(func (export "__heap_base"))`), /does not export/);
    refused(assemble(`${IMPORTS}(export "__heap_base" (global $g))`), /not found to be a constant/);
    refused(assemble(`${IMPORTS}(global (export "__heap_base") i32 (global.get $g))`), /not found to be/);
    refused(assemble(`(global (export "__heap_base") i64 (i64.const 5))`), /not found to be a constant/);
  });

  it('is refused of what is no module', () => {
    for (const value of [undefined, null, 5, 'wasm', {}, [], new SharedArrayBuffer(8), new WeakMap()])
      refused(value, /^module must be an ArrayBuffer or a view of one/);
    refused(new Uint8Array(0), /is not WebAssembly/);
    refused(new TextEncoder().encode('(module)'), /is not WebAssembly/);
    const component = assemble('').slice();
    component[4] = 13;
    refused(component, /is not WebAssembly, version 1/);
  });

  it('is a number or a refusal, whatever the bytes are', () => {
    const whole = assemble(IMPORTS + OTHERS + base('66704'));
    let refusals = 0;
    const attempt = (bytes: Uint8Array): void => {
      try {
        const value = heapBaseOf(bytes);
        assert.ok(Number.isInteger(value) && value >= 0 && value < 2 ** 32);
      } catch (error) {
        assert.ok(error instanceof MbumaError && error.code === 'BAD_ARGUMENT', `${error}`);
        refusals++;
      }
    };
    for (let length = 0; length < whole.length; length++) attempt(whole.slice(0, length));
    for (let at = 8; at < whole.length; at++)
      for (const value of [0, 0x7f, 0x80, 0xff, (whole[at] as number) ^ 1]) {
        const bytes = whole.slice();
        bytes[at] = value;
        attempt(bytes);
      }
    assert.ok(refusals > 100);
  });
});
