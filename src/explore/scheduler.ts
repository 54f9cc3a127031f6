/**
 * The scheduler: threads of a model, which run in one thread of JavaScript, and who of them goes on.
 *
 * Threads stand on the stack one above the other. At a point where another one is to run, it is called from
 * there; when one further down is to go on, those above it are thrown off the stack (UNWIND), and called anew
 * from their start when it is their turn again: then their log answers them, until they are where they were.
 */

import { addressOf, KIND_NAMES, kindOf, Mode, ModelThread, State, UNWIND } from './model-thread.js';
import { RaceDetector } from './races.js';
import { describe, type FailureKind, type Rules, type Step } from './rules.js';
import { Choice, type Turn } from './schedule.js';
import type { Place, Strategy } from './strategy.js';

/** Looks at the same thing without a change before it lets others run. */
const SPINS = 3;

/** Steps at a stretch after which the others get a turn in any case. */
const STRETCH = 4000;

const OVER = -1;

export class Scheduler implements Place {
  readonly threads: readonly ModelThread[];
  /** What the world does when a thread has died. */
  readonly world: ModelThread;
  readonly races: RaceDetector | null;
  protected readonly rules: Rules;
  private strategy: Strategy = { begin() {}, choose: () => Choice.GO_ON };
  private bodies: readonly (() => unknown)[] = [];

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
  failure: { kind: FailureKind; message: string; cause: unknown } | null = null;
  readonly turns: Turn[] = [];
  readonly trace: Step[] = [];
  tracing = false;
  clock = 0;
  protected writes = 0;
  /** Steps that were parts of a fill: they do not count as running on. */
  protected filled = 0;
  private next = OVER;
  private since = 0;
  private sleepers = 0;
  /** So many options where the running thread cannot go on; 0 where it can. */
  private forced = 0;
  private readonly unannounced: ModelThread[] = [];
  private readonly mortal: boolean[];

  constructor(rules: Rules) {
    this.rules = rules;
    this.threads = Array.from({ length: rules.threads }, (_, id) => new ModelThread(id));
    this.world = new ModelThread(rules.threads);
    this.races = rules.detectRaces ? new RaceDetector(rules.byteLength, rules.threads + 1) : null;
    this.options = new Int32Array(3 * rules.threads + 4);
    this.mortal = this.threads.map(({ id }) => rules.mortal.includes(id));
  }

  /** Runs one schedule. The memory is as it was before. */
  play(bodies: readonly (() => unknown)[], strategy: Strategy): void {
    this.bodies = bodies;
    this.strategy = strategy;
    this.step = 0;
    this.hash = 0;
    this.preemptions = 0;
    this.kills = 0;
    this.results.length = 0;
    this.failure = null;
    this.turns.length = 0;
    this.trace.length = 0;
    this.clock = 0;
    this.writes = 0;
    this.filled = 0;
    this.since = 0;
    this.sleepers = 0;
    this.unannounced.length = 0;
    for (const thread of this.threads) thread.begin();
    this.races?.begin();
    strategy.begin();
    this.chooseNext(this.world);
    while (this.next !== OVER) this.run(this.threads[this.next] as ModelThread);
    for (const thread of this.threads) thread.mode = Mode.RAW;
  }

  /** The run ends here. */
  fail(kind: FailureKind, message: string, cause: unknown = null): void {
    this.failure ??= { kind, message, cause };
    this.next = OVER;
  }

  /** The run ends here, and so does what the thread is in the middle of. */
  protected abort(thread: ModelThread, kind: FailureKind, message: string): never {
    this.fail(kind, message);
    return this.leave(thread);
  }

  protected leave(thread: ModelThread): never {
    thread.mode = Mode.LEAVING;
    throw UNWIND;
  }

  private run(thread: ModelThread): void {
    thread.onStack = true;
    thread.cursor = 0;
    thread.mode = thread.length > 0 ? Mode.REPLAY : Mode.LIVE;
    thread.rewind();
    try {
      const result = (this.bodies[thread.id] as () => unknown)();
      if ((thread.mode as number) !== Mode.LEAVING) this.end(thread, result);
    } catch (error) {
      if (error !== UNWIND && (thread.mode as number) !== Mode.LEAVING) this.endByError(thread, error);
    } finally {
      thread.onStack = false;
    }
  }

  private end(thread: ModelThread, result: unknown): void {
    if (thread.mode === Mode.REPLAY && thread.cursor < thread.length) {
      this.failStrayed(thread);
      return;
    }
    thread.mode = Mode.LIVE;
    thread.resuming = false;
    this.results[thread.id] = result;
    if (this.mayKill(thread)) {
      const choice = this.ask(thread, false, true);
      if (choice >= Choice.KILL) {
        this.kill(thread, choice);
        return;
      }
    }
    this.step++;
    thread.state = State.DONE;
    this.chooseNext(thread);
  }

  private endByError(thread: ModelThread, error: unknown): void {
    if (this.rules.expected(error, thread.id)) this.end(thread, error);
    else this.fail('error', `thread ${thread.id} threw ${describe(error)}`, error);
  }

  protected failStrayed(thread: ModelThread): void {
    const code = thread.codes[thread.cursor] ?? thread.pending;
    this.fail(
      'nondeterminism',
      `thread ${thread.id} keeps state outside the shared memory: run again, it diverged at its step ` +
        `${thread.cursor}, where it did ${this.describeCode(code)} before`,
    );
  }

  /** A place where another thread may go on, or this one may be killed, before it does what `code` says. */
  protected point(thread: ModelThread, code: number, switchable: boolean, writes: boolean): void {
    if (thread.resuming) {
      thread.resuming = false;
      return;
    }
    if (switchable && this.shouldRest(thread) && this.rest(thread, code)) return;
    const killable = writes && this.mayKill(thread);
    if (!switchable && !killable) return;
    const choice = this.ask(thread, switchable, killable);
    if (choice === Choice.GO_ON) return;
    if (choice >= Choice.KILL) {
      this.kill(thread, choice);
      this.leave(thread);
    }
    this.preemptions++;
    this.wakeFor(choice);
    this.turnTo(choice & 15);
    thread.pending = code;
    this.handOver(thread);
  }

  private mayKill(thread: ModelThread): boolean {
    return this.kills < this.rules.mostKills && (this.mortal[thread.id] as boolean);
  }

  private ask(thread: ModelThread, switchable: boolean, killable: boolean): number {
    this.running = thread.id;
    this.switchable = switchable;
    this.killable = killable;
    const choice = this.strategy.choose(this, false);
    if (choice !== Choice.GO_ON) this.turns.push({ step: this.step, choice });
    return choice;
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
      if (this.rules.deaths !== 'late') options[count++] = Choice.KILL;
      if (this.rules.deaths !== 'at once') options[count++] = Choice.KILL_LATE;
    }
    this.free = count;
    if (!this.switchable) return count;
    for (let id = 0; id < threads.length; id++) {
      if (id !== running && this.mayRun(threads[id] as ModelThread)) options[count++] = id;
    }
    return this.listWakes(count);
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
  private mayRun(thread: ModelThread): boolean {
    return thread.state === State.READY && thread.yieldedAt < this.writes;
  }

  /** It goes round in a circle, or has run for long while others could. */
  private shouldRest(thread: ModelThread): boolean {
    if (thread.repeats >= SPINS) return true;
    if (this.step - this.filled - this.since <= STRETCH) return false;
    this.since = this.step - this.filled;
    return this.threads.some((other) => other !== thread && this.mayRun(other));
  }

  /** A thread that goes round in a circle lets others run; false when there are none. */
  private rest(thread: ModelThread, code: number): boolean {
    thread.forgetSpin();
    thread.yieldedAt = this.writes;
    this.chooseNext(thread);
    if (this.next === thread.id) return false;
    thread.pending = code;
    this.handOver(thread);
    return true;
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
      if (choice !== this.options[0]) this.turns.push({ step: this.step, choice });
      if (choice >= Choice.TIME_OUT) this.preemptions++;
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

  private turnTo(id: number): void {
    this.next = id;
    this.since = ++this.step - this.filled;
  }

  /** Ends the sleep that a choice says is over. */
  private wakeFor(choice: number): void {
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

  /** Sleeps on a word until woken. */
  protected sleep(thread: ModelThread, word: number, timeoutMs: number): void {
    thread.state = State.ASLEEP;
    thread.waitWord = word;
    thread.deadline = this.clock + timeoutMs;
    thread.turn = ++this.step;
    this.sleepers++;
    if (this.tracing) this.note(thread, 'sleeps', word, 0);
    this.chooseNext(thread);
    this.handOver(thread);
  }

  /** Lets the others run until it is this thread's turn: on top of it, or after it has left the stack. */
  private handOver(thread: ModelThread): void {
    while (this.next !== thread.id) {
      const next = this.next === OVER ? null : (this.threads[this.next] as ModelThread);
      if (next === null || next.onStack) {
        thread.resuming = true;
        this.leave(thread);
      }
      this.run(next);
    }
    thread.mode = Mode.LIVE;
  }

  private kill(thread: ModelThread, choice: number): void {
    this.kills++;
    this.step++;
    thread.state = State.DEAD;
    if (this.tracing) this.note(thread, 'killed', -1, 0);
    if (choice === Choice.KILL) this.announce(thread);
    else this.unannounced.push(thread);
    this.chooseNext(thread);
  }

  private announce(thread: ModelThread): void {
    if (this.tracing) this.note(thread, 'its death is known', -1, 0);
    this.races?.pass(thread.id, this.world.id);
    this.world.mode = Mode.WORLD;
    this.writes++;
    try {
      this.rules.died(thread.id);
    } catch (error) {
      this.fail('error', `died(${thread.id}) threw ${describe(error)}`, error);
    } finally {
      this.world.mode = Mode.RAW;
    }
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
