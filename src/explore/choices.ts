/**
 * Who may run, and what may be decided: the part of the scheduler that the strategies see.
 */

import { addressOf, KIND_NAMES, kindOf, ModelThread, State } from './model-thread.js';
import { RaceDetector } from './races.js';
import type { FailureKind, Rules, Step } from './rules.js';
import { Choice, THREADS_MAX, type Turn } from './schedule.js';
import { mixHigh, mixLow, StateSet, wordOf } from './states.js';
import type { Place, Strategy } from './strategy.js';

/** Nobody runs any more. */
export const OVER = -1;

/** Marks of states, beside those that choices have: the running thread goes on; a run has ended. */
const GOES_ON = 2000;
const END = 3000;

/** What an engine says of a run that failed. */
export interface EngineFailure {
  readonly kind: FailureKind;
  readonly message: string;
  readonly cause: unknown;
}

export abstract class Choices implements Place {
  readonly threads: readonly ModelThread[];
  /** What the world does when a thread has died. */
  readonly world: ModelThread;
  readonly races: RaceDetector | null;
  /** What the exploration has been through, where it is asked to remember. */
  readonly states: StateSet | null;
  protected readonly rules: Rules;
  protected strategy: Strategy = { begin() {}, choose: () => Choice.GO_ON };

  step = 0;
  /** Hash of all that has happened, to compare two runs. */
  hash = 0;
  running = 0;
  switchable = false;
  killable = false;
  free = 0;
  readonly options: Int32Array;
  preemptions = 0;
  kills = 0;
  readonly results: unknown[] = [];
  failure: EngineFailure | null = null;
  readonly turns: Turn[] = [];
  readonly trace: Step[] = [];
  tracing = false;
  clock = 0;
  /**
   * Nobody but the running thread will run again, and it cannot be killed: nothing is left to decide, it is
   * not run again from its log, and what it does needs not be written down.
   */
  alone = false;
  /** The run has ended where others have been. */
  pruned = false;
  /** Its end was checked. */
  checked = false;
  /** Hash of the memory; of all that the history tells; of the state, as `digest` finds it. */
  protected memoryLow = 0;
  protected memoryHigh = 0;
  protected toldLow = 0;
  protected toldHigh = 0;
  private low = 0;
  private high = 0;
  protected writes = 0;
  /** Steps that were parts of a fill: they do not count as running on. */
  protected filled = 0;
  protected next = OVER;
  protected since = 0;
  protected sleepers = 0;
  /** So many options where the running thread cannot go on; 0 where it can. */
  protected forced = 0;
  protected readonly unannounced: ModelThread[] = [];
  protected readonly mortal: boolean[];

  constructor(rules: Rules) {
    this.rules = rules;
    this.threads = Array.from({ length: rules.threads }, (_, id) => new ModelThread(id));
    this.world = new ModelThread(rules.threads);
    this.races = rules.detectRaces ? new RaceDetector(rules.byteLength, rules.threads + 1) : null;
    this.states = rules.statesMax > 0 ? new StateSet(rules.statesMax) : null;
    this.options = new Int32Array(3 * rules.threads + 4);
    this.mortal = this.threads.map(({ id }) => rules.mortal.includes(id));
  }

  /** The world hears of a death. */
  protected abstract announce(thread: ModelThread): void;

  /** Brings the hash of the memory up to date. */
  protected abstract digestMemory(): void;

  /** For a new schedule. */
  protected reset(): void {
    this.step = 0;
    this.hash = 0;
    this.preemptions = 0;
    this.kills = 0;
    this.results.length = 0;
    this.failure = null;
    this.turns.length = 0;
    this.trace.length = 0;
    this.clock = 0;
    this.pruned = false;
    this.alone = false;
    this.toldLow = 0;
    this.toldHigh = 0;
    this.writes = 0;
    this.filled = 0;
    this.since = 0;
    this.sleepers = 0;
    this.unannounced.length = 0;
  }

  /** The run ends here. */
  fail(kind: FailureKind, message: string, cause: unknown = null): void {
    this.failure ??= { kind, message, cause };
    this.next = OVER;
  }

  /** Fills `options`; how many. */
  list(): number {
    return this.forced > 0 ? this.forced : this.listUnforced();
  }

  private listUnforced(): number {
    const { options, threads, running } = this;
    let count = 0;
    options[count++] = Choice.GO_ON;
    if (this.killable) {
      const { deaths } = this.rules;
      if (deaths !== 'late') options[count++] = Choice.KILL;
      // When it is the last one, nobody is there to make a difference between soon and late.
      if (deaths === 'late' || (deaths === 'both' && this.hasOthers())) options[count++] = Choice.KILL_LATE;
    }
    this.free = count;
    if (!this.switchable) return count;
    for (let id = 0; id < threads.length; id++) {
      if (id !== running && this.mayRun(threads[id] as ModelThread)) options[count++] = id;
    }
    return this.listWakes(count);
  }

  /** The run ends here: others have been where it is. */
  protected prune(): void {
    this.pruned = true;
    this.next = OVER;
  }

  skip(count: number): number {
    if (this.states === null) return 0;
    const { options, running, preemptions } = this;
    const forced = this.forced > 0;
    this.digestMemory();
    this.digest(-1);
    // That it is chosen: what may follow is that it goes on or dies, and both are options here.
    if (!forced && this.switchable) this.covers(running, preemptions);
    let skipped = 0;
    for (let index = 0; index < count; index++) {
      const option = options[index] as number;
      if (option >= Choice.KILL) continue;
      const goesOn = option === Choice.GO_ON;
      const free = goesOn || (forced && option < Choice.TIME_OUT);
      if (this.covers(goesOn ? GOES_ON + running : option, free ? preemptions : preemptions + 1))
        skipped |= 1 << index;
    }
    if (forced || !this.killable) return skipped;
    this.digest(running);
    for (let index = 0; index < count; index++) {
      const option = options[index] as number;
      if (option >= Choice.KILL && this.covers(option * THREADS_MAX + running, preemptions))
        skipped |= 1 << index;
    }
    return skipped;
  }

  private covers(what: number, preemptions: number): boolean {
    const { low, high, states } = this;
    return (states as StateSet).covers(mixLow(low, what), mixHigh(high, what), preemptions);
  }

  /** Whether a run has ended in this state before, and nothing was wrong; `passEnd` says so. */
  isKnownEnd(): boolean {
    if (this.states === null) return false;
    this.digestMemory();
    this.digest(-1);
    this.mix(END);
    return this.states.has(this.low, this.high);
  }

  passEnd(): void {
    this.states?.covers(this.low, this.high, 0);
  }

  /** All that decides what can follow, but whose turn it is. `dying` as if it were dead already. */
  private digest(dying: number): void {
    this.low = mixLow(this.memoryLow, this.toldLow);
    this.high = mixHigh(this.memoryHigh, this.toldHigh);
    this.mix(wordOf(this.clock));
    const { threads } = this;
    for (let id = 0; id < threads.length; id++) {
      const thread = threads[id] as ModelThread;
      const { state } = thread;
      // What a dead one knew decides nothing any more.
      if (state === State.DEAD || id === dying) {
        this.mix(State.DEAD);
        continue;
      }
      this.low = mixLow(this.low, thread.low);
      this.high = mixHigh(this.high, thread.high);
      if (state === State.DONE) {
        this.mix(State.DONE);
        continue;
      }
      const rests = thread.yieldedAt >= this.writes;
      this.mix(
        state | (thread.fresh ? 4 : 0) | (thread.woken ? 8 : 0) | (rests ? 16 : 0) | (thread.filled << 5),
      );
      if (state === State.ASLEEP) this.digestSleep(thread);
    }
    for (const { id } of this.unannounced) this.mix(id);
  }

  private digestSleep(thread: ModelThread): void {
    let before = 0;
    for (const { state, waitWord, turn } of this.threads) {
      if (state === State.ASLEEP && waitWord === thread.waitWord && turn < thread.turn) before++;
    }
    this.mix(thread.waitWord);
    this.mix(wordOf(thread.deadline));
    this.mix(before);
  }

  private mix(value: number): void {
    this.low = mixLow(this.low, value);
    this.high = mixHigh(this.high, value);
  }

  private isAlone(running: number): boolean {
    if (this.states === null || this.races !== null || this.tracing) return false;
    if (this.kills < this.rules.mostKills && this.mortal[running] === true) return false;
    return this.threads.every(({ id, state }) => id === running || state >= State.DONE);
  }

  private hasOthers(): boolean {
    return this.threads.some(({ id, state }) => id !== this.running && state < State.DONE);
  }

  private listWakes(start: number): number {
    let count = start;
    if (this.sleepers === 0) return count;
    for (const { id, state, deadline } of this.threads) {
      if (state !== State.ASLEEP) continue;
      if (deadline !== Number.POSITIVE_INFINITY) this.options[count++] = Choice.TIME_OUT + id;
      else if (this.rules.spuriousWakes) this.options[count++] = Choice.WAKE + id;
    }
    return count;
  }

  /** Spinning threads may run when another one has written since. */
  protected mayRun(thread: ModelThread): boolean {
    if (thread.state !== State.READY || thread.yieldedAt >= this.writes) return false;
    return !this.rules.interchangeable || this.isInOrder(thread);
  }

  /** It has begun, or all before it have. */
  private isInOrder({ id, begun }: ModelThread): boolean {
    return begun || id === 0 || (this.threads[id - 1] as ModelThread).begun;
  }

  /** The running thread cannot go on, or should not: who does? */
  protected chooseNext(last: ModelThread): void {
    while (this.failure === null) {
      let count = 0;
      for (const thread of this.threads) {
        if (this.mayRun(thread)) this.options[count++] = thread.id;
      }
      const dead = count === 0 ? this.unannounced.shift() : undefined;
      if (dead === undefined) {
        if (count > 0) this.chooseAmong(last, count);
        else this.chooseWithoutHelp(last);
        return;
      }
      this.announce(dead);
    }
  }

  private chooseAmong(last: ModelThread, runnable: number): void {
    this.running = last.id;
    this.free = runnable;
    this.forced = this.listWakes(runnable);
    let choice = this.options[0] as number;
    if (this.forced > 1) {
      choice = this.strategy.choose(this, true);
      if (choice === Choice.PRUNE) {
        this.forced = 0;
        this.prune();
        return;
      }
      if (choice !== this.options[0]) this.turns.push({ step: this.step, choice });
      if (choice >= Choice.TIME_OUT) this.preemptions++;
    } else if (this.strategy.endsAt?.(this) === true) {
      this.forced = 0;
      this.prune();
      return;
    }
    this.forced = 0;
    this.wakeFor(choice);
    this.turnTo(choice & 15);
  }

  /** Nobody can run: sleeps end by their time, or the run ends. */
  private chooseWithoutHelp(last: ModelThread): void {
    const sleeper = this.firstToTimeOut();
    if (sleeper !== null) {
      this.timeOut(sleeper);
      return;
    }
    const ready = this.threads.filter(({ state }) => state === State.READY);
    if (ready.length > 0) {
      const after = ready.find(({ id }) => id > last.id) ?? (ready[0] as ModelThread);
      this.turnTo(after.id);
      return;
    }
    const asleep = this.threads.filter(({ state }) => state === State.ASLEEP);
    this.next = OVER;
    if (asleep.length === 0) return;
    const each = asleep.map((thread) => this.describeSleeper(thread));
    this.fail('deadlock', `nobody can run, and nobody will wake ${each.join(' or ')}`);
  }

  private timeOut(sleeper: ModelThread): void {
    if (this.kills === 0 && !this.rules.slicesMayHelp) {
      this.fail('lost wakeup', `only the end of its time wakes ${this.describeSleeper(sleeper)}`);
      return;
    }
    this.wakeFor(Choice.TIME_OUT + sleeper.id);
    this.turnTo(sleeper.id);
  }

  private firstToTimeOut(): ModelThread | null {
    let first: ModelThread | null = null;
    for (const thread of this.threads) {
      if (thread.state !== State.ASLEEP || thread.deadline === Number.POSITIVE_INFINITY) continue;
      if (first === null || thread.deadline < first.deadline) first = thread;
    }
    return first;
  }

  private describeSleeper({ id, waitWord }: ModelThread): string {
    return `thread ${id}, which sleeps on ${this.rules.name(waitWord)}`;
  }

  protected turnTo(id: number): void {
    this.next = id;
    this.alone = this.isAlone(id);
    this.since = ++this.step - this.filled;
  }

  /** Ends the sleep that a choice says is over. */
  protected wakeFor(choice: number): void {
    if (choice < Choice.TIME_OUT) return;
    const thread = this.threads[choice & 15] as ModelThread;
    if (choice < Choice.WAKE) this.clock = Math.max(this.clock, thread.deadline);
    if (this.tracing)
      this.note(thread, choice < Choice.WAKE ? 'time out' : 'spurious wake', thread.waitWord, 0);
    this.wake(thread);
  }

  protected wake(thread: ModelThread): void {
    thread.state = State.READY;
    thread.woken = true;
    this.sleepers--;
  }

  /** What happened, for the trace. `word` -1: at no place. */
  protected note(thread: ModelThread, what: string, word: number, value: number): void {
    const where = word < 0 ? '' : this.rules.name(word);
    this.trace.push({ step: this.step, thread: thread.id, what, where, value });
  }

  protected describeCode(code: number): string {
    return `${KIND_NAMES[kindOf(code)]} of ${this.rules.name(addressOf(code) >> 2)}`;
  }
}
