// Values that a caller may give by mistake or on purpose. (No function that throws of itself, as a class does
// when it is called: what a hook throws is the caller's.)

/** What user code that we plant throws: it may come out as it is. */
export class Planted extends Error {}

function throwPlanted() {
  throw new Planted('planted');
}

/** Every trap throws. */
const trapped = new Proxy(
  {},
  Object.fromEntries(
    Reflect.ownKeys(Reflect)
      .filter((key) => typeof key === 'string')
      .map((trap) => [trap, throwPlanted]),
  ),
);

function detached(Type) {
  const array = new Type(8);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

function cyclic() {
  const object = { name: 'a', size: 8 };
  object.self = object;
  object.options = object;
  return object;
}

const fields = ['name', 'size', 'bytes', 'capacity', 'signal', 'zones', 'nth', 'address', 'length', 'max'];
const throwingGetters = Object.defineProperties(
  {},
  Object.fromEntries(fields.map((name) => [name, { get: throwPlanted, enumerable: true }])),
);

/** The table: at least 40, in every position of every function. */
export const hostileValues = [
  undefined,
  null,
  true,
  false,
  Number.NaN,
  -0,
  0,
  1,
  -1,
  1.5,
  -0.5,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  Number.MIN_VALUE,
  Number.EPSILON,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  2 ** 32,
  2 ** 32 + 16,
  2 ** 53,
  Number.MAX_VALUE,
  0n,
  1n,
  2n ** 64n,
  '',
  '1',
  'uma.*',
  '__proto__',
  'x'.repeat(1000),
  '\u0000',
  'ü\ud800',
  Symbol('hostile'),
  Symbol.iterator,
  {},
  [],
  [1, 2, 3],
  [trapped],
  Object.create(null),
  { valueOf: throwPlanted, toString: throwPlanted, [Symbol.toPrimitive]: throwPlanted },
  { valueOf: () => 16, toString: () => 'a' },
  throwingGetters,
  trapped,
  new Proxy(new Int32Array(40), {}),
  new Proxy(() => 0, { apply: throwPlanted }),
  Object.create(Int32Array.prototype),
  new Int32Array(0),
  new Int32Array(4),
  detached(Int32Array),
  detached(Uint8Array),
  new Uint8Array(0),
  new Uint16Array(40),
  new Float64Array(40).fill(Number.NaN),
  new BigInt64Array(40),
  new DataView(new ArrayBuffer(64)),
  new ArrayBuffer(64),
  new SharedArrayBuffer(64),
  new SharedArrayBuffer(4096 * 2),
  new Int32Array(new SharedArrayBuffer(400)),
  new Int32Array(1 << 20),
  new Int32Array(new ArrayBuffer(400), 4, 3),
  cyclic(),
  throwPlanted,
  () => 7,
  () => new Planted('answered'),
  async () => 0,
  new Date(Number.NaN),
  /a/,
  new Map(),
  new WeakMap(),
  Promise.resolve(1),
  AbortSignal.abort(new Planted('aborted')),
  { signal: AbortSignal.abort(new Planted('aborted')) },
  { signal: { throwIfAborted() {} } },
  { signal: 1 },
  { kind: 'mbuma-memory', version: 1, buffer: new SharedArrayBuffer(65536), wasm: null },
  { kind: 'mbuma-memory', version: 1, buffer: null, wasm: { buffer: new SharedArrayBuffer(65536) } },
  { bytes: 1 << 20, maxThreads: Number.NaN },
  { bytes: 2 ** 52 },
  { name: 'zone', size: 2 ** 31 },
  { name: 'zone', size: 16, align: 3 },
  { name: 'zone', size: 16, ctor: throwPlanted, init: () => 2 },
  { name: 'zone 2', size: 16, dtor: throwPlanted, fini: () => new Planted('fini') },
  { name: 'zone 3', primary: {} },
  { name: 'ring', capacity: 2 ** 28 },
  { nth: 0 },
  { probability: 2 },
  { zones: [Symbol('a')] },
];
