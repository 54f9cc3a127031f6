/**
 * One thread of a model: what it does now, and the log from which it can be run again up to where it was.
 */

import { mixHigh, mixLow, textOf, wordOf } from './states.js';

/** What an access of the thread means. */
export const Mode = {
  /** Not under the scheduler: setup and checks. */
  RAW: 0,
  /** Runs. */
  LIVE: 1,
  /** Runs again: loads are answered from the log, stores are dropped. */
  REPLAY: 2,
  /** Is leaving the stack: whatever it still tries, it is thrown out again. */
  LEAVING: 3,
  /** The world outside of the threads: seen by the race detector, never interrupted. */
  WORLD: 4,
} as const;

/** Life of a thread within one schedule. */
export const State = { READY: 0, ASLEEP: 1, DONE: 2, DEAD: 3 } as const;

/** Kinds of steps. */
export const Kind = {
  LOAD: 0,
  STORE: 1,
  ATOMIC_LOAD: 2,
  ATOMIC_STORE: 3,
  ADD: 4,
  EXCHANGE: 5,
  COMPARE_EXCHANGE: 6,
  COMPARE_EXCHANGE_BYTE: 7,
  NOTIFY: 8,
  WAIT: 9,
  NOW: 10,
  INVOKE: 11,
  RESPOND: 12,
  SCAN: 13,
  FILL: 14,
} as const;

export const KIND_NAMES = [
  'load',
  'store',
  'atomic load',
  'atomic store',
  'add',
  'exchange',
  'compareExchange',
  'compareExchangeByte',
  'notify',
  'wait',
  'now',
  'invoke',
  'respond',
  'scan',
  'fill',
] as const;

/** What a thread did, in one number: address, kind, and the binary logarithm of the width in bytes. */
export function codeOf(kind: number, address: number, shift: number): number {
  return (address << 6) | (kind << 2) | shift;
}

export function kindOf(code: number): number {
  return (code >>> 2) & 15;
}

export function addressOf(code: number): number {
  return code >>> 6;
}

export function widthOf(code: number): number {
  return 1 << (code & 3);
}

/** Thrown out of an access to take a thread off the stack. No Error: it needs no stack and says nothing. */
export const UNWIND: object = Object.freeze({ unwinding: true });

const FIRST_CAPACITY = 256;

export class ModelThread {
  readonly id: number;
  /** Hash of all that it has seen, and so of where it is. Of one that has ended: of what it answered. */
  low = 0;
  high = 0;
  /** So many stores of the fill that it is in are done. */
  filled = 0;
  mode: number = Mode.RAW;
  state: number = State.READY;
  onStack = false;
  /** It was told to go on at the point where it left the stack: that point is not one again. */
  resuming = false;
  /** It was chosen to run, and has not come to a place to switch at since. */
  fresh = true;
  /** What it was about to do when it left the stack; -1 nothing. */
  pending = -1;
  /** Woken, and not yet returned from its wait. */
  woken = false;
  waitWord = 0;
  deadline = 0;
  /** Order of the sleepers of one word. */
  turn = 0;
  /** The writes of all threads when this one was found spinning; it is worth running again after more. */
  yieldedAt = -1;
  /** How often it has read the anchor again without a write of its own: Brent's search for a cycle. */
  repeats = 0;
  anchorCode = -1;
  anchorValue = 0;
  walked = 0;
  stride = 1;
  /** The log. */
  codes = new Int32Array(FIRST_CAPACITY);
  values = new Float64Array(FIRST_CAPACITY);
  /** What atomic operations were given. */
  operands = new Int32Array(FIRST_CAPACITY);
  length = 0;
  cursor = 0;
  /** Value of the step that was replayed last. */
  replayed = 0;
  /** Registered by `Fabric.onRewind`. */
  readonly resets: (() => void)[] = [];

  constructor(id: number) {
    this.id = id;
  }

  /** Whether it has run in this schedule. */
  get begun(): boolean {
    return this.state !== State.READY || this.onStack || this.length > 0 || this.pending !== -1;
  }

  /** For the next schedule. */
  begin(): void {
    this.mode = Mode.RAW;
    this.state = State.READY;
    this.onStack = false;
    this.resuming = false;
    this.fresh = true;
    this.pending = -1;
    this.woken = false;
    this.yieldedAt = -1;
    this.length = 0;
    this.low = 0;
    this.high = 0;
    this.filled = 0;
    this.forgetSpin();
  }

  forgetSpin(): void {
    this.repeats = 0;
    this.anchorCode = -1;
    this.walked = 0;
    this.stride = 1;
  }

  /** Looks whether the thread goes round in a circle: it read something that says what it said before. */
  watchSpin(code: number, value: number): void {
    if (code === this.anchorCode && value === this.anchorValue) {
      this.repeats++;
      this.walked = 0;
    } else if (++this.walked === this.stride) {
      this.anchorCode = code;
      this.anchorValue = value;
      this.walked = 0;
      this.stride *= 2;
      this.repeats = 0;
    }
  }

  log(code: number, value: number): void {
    const at = this.length;
    if (at === this.codes.length) this.grow();
    this.codes[at] = code;
    this.values[at] = value;
    this.length = at + 1;
  }

  /** What it sees, or is given, becomes a part of its hash. */
  digest(code: number, value: number): void {
    const word = wordOf(value);
    this.low = mixLow(mixLow(this.low, code), word);
    this.high = mixHigh(mixHigh(this.high, code), word);
  }

  /**
   * It has ended, and only its result is left: `otherwise` and its log tell that, if it is no simple value.
   */
  digestResult(result: unknown, otherwise: number): void {
    const text = textOf(result);
    if (text === null) {
      this.digest(-2, otherwise);
      return;
    }
    this.low = text.length;
    this.high = text.length;
    for (let at = 0; at < text.length; at++) this.digest(-1, text.charCodeAt(at));
  }

  private grow(): void {
    const codes = new Int32Array(this.codes.length * 2);
    const values = new Float64Array(this.codes.length * 2);
    const operands = new Int32Array(this.codes.length * 2);
    codes.set(this.codes);
    operands.set(this.operands);
    values.set(this.values);
    this.codes = codes;
    this.values = values;
    this.operands = operands;
  }

  rewind(): void {
    for (const reset of this.resets) reset();
  }
}
