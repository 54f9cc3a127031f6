/**
 * The scheduler: threads of a model, which run in one thread of JavaScript, and who of them goes on.
 *
 * Threads stand on the stack one above the other. At a point where another one is to run, it is called from
 * there; when one further down is to go on, those above it are thrown off the stack (UNWIND), and called anew
 * from their start when it is their turn again: then their log answers them, until they are where they were.
 */

import { Choices, OVER } from './choices.js';
import { Mode, type ModelThread, State, UNWIND } from './model-thread.js';
import { describe, type FailureKind } from './rules.js';
import { Choice } from './schedule.js';
import type { Strategy } from './strategy.js';

/** Looks at the same thing without a change before it lets others run. */
const SPINS = 3;

/** Steps at a stretch after which the others get a turn in any case. */
const STRETCH = 4000;

export abstract class Scheduler extends Choices {
  private bodies: readonly (() => unknown)[] = [];

  /** The asynchronous thread goes on, from where it sleeps; null: it has not begun. */
  private resume: (() => void) | null = null;
  /** It sleeps, or has ended: who drives it can look who is next. */
  private parked: () => void = () => {};
  /** Threads that have ended alone. */
  private runsAlone = 0;
  /** Thread 0 may be asynchronous. */
  protected asynchronous = false;

  /** Runs one schedule. The memory is as it was before. */
  play(bodies: readonly (() => unknown)[], strategy: Strategy): void {
    this.begin(bodies, strategy, false);
    while (this.next !== OVER) this.run(this.threads[this.next] as ModelThread);
    this.finish();
  }

  /**
   * The same where thread 0 may be asynchronous. It is never run again: it stands below all others, which
   * leave the stack when it is to go on, and while it sleeps nobody is on the stack but they.
   */
  async playAsync(bodies: readonly (() => unknown)[], strategy: Strategy): Promise<void> {
    this.begin(bodies, strategy, true);
    while (this.next !== OVER) {
      const thread = this.threads[this.next] as ModelThread;
      if (thread.id === 0) await this.goOn(thread);
      else this.run(thread);
    }
    this.finish();
  }

  private begin(bodies: readonly (() => unknown)[], strategy: Strategy, asynchronous: boolean): void {
    this.bodies = bodies;
    this.strategy = strategy;
    this.asynchronous = asynchronous;
    this.resume = null;
    this.reset();
    for (const thread of this.threads) thread.begin();
    if (asynchronous) (this.threads[0] as ModelThread).onStack = true;
    this.races?.begin();
    strategy.begin();
    this.chooseNext(this.world);
  }

  private finish(): void {
    for (const thread of this.threads) thread.mode = Mode.RAW;
  }

  private goOn(thread: ModelThread): Promise<void> {
    return new Promise((parked) => {
      this.parked = parked;
      if (this.resume === null) this.start(thread);
      else this.resume();
    });
  }

  private start(thread: ModelThread): void {
    thread.mode = Mode.LIVE;
    thread.rewind();
    const answer = new Promise<unknown>((resolve) => resolve((this.bodies[thread.id] as () => unknown)()));
    const ended = answer.then(
      (result) => {
        if (thread.mode !== Mode.LEAVING) this.end(thread, result);
      },
      (error) => {
        if (error !== UNWIND && thread.mode !== Mode.LEAVING) this.endByError(thread, error);
      },
    );
    ended.finally(() => {
      thread.onStack = false;
      this.parked();
    });
  }

  /** Sleeps without standing on the stack. */
  protected sleepAsync(thread: ModelThread, word: number, timeoutMs: number): Promise<void> {
    this.fallAsleep(thread, word, timeoutMs);
    return new Promise((resolve) => {
      this.resume = resolve;
      this.parked();
    });
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
    if (thread.resuming || (thread.mode === Mode.REPLAY && thread.cursor < thread.length)) {
      this.failStrayed(thread);
      return;
    }
    if (isPromise(result)) {
      const who = this.asynchronous ? 'only thread 0 may be asynchronous' : 'use exploreAsync';
      this.fail('error', `thread ${thread.id} is asynchronous: ${who}`);
      return;
    }
    thread.mode = Mode.LIVE;
    this.results[thread.id] = result;
    if (this.mayKill(thread)) {
      const choice = this.ask(thread, false, true);
      if (choice === Choice.PRUNE) return;
      if (choice >= Choice.KILL) {
        this.kill(thread, choice);
        return;
      }
    }
    this.step++;
    thread.state = State.DONE;
    if (this.states !== null) thread.digestResult(result, this.alone ? ++this.runsAlone : 0);
    this.chooseNext(thread);
  }

  private endByError(thread: ModelThread, error: unknown): void {
    if (this.rules.expected(error, thread.id) || thread.mode === Mode.REPLAY) this.end(thread, error);
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
      this.dieOrGoOn(thread, writes);
      return;
    }
    if (!switchable) {
      this.dieOrGoOn(thread, writes);
      return;
    }
    // Chosen just now, it has done nothing yet that others could see: to choose again is no other schedule.
    if (thread.fresh) {
      thread.fresh = false;
      this.dieOrGoOn(thread, writes);
      return;
    }
    // Chance counts its places, also those where there is no choice.
    if (this.alone && this.strategy.endsAt !== undefined && thread.repeats < SPINS) return;
    if (this.shouldRest(thread) && this.rest(thread, code)) {
      this.dieOrGoOn(thread, writes);
      return;
    }
    const choice = this.ask(thread, true, writes && this.mayKill(thread));
    if (choice === Choice.GO_ON) return;
    if (choice === Choice.PRUNE) this.leave(thread);
    if (choice >= Choice.KILL) {
      this.kill(thread, choice);
      this.leave(thread);
    }
    this.preemptions++;
    this.wakeFor(choice);
    this.turnTo(choice & 15);
    thread.pending = code;
    this.handOver(thread);
    this.dieOrGoOn(thread, writes);
  }

  /** It goes on with what it was about to do, or dies just before. */
  private dieOrGoOn(thread: ModelThread, writes: boolean): void {
    if (!writes || !this.mayKill(thread)) return;
    const choice = this.ask(thread, false, true);
    if (choice === Choice.GO_ON) return;
    if (choice === Choice.PRUNE) this.leave(thread);
    this.kill(thread, choice);
    this.leave(thread);
  }

  private mayKill(thread: ModelThread): boolean {
    return this.kills < this.rules.mostKills && (this.mortal[thread.id] as boolean);
  }

  private ask(thread: ModelThread, switchable: boolean, killable: boolean): number {
    this.running = thread.id;
    this.switchable = switchable;
    this.killable = killable;
    const choice = this.strategy.choose(this, false);
    if (choice === Choice.PRUNE) this.prune();
    else if (choice !== Choice.GO_ON) this.turns.push({ step: this.step, choice });
    return choice;
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

  /** Sleeps on a word until woken. */
  protected sleep(thread: ModelThread, word: number, timeoutMs: number): void {
    this.fallAsleep(thread, word, timeoutMs);
    this.handOver(thread);
  }

  private fallAsleep(thread: ModelThread, word: number, timeoutMs: number): void {
    thread.state = State.ASLEEP;
    thread.waitWord = word;
    thread.deadline = this.clock + timeoutMs;
    thread.turn = ++this.step;
    this.sleepers++;
    if (this.tracing) this.note(thread, 'sleeps', word, 0);
    this.chooseNext(thread);
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
    this.results[thread.id] = undefined;
    if (this.tracing) this.note(thread, 'killed', -1, 0);
    if (choice === Choice.KILL) this.announce(thread);
    else this.unannounced.push(thread);
    this.chooseNext(thread);
  }

  protected announce(thread: ModelThread): void {
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
}

function isPromise(value: unknown): boolean {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}
