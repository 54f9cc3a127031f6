/** Values that nobody should pass, and what must not change when somebody does. */

import assert from 'node:assert/strict';
import type { Party } from './uma.test-kit.js';

/** Every access to one of these is an error: arguments are looked at, never asked. */
function trap(what: string): object {
  const refuse = (): never => assert.fail(`${what} was called`);
  return { valueOf: refuse, toString: refuse, [Symbol.toPrimitive]: refuse };
}

/** By a name for messages. */
export const hostileValues: readonly (readonly [name: string, value: unknown])[] = [
  ['undefined', undefined],
  ['null', null],
  ['true', true],
  ['false', false],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['-0', -0],
  ['0.5', 0.5],
  ['-1', -1],
  ['1.0000000001', 1.0000000001],
  ['2^31 - 1', 2 ** 31 - 1],
  ['2^31', 2 ** 31],
  ['-2^31', -(2 ** 31)],
  ['2^32', 2 ** 32],
  ['2^32 + 16', 2 ** 32 + 16],
  ['2^53', 2 ** 53],
  ['2^53 + 2', 2 ** 53 + 2],
  ['1e300', 1e300],
  ['5e-324', 5e-324],
  ['0n', 0n],
  ['16n', 16n],
  ['-1n', -1n],
  ['2^64 n', 2n ** 64n],
  ["''", ''],
  ["'16'", '16'],
  ["'0x10'", '0x10'],
  ["' '", ' '],
  ["'\\0'", '\0'],
  ['a long string', 'x'.repeat(1000)],
  ['a lone surrogate', '\ud800'],
  ['symbol', Symbol('hostile')],
  ['[]', []],
  ['[16]', [16]],
  ['{}', {}],
  ['an object without prototype', Object.create(null)],
  ['new Number(16)', new Number(16)],
  ['a date', new Date(16)],
  ['a function', () => 16],
  ['a class', class {}],
  ['a trap', trap('a conversion')],
  ['a plain array buffer', new ArrayBuffer(16)],
  ['a shared array buffer', new SharedArrayBuffer(16)],
  ['Uint8Array', new Uint8Array(16)],
  ['Float64Array', new Float64Array(16)],
  ['Int32Array of 0', new Int32Array(0)],
  ['false Int32Array', Object.create(Int32Array.prototype)],
  ['DataView', new DataView(new ArrayBuffer(16))],
  ['a revoked proxy', revokedProxy()],
  ['a promise', Promise.resolve(16)],
];

function revokedProxy(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

/** A copy of the whole memory, but for words that may change. */
export function snapshot(party: Party, except: readonly (readonly [first: number, count: number])[]): Buffer {
  const copy = Buffer.from(party.machine.bytes);
  for (const [first, count] of except) copy.fill(0, first * 4, (first + count) * 4);
  return copy;
}
