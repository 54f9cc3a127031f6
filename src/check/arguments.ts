/**
 * Numbers are checked here before any bit operation sees them: `x | 0` would turn 2^32 + 16 into 16.
 * None of these coerces: an object with `valueOf` is refused unseen.
 */

import { MbumaError } from './errors.js';

/** `1 item`, `3 items`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** A printable form of any value that cannot throw or run user code. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === 'number' || typeof value === 'boolean' || value == null) return String(value);
  if (typeof value === 'bigint') return `${value}n`;
  return `a value of type ${typeof value}`;
}

/** Requires a whole number from `least` to `most`, both included. */
export function requireInteger(value: unknown, name: string, least: number, most: number): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least || value > most) {
    throw new MbumaError(
      'BAD_ARGUMENT',
      `${name} must be a whole number from ${least} to ${most}, not ${describeValue(value)}`,
    );
  }
  return value;
}

/** Requires a whole number as above, or gives `fallback` for undefined. */
export function optionalInteger(
  value: unknown,
  name: string,
  least: number,
  most: number,
  fallback: number,
): number {
  return value === undefined ? fallback : requireInteger(value, name, least, most);
}

/** A time limit in milliseconds: undefined or Infinity is no limit, else 0 and up. */
export function requireTimeout(value: unknown, name = 'timeoutMs'): number {
  if (value === undefined) return Number.POSITIVE_INFINITY;
  if (typeof value !== 'number' || Number.isNaN(value) || value < 0) {
    throw new MbumaError(
      'BAD_ARGUMENT',
      `${name} must be 0 or more milliseconds, not ${describeValue(value)}`,
    );
  }
  return value;
}

/** Requires an object, for options. */
export function requireObject(value: unknown, name: string): object {
  if (typeof value !== 'object' || value === null) {
    throw new MbumaError('BAD_ARGUMENT', `${name} must be an object, not ${describeValue(value)}`);
  }
  return value;
}

/** Requires a function, or undefined. */
export function optionalFunction<Type>(value: Type | undefined, name: string): Type | undefined {
  if (value !== undefined && typeof value !== 'function') {
    throw new MbumaError('BAD_ARGUMENT', `${name} must be a function, not ${describeValue(value)}`);
  }
  return value;
}

/** Requires true, false or undefined. */
export function optionalBoolean(value: unknown, name: string): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value;
  throw new MbumaError('BAD_ARGUMENT', `${name} must be true or false, not ${describeValue(value)}`);
}

/** Requires a function. */
export function requireFunction(value: unknown, name: string): void {
  if (typeof value === 'function') return;
  throw new MbumaError('BAD_ARGUMENT', `${name} must be a function, not ${describeValue(value)}`);
}

/** Requires an AbortSignal, or undefined. Not by instanceof: the signal may come from another realm. */
export function requireSignal(value: unknown): AbortSignal | undefined {
  if (value === undefined) return undefined;
  const signal = value as AbortSignal | null;
  // All that is called here is asked for: half a signal would fail in the middle of a wait.
  const isSignal =
    typeof signal === 'object' &&
    typeof signal?.throwIfAborted === 'function' &&
    typeof signal.addEventListener === 'function' &&
    typeof signal.removeEventListener === 'function';
  if (!isSignal) {
    throw new MbumaError('BAD_ARGUMENT', `signal must be an AbortSignal, not ${describeValue(signal)}`);
  }
  return signal;
}

/** Longest name of a zone or ring, in characters. */
export const NAME_LENGTH_MAX = 47;

/** Requires a name: 1 to 47 printable ASCII characters. */
export function requireName(value: unknown, what: string): string {
  if (
    typeof value !== 'string' ||
    !/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(value) ||
    value.length > NAME_LENGTH_MAX
  ) {
    throw new MbumaError(
      'BAD_ARGUMENT',
      `${what} must be a string of 1 to ${NAME_LENGTH_MAX} printable ASCII characters, not ${describeValue(value)}`,
    );
  }
  return value;
}

/** Requires a text of 1 to 200 characters. */
export function requireText(value: unknown, name: string): string {
  if (typeof value === 'string' && value.length >= 1 && value.length <= 200) return value;
  throw new MbumaError(
    'BAD_ARGUMENT',
    `${name} must be a string of 1 to 200 characters, not ${describeValue(value)}`,
  );
}

/** Requires an Int32Array of at least `length` elements. */
export function requireInt32Array(value: unknown, name: string, length: number): Int32Array {
  // An object may have the prototype of an Int32Array without being one: only `isView` cannot be deceived.
  if (!ArrayBuffer.isView(value) || !(value instanceof Int32Array) || value.length < length) {
    throw new MbumaError(
      'BAD_ARGUMENT',
      `${name} must be an Int32Array of at least ${length} elements, not ${
        ArrayBuffer.isView(value) && value instanceof Int32Array
          ? `one of ${value.length}`
          : describeValue(value)
      }`,
    );
  }
  return value;
}
