/**
 * Typed arrays whose every element is under the scheduler: what a thread of a model has for real ones.
 */

import type { Engine, View } from './engine.js';
import { codeOf, Kind, Mode, type ModelThread } from './model-thread.js';

const DIGIT_FIRST = 48;
const DIGIT_LAST = 57;

/** Index of a canonical numeric key; -1 for any other. */
function indexOfKey(key: string): number {
  const first = key.charCodeAt(0);
  if (first < DIGIT_FIRST || first > DIGIT_LAST) return -1;
  const index = +key;
  return index >>> 0 === index ? index : -1;
}

/** As arrays count from the end: where a range begins or ends. */
function place(value: number | undefined, length: number, absent: number): number {
  if (value === undefined) return absent;
  return value < 0 ? Math.max(0, length + value) : Math.min(value, length);
}

/** A view of `target` as `thread` sees it. */
export function createView<Target extends View>(engine: Engine, thread: ModelThread, target: Target): Target {
  const { length, byteOffset } = target;
  const shift = Math.log2(target.BYTES_PER_ELEMENT);
  const methods = createMethods(engine, thread, target);

  function load(index: number): number | undefined {
    if (index >= length) return undefined;
    if (engine.isQuiet(thread)) return target[index] as number;
    const code = codeOf(Kind.LOAD, byteOffset + (index << shift), shift);
    if (engine.beginLoad(thread, code)) return thread.replayed;
    const value = target[index] as number;
    engine.endLoad(thread, code, value);
    return value;
  }

  function store(index: number, value: number): void {
    if (index >= length) return;
    const code = codeOf(Kind.STORE, byteOffset + (index << shift), shift);
    if (!engine.beginStore(thread, code, value)) target[index] = value;
  }

  return new Proxy(target, {
    get(_, key) {
      if (typeof key === 'string') {
        const index = indexOfKey(key);
        if (index >= 0) return load(index);
        const own = methods[key];
        if (own !== undefined) return own;
      }
      const value: unknown = Reflect.get(target, key, target);
      // The methods of typed arrays want a real one; those of arrays take anything with elements.
      return typeof value === 'function' && key in Array.prototype
        ? Reflect.get(Array.prototype, key)
        : value;
    },
    set(_, key, value) {
      const index = typeof key === 'string' ? indexOfKey(key) : -1;
      if (index < 0) return false;
      store(index, Number(value));
      return true;
    },
  }) as Target;
}

/** Methods that write, or that answer with a view: the others are those of arrays. */
function createMethods<Target extends View>(
  engine: Engine,
  thread: ModelThread,
  target: Target,
): Record<string, unknown> {
  const { length, byteOffset } = target;
  const shift = Math.log2(target.BYTES_PER_ELEMENT);
  const Kindred = target.constructor as new (values: ArrayLike<number>) => Target;
  let view: Target | null = null;
  const self = (): Target => {
    view ??= createView(engine, thread, target);
    return view;
  };

  return {
    fill(value: number, start?: number, end?: number): Target {
      const stop = place(end, length, length);
      const first = place(start, length, 0);
      if (first >= stop) return self();
      if (thread.mode === Mode.RAW || !engine.isInterruptible(target, first, stop))
        engine.fill(thread, target, first, stop, value);
      else for (let index = first; index < stop; index++) self()[index] = value;
      return self();
    },
    set(source: ArrayLike<number>, offset = 0): void {
      if (source.length + offset > length) throw new RangeError('offset is out of bounds');
      const values = Array.from(source);
      for (let index = 0; index < values.length; index++) self()[offset + index] = values[index] as number;
    },
    copyWithin(to: number, start: number, end?: number): Target {
      const from = place(start, length, 0);
      const values = Array.from(self().slice(from, place(end, length, length)));
      const first = place(to, length, 0);
      for (let index = 0; index < values.length && first + index < length; index++)
        self()[first + index] = values[index] as number;
      return self();
    },
    slice(start?: number, end?: number): Target {
      const values: number[] = [];
      const stop = place(end, length, length);
      for (let index = place(start, length, 0); index < stop; index++) values.push(self()[index] as number);
      return new Kindred(values);
    },
    subarray(start?: number, end?: number): Target {
      return createView(engine, thread, target.subarray(start, end) as Target);
    },
    /** One step, however much it looks at: a scan of a map is thousands of loads that decide nothing. */
    indexOf(value: number, start?: number): number {
      const from = place(start, length, 0);
      const code = codeOf(Kind.SCAN, byteOffset + (from << shift), shift);
      if (thread.mode !== Mode.RAW && engine.beginScan(thread, code)) return thread.replayed;
      const found = target.indexOf(value, from);
      engine.endLoad(thread, code, found);
      return found;
    },
  };
}
