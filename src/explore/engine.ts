/**
 * The accesses of the threads of a model: what each means for the scheduler, the race detector, the log from
 * which a thread is run again, and the log from which a schedule is undone.
 */

import {
  addressOf,
  codeOf,
  KIND_NAMES,
  Kind,
  kindOf,
  Mode,
  type ModelThread,
  State,
  UNWIND,
} from './model-thread.js';
import type { Rules } from './rules.js';
import { mixHigh, mixLow } from './states.js';
import { UndoneScheduler } from './undone.js';

/** What `now` moves the clock on by, so that no loop that waits for a time is endless. */
const CLOCK_TICK_MS = 0.25;

/** What a thread sees the memory through. */
export type View = Int32Array | Uint8Array | Uint16Array | Float64Array;

const WORD = 2;

/** Whether a word is a place to switch at: not looked up yet, no, yes. */
const Racy = { UNKNOWN: 0, NO: 1, YES: 2 } as const;

export class Engine extends UndoneScheduler {
  private readonly racy: Uint8Array;
  /** Words of byte maps, which nobody may access as words. */
  private readonly mapped: Uint8Array;
  private readonly everywhere: boolean;

  constructor(rules: Rules, buffer: ArrayBuffer) {
    super(rules, buffer);
    this.racy = new Uint8Array(buffer.byteLength >> 2);
    this.mapped = new Uint8Array(buffer.byteLength >> 2);
    this.everywhere = rules.switchAtEveryAccess;
  }

  /** These bytes are a map: accessing them by words would damage the neighbours. */
  declareMap(word: number, byteLength: number): void {
    this.mapped.fill(1, word, word + ((byteLength + 3) >> 2));
  }

  /** The thread is not simply running. True: it runs again, and this step is answered from its log. */
  private answered(thread: ModelThread, code: number): boolean {
    if (thread.mode === Mode.LEAVING) throw UNWIND;
    if (thread.mode !== Mode.REPLAY) return false;
    const at = thread.cursor;
    if (at < thread.length) {
      if (thread.codes[at] !== code) this.stray(thread);
      thread.replayed = thread.values[at] as number;
      thread.cursor = at + 1;
      return true;
    }
    if (thread.pending >= 0 && thread.pending !== code) this.stray(thread);
    thread.mode = Mode.LIVE;
    return false;
  }

  private stray(thread: ModelThread): never {
    this.failStrayed(thread);
    return this.leave(thread);
  }

  /** Writes a step down. */
  private record(thread: ModelThread, code: number, value: number): void {
    if (!this.alone) {
      thread.log(code, value);
      if (this.states !== null) thread.digest(code, value);
    }
    this.hash = Math.imul(Math.imul(this.hash ^ code, 0x01000193) ^ (value | 0), 0x01000193) + thread.id;
    if (this.tracing) this.note(thread, KIND_NAMES[kindOf(code)] as string, addressOf(code) >> 2, value);
    if (++this.step > this.rules.maxSteps + this.filled) this.failEndless(thread);
  }

  private isRacy(word: number): boolean {
    const known = this.racy[word];
    if (known !== Racy.UNKNOWN) return known === Racy.YES;
    const racy = word < this.rules.fixedWords && this.rules.switchesAt(word);
    this.racy[word] = racy ? Racy.YES : Racy.NO;
    return racy;
  }

  /** The race detector sees an access. */
  private see(thread: ModelThread, code: number, writes: boolean, atomic: boolean): void {
    const { races } = this;
    if (races === null) return;
    const address = addressOf(code);
    const word = address >> 2;
    const width = 1 << (code & 3);
    if (width >= 4 && this.mapped[word] === 1) {
      this.abort(
        thread,
        'race',
        `mixed widths: ${this.describeStep(thread, code)}, which lies in a byte map`,
      );
    }
    if (!races.access(thread.id, address, width, writes, atomic) || this.rules.allowed(word)) return;
    const rival = races.rival === this.world.id ? 'the world' : `thread ${races.rival}`;
    this.abort(
      thread,
      'race',
      `${this.describeStep(thread, code)} is not ordered with what ${rival} did there`,
    );
  }

  private describeStep(thread: ModelThread, code: number): string {
    const width = 1 << (code & 3);
    const byte = width === 4 ? '' : ` (${width} bytes at ${addressOf(code)})`;
    return `thread ${thread.id}: ${this.describeCode(code)}${byte}`;
  }

  /** Whether a plain load is nothing but that. */
  isQuiet(thread: ModelThread): boolean {
    if (!this.alone || thread.mode !== Mode.LIVE || thread.resuming) return false;
    if (++this.step > this.rules.maxSteps + this.filled) this.failEndless(thread);
    return true;
  }

  private failEndless(thread: ModelThread): never {
    const { maxSteps } = this.rules;
    return this.abort(thread, 'livelock', `no end after ${maxSteps} steps: thread ${thread.id} runs on`);
  }

  /** Before a plain load. True: the value is `thread.replayed`. */
  beginLoad(thread: ModelThread, code: number): boolean {
    if (thread.mode !== Mode.LIVE && this.answered(thread, code)) return true;
    if (thread.mode === Mode.RAW) return false;
    if (thread.mode === Mode.LIVE && (this.everywhere || this.isRacy(addressOf(code) >> 2)))
      this.point(thread, code, true, false);
    this.see(thread, code, false, false);
    return false;
  }

  /**
   * Before a look at many elements, of which only the one that is found decides: the race detector sees none.
   */
  beginScan(thread: ModelThread, code: number): boolean {
    return thread.mode !== Mode.LIVE && this.answered(thread, code);
  }

  endLoad(thread: ModelThread, code: number, value: number): void {
    if (thread.mode === Mode.LIVE) this.record(thread, code, value);
  }

  /** Before a plain store. True: it was done already. */
  beginStore(thread: ModelThread, code: number, value: number): boolean {
    if (thread.mode !== Mode.LIVE && this.answered(thread, code)) {
      if (!Object.is(thread.replayed, value)) this.stray(thread);
      return true;
    }
    const word = addressOf(code) >> 2;
    if (thread.mode === Mode.LIVE) {
      this.point(thread, code, this.everywhere || this.isRacy(word), true);
      thread.forgetSpin();
      this.see(thread, code, true, false);
      this.record(thread, code, value);
      this.writes++;
    } else if (thread.mode === Mode.WORLD) this.see(thread, code, true, false);
    this.remember(word);
    if ((code & 3) === 3) this.remember(word + 1);
    return false;
  }

  /** Stores one value many times. Only a kill can come in between: others see all of it or nothing. */
  fill(thread: ModelThread, target: View, start: number, stop: number, value: number): void {
    const shift = Math.log2(target.BYTES_PER_ELEMENT);
    const first = target.byteOffset + (start << shift);
    const code = codeOf(Kind.FILL, first, shift);
    if (thread.mode !== Mode.LIVE && this.answered(thread, code)) return;
    const live = thread.mode === Mode.LIVE;
    const raw = thread.mode === Mode.RAW;
    const [second, middle, last] = [start + 1, (start + stop) >> 1, stop - 1];
    const each = !raw && (this.races !== null || this.rules.killsInFills);
    for (let index = start, end = start; index < stop; index = end) {
      const address = target.byteOffset + (index << shift);
      const store = codeOf(Kind.STORE, address, shift);
      const killable = this.rules.killsInFills || index <= second || index === middle || index === last;
      if (each || (killable && !raw)) end = index + 1;
      else if (raw) end = stop;
      else end = index < middle ? middle : last;
      if (live) {
        thread.filled = end - start;
        this.point(thread, store, false, killable);
      }
      if (!raw) {
        this.see(thread, store, true, false);
        this.step += end - index;
      }
      this.rememberAll(address, target.byteOffset + (end << shift));
      target.fill(value, index, end);
    }
    thread.filled = 0;
    if (!live) return;
    this.filled += stop - start;
    this.writes++;
    thread.forgetSpin();
    this.record(thread, code, value);
  }

  /** Whether a range has places to switch at. */
  isInterruptible(target: View, start: number, stop: number): boolean {
    if (this.everywhere) return true;
    const last = (target.byteOffset + stop * target.BYTES_PER_ELEMENT - 1) >> 2;
    for (let word = (target.byteOffset + start * target.BYTES_PER_ELEMENT) >> 2; word <= last; word++) {
      if (this.isRacy(word)) return true;
    }
    return false;
  }

  /** One atomic operation on a word, or for COMPARE_EXCHANGE_BYTE on a byte; `at` is its byte address. */
  atomic(thread: ModelThread, kind: number, at: number, first: number, second: number): number {
    const narrow = kind === Kind.COMPARE_EXCHANGE_BYTE;
    const code = codeOf(kind, at, narrow ? 0 : WORD);
    if (thread.mode !== Mode.LIVE && this.answered(thread, code)) {
      if (thread.operands[thread.cursor - 1] !== (first | 0)) this.stray(thread);
      return thread.replayed;
    }
    if (thread.mode === Mode.LIVE) this.point(thread, code, true, kind !== Kind.ATOMIC_LOAD);
    const word = at >> 2;
    const old = narrow ? (this.bytes[at] as number) : (this.words[word] as number);
    const comparing = kind === Kind.COMPARE_EXCHANGE || narrow;
    const writes = kind !== Kind.ATOMIC_LOAD && !(comparing && old !== (narrow ? first & 255 : first | 0));
    if (thread.mode !== Mode.RAW) this.order(thread, code, kind, word, writes);
    if (writes) {
      this.remember(word);
      if (narrow) this.bytes[at] = second;
      else if (kind === Kind.ADD) this.words[word] = old + first;
      else this.words[word] = comparing ? second : first;
    }
    const answer = kind === Kind.ATOMIC_STORE ? first : old;
    if (thread.mode === Mode.LIVE) {
      if (writes) {
        this.writes++;
        thread.forgetSpin();
      } else thread.watchSpin(code, old);
      this.hash ^= first;
      this.record(thread, code, answer);
      if (!this.alone) thread.operands[thread.length - 1] = first;
    }
    return answer;
  }

  private order(thread: ModelThread, code: number, kind: number, word: number, writes: boolean): void {
    this.see(thread, code, writes, true);
    const { races } = this;
    if (races === null) return;
    if (kind !== Kind.ATOMIC_STORE) races.acquire(thread.id, word);
    if (writes) races.release(thread.id, word, kind !== Kind.ATOMIC_STORE);
  }

  /** Wakes the longest sleepers of a word; how many. */
  notify(thread: ModelThread, word: number, count: number): number {
    const code = codeOf(Kind.NOTIFY, word << 2, WORD);
    if (thread.mode !== Mode.LIVE && this.answered(thread, code)) return thread.replayed;
    if (thread.mode === Mode.LIVE) this.point(thread, code, true, true);
    let woken = 0;
    for (const most = count < 0 ? Number.POSITIVE_INFINITY : count; woken < most; woken++) {
      const sleeper = this.longestSleeper(word);
      if (sleeper === null) break;
      this.wake(sleeper);
      this.races?.pass(thread.id, sleeper.id);
    }
    if (thread.mode === Mode.LIVE) {
      if (woken > 0) this.writes++;
      this.record(thread, code, woken);
    }
    return woken;
  }

  private longestSleeper(word: number): ModelThread | null {
    let found: ModelThread | null = null;
    for (const thread of this.threads) {
      if (thread.state !== State.ASLEEP || thread.waitWord !== word) continue;
      if (found === null || thread.turn < found.turn) found = thread;
    }
    return found;
  }

  /** Sleeps while the word is `expected`. */
  wait(thread: ModelThread, word: number, expected: number, timeoutMs: number): void {
    const code = codeOf(Kind.WAIT, word << 2, WORD);
    if (thread.mode !== Mode.LIVE && this.answered(thread, code)) return;
    if (thread.mode !== Mode.LIVE)
      throw new Error(`setup or a check would sleep on ${this.rules.name(word)}`);
    if (!thread.woken) {
      this.point(thread, code, true, true);
      this.order(thread, code, Kind.ATOMIC_LOAD, word, false);
      if (this.words[word] === expected && timeoutMs > 0) {
        thread.pending = code;
        this.sleep(thread, word, timeoutMs);
      }
    }
    if (thread.woken) thread.fresh = true;
    thread.woken = false;
    thread.resuming = false;
    this.record(thread, code, this.words[word] as number);
  }

  /** The same without blocking, for thread 0 of an asynchronous exploration. */
  waitAsync(thread: ModelThread, word: number, expected: number, timeoutMs: number): Promise<void> {
    const code = codeOf(Kind.WAIT, word << 2, WORD);
    if (thread.mode === Mode.LEAVING) throw UNWIND;
    if (thread.mode !== Mode.LIVE || !this.asynchronous || thread.id !== 0)
      throw new Error('only thread 0 may wait asynchronously, and only in exploreAsync');
    if (thread.state === State.ASLEEP)
      throw new Error('the explorer has one asynchronous wait at a time, and this is the second');
    this.point(thread, code, true, true);
    this.order(thread, code, Kind.ATOMIC_LOAD, word, false);
    const wakeUp = (): void => {
      if (thread.woken) thread.fresh = true;
      thread.woken = false;
      this.record(thread, code, this.words[word] as number);
    };
    if (this.words[word] === expected && timeoutMs > 0)
      return this.sleepAsync(thread, word, timeoutMs).then(wakeUp);
    wakeUp();
    return Promise.resolve();
  }

  now(thread: ModelThread): number {
    const code = codeOf(Kind.NOW, 0, WORD);
    if (thread.mode !== Mode.LIVE && this.answered(thread, code)) return thread.replayed;
    this.clock += CLOCK_TICK_MS;
    const value = this.clock;
    if (thread.mode === Mode.LIVE) {
      thread.forgetSpin();
      this.record(thread, code, value);
    }
    return value;
  }

  /** A thread begins or ends something that a history tells of. False: it has been told already. */
  event(thread: ModelThread, kind: number): boolean {
    const code = codeOf(kind, 0, WORD);
    if (thread.mode !== Mode.LIVE && this.answered(thread, code)) return false;
    if (thread.mode !== Mode.LIVE) return false;
    if (kind === Kind.INVOKE) this.point(thread, code, true, false);
    this.record(thread, code, 0);
    this.toldLow = mixLow(mixLow(this.toldLow, thread.id), thread.low);
    this.toldHigh = mixHigh(mixHigh(this.toldHigh, thread.id), thread.high);
    return true;
  }
}
