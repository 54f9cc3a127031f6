import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  describeValue,
  MbumaError,
  NAME_LENGTH_MAX,
  optionalFunction,
  optionalInteger,
  requireInt32Array,
  requireInteger,
  requireName,
  requireObject,
  requireTimeout,
} from './index.js';

/** Fails the test when anything asks it for a primitive. */
const trap = {
  valueOf() {
    throw new Error('valueOf was called');
  },
  toString() {
    throw new Error('toString was called');
  },
  [Symbol.toPrimitive]() {
    throw new Error('toPrimitive was called');
  },
};

/** Values that are no whole number from 0 to 100, whatever a coercion would make of them. */
const NOT_A_SMALL_INTEGER: readonly (readonly [string, unknown])[] = [
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['a fraction', 0.5],
  ['a fraction next to a whole number', 1 + Number.EPSILON],
  ['the smallest fraction', Number.MIN_VALUE],
  ['-1', -1],
  ['101', 101],
  ['2^31', 2 ** 31],
  ['-2^31', -(2 ** 31)],
  ['2^32', 2 ** 32],
  ['2^32 + 16', 2 ** 32 + 16],
  ['2^53', 2 ** 53],
  ['2^53 + 16', 2 ** 53 + 16],
  ['1e308', 1e308],
  ['a BigInt', 16n],
  ['a string', '16'],
  ['an empty string', ''],
  ['null', null],
  ['true', true],
  ['false', false],
  ['a symbol', Symbol('sixteen')],
  ['an object', {}],
  ['an array of one', [16]],
  ['an empty array', []],
  ['a function', () => 16],
  ['a Number object', Object(16)],
  ['a Date', new Date(16)],
  ['an object with valueOf', trap],
];

function assertRefused(call: () => unknown, pattern: RegExp): void {
  assert.throws(call, (error) => {
    assert.ok(error instanceof MbumaError, String(error));
    assert.equal(error.code, 'BAD_ARGUMENT');
    assert.match(error.message, pattern);
    return true;
  });
}

describe('requireInteger', () => {
  for (const [what, value] of [...NOT_A_SMALL_INTEGER, ['undefined', undefined] as const]) {
    it(`refuses ${what}`, () =>
      assertRefused(
        () => requireInteger(value, 'size', 0, 100),
        /^size must be a whole number from 0 to 100, not /,
      ));
  }

  it('gives what lies in the range, both ends included', () => {
    for (const value of [0, 1, 50, 99, 100]) assert.equal(requireInteger(value, 'size', 0, 100), value);
    assert.equal(requireInteger(-3, 'delta', -3, 3), -3);
    assert.equal(
      requireInteger(Number.MAX_SAFE_INTEGER, 'n', 0, Number.MAX_SAFE_INTEGER),
      Number.MAX_SAFE_INTEGER,
    );
  });

  it('takes -0 for 0', () => {
    assert.ok(requireInteger(-0, 'size', 0, 100) === 0);
    assertRefused(() => requireInteger(-0, 'size', 1, 100), /not 0/);
  });

  it('names the argument, the range and the value', () => {
    assertRefused(
      () => requireInteger(2 ** 32 + 16, 'align', 16, 4096),
      /^align must be .* from 16 to 4096, not 4294967312$/,
    );
  });
});

describe('optionalInteger', () => {
  it('gives the fallback for undefined only', () => {
    assert.equal(optionalInteger(undefined, 'max', 0, 100, 7), 7);
    assert.equal(optionalInteger(0, 'max', 0, 100, 7), 0);
  });
  for (const [what, value] of NOT_A_SMALL_INTEGER) {
    it(`refuses ${what}`, () =>
      assertRefused(() => optionalInteger(value, 'max', 0, 100, 7), /^max must be/));
  }
});

describe('requireTimeout', () => {
  it('takes no limit, 0, fractions and large numbers', () => {
    assert.equal(requireTimeout(undefined), Number.POSITIVE_INFINITY);
    for (const value of [Number.POSITIVE_INFINITY, 0, -0, 0.25, 100, 2 ** 53]) {
      assert.ok(requireTimeout(value) === value);
    }
  });
  for (const value of [
    Number.NaN,
    -1,
    -0.001,
    Number.NEGATIVE_INFINITY,
    '5',
    5n,
    null,
    true,
    Symbol('s'),
    {},
    [5],
    trap,
    () => 5,
  ]) {
    it(`refuses ${describeValue(value)}`, () =>
      assertRefused(() => requireTimeout(value), /^timeoutMs must be 0 or more/));
  }
  it('can be told another name', () => assertRefused(() => requireTimeout(-1, 'ms'), /^ms must be/));
});

describe('requireObject and optionalFunction', () => {
  it('take what they should', () => {
    const value = { a: 1 };
    const call = (): number => 1;
    assert.equal(requireObject(value, 'options'), value);
    assert.equal(requireObject(trap, 'options'), trap);
    assert.equal(optionalFunction(call, 'ctor'), call);
    assert.equal(optionalFunction(undefined, 'ctor'), undefined);
  });
  for (const value of [undefined, null, 1, 'x', 1n, true, Symbol('s'), () => 1]) {
    it(`requireObject refuses ${describeValue(value)}`, () =>
      assertRefused(() => requireObject(value, 'options'), /^options must be an object, not /));
  }
  for (const value of [null, 0, 1, 'x', '', 1n, false, Symbol('s'), {}, trap]) {
    it(`optionalFunction refuses ${describeValue(value)}`, () =>
      assertRefused(() => optionalFunction(value as unknown, 'ctor'), /^ctor must be a function, not /));
  }
});

describe('requireName', () => {
  it('takes 1 to 47 printable ASCII characters', () => {
    for (const name of ['a', '~', 'two words', 'mbuf_jumbo_9k', 'x'.repeat(NAME_LENGTH_MAX), '"quoted"']) {
      assert.equal(requireName(name, 'name'), name);
    }
  });
  const bad = [
    '',
    ' ',
    ' a',
    'a ',
    'a\n',
    '\na',
    'a\tb',
    'a\0',
    'é',
    '名',
    'a\u007f',
    '\ud800',
    'x'.repeat(NAME_LENGTH_MAX + 1),
    ' '.repeat(100_000),
  ];
  for (const value of [
    ...bad,
    undefined,
    null,
    1,
    1n,
    {},
    trap,
    ['a'],
    Object('a'),
    Symbol('a'),
    () => 'a',
  ]) {
    it(`refuses ${describeValue(value)}`, () =>
      assertRefused(() => requireName(value, 'name'), /^name must be a string of 1 to 47/));
  }
});

describe('requireInt32Array', () => {
  it('takes an array that is long enough', () => {
    const array = new Int32Array(4);
    assert.equal(requireInt32Array(array, 'out', 4), array);
    assert.equal(requireInt32Array(array, 'out', 0), array);
    assert.ok(requireInt32Array(new Int32Array(new SharedArrayBuffer(64)), 'out', 16));
    assert.ok(requireInt32Array(new (class extends Int32Array {})(4), 'out', 4));
  });
  it('says how long a short one is', () =>
    assertRefused(
      () => requireInt32Array(new Int32Array(3), 'out', 4),
      /^out must be an Int32Array of at least 4 elements, not one of 3$/,
    ));
  const bad: readonly unknown[] = [
    undefined,
    null,
    4,
    '4',
    [1, 2, 3, 4],
    new Uint32Array(4),
    new Uint8Array(16),
    new Float64Array(4),
    new ArrayBuffer(16),
    new DataView(new ArrayBuffer(16)),
    { length: 4 },
    trap,
    Object.create(Int32Array.prototype),
    new Proxy(new Int32Array(4), {}),
  ];
  for (const [index, value] of bad.entries()) {
    it(`refuses ${index}: ${Object.prototype.toString.call(value)}`, () =>
      assertRefused(() => requireInt32Array(value, 'out', 4), /^out must be an Int32Array/));
  }
});

describe('describeValue', () => {
  it('runs no code of the value, and is short', () => {
    assert.equal(describeValue(trap), 'a value of type object');
    assert.equal(describeValue(Symbol('s')), 'a value of type symbol');
    assert.equal(describeValue(12n), '12n');
    assert.equal(describeValue(null), 'null');
    assert.equal(describeValue(undefined), 'undefined');
    assert.equal(describeValue('a"b'), '"a\\"b"');
    assert.ok(describeValue('x'.repeat(1000)).length < 50);
    assert.equal(
      describeValue(() => 1),
      'a value of type function',
    );
  });
});
