// One memory of the killer: its workers, how each is to die, and that the others go on.

import { Worker } from 'node:worker_threads';
import { ThreadSlot } from '../dist/machine/index.js';
import { createMemoryOver } from '../dist/memory.js';
import { Audited, SLOT_WORDS } from './kills.audit.mjs';
import { randomFrom } from './random.mjs';
import { watchRunDelay } from './run-delay.mjs';

const WORKERS = 4;
const KILLS_PER_AUDIT = 20;
/** Survivors must go on so soon after an exit. */
const PROGRESS_MS = 250;
/** What takes longer than this is said to hang. */
const HANG_MS = 4000;
const WORKING = 1;
const PARKED = 2;
const INIT = 0x1217a11e;

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Several workers on one memory. `shared` counts for all groups. */
export class Group extends Audited {
  constructor(index, seed, options, shared) {
    super();
    this.index = index;
    this.seed = seed;
    this.random = randomFrom(seed);
    this.options = options;
    this.shared = shared;
    this.control = new Int32Array(new SharedArrayBuffer(4 * (1 + 4 * WORKERS)));
    this.workers = new Array(WORKERS).fill(null);
    this.deaths = 0;
    this.quiet = false;
    this.over = false;
    this.turn = 0;
    this.checkLevel = [0, 0, 1, 2][this.random(4)];
    const wasm = this.random(3) !== 0;
    const { memory, machine } = createMemoryOver({
      bytes: 6 << 20,
      maxThreads: 24,
      checkLevel: this.checkLevel,
      wasm,
      mbufs: { max: 100 },
    });
    this.memory = memory;
    this.machine = machine;
    this.carried = memory.zone({ name: 'carried', size: 48 });
    this.rings = [0, 1].map((each) => memory.ring({ name: `ring ${each}`, capacity: 24 }));
    this.open();
    this.polling = setInterval(() => this.pollNow(), 10);
  }

  /** The zones with hooks, too: only who has the hooks can free what a dead thread had of them. */
  open() {
    const { memory } = this;
    const { words } = memory;
    const free = { onOwnerDeath: 'free' };
    const hooks = {
      finiIsSafe: true,
      init(item) {
        words[(item >> 2) + 8] = INIT;
      },
      fini(item) {
        words[(item >> 2) + 8] = 0;
      },
    };
    const both = { ...free, ...hooks, ctor: () => {}, dtor: () => {} };
    memory.zone({ name: 'plain', size: 64, ...free });
    memory.zone({ name: 'limited', size: 128, max: 30, ...free });
    this.hooked = [
      memory.zone({ name: 'hooked', size: 96, ...both }),
      memory.zone({ name: 'both', size: 200, max: 24, ...both }),
      memory.zone({ name: 'guarded', size: 120, max: 40, guard: true, ...both }),
    ];
    memory.zone({ name: 'counted', size: 400, referenceCounted: true, ...free });
    memory.zone({ name: 'big', size: 3000, ...free });
    const primary = memory.zone({ name: 'prim', size: 256 });
    memory.zone({ name: 'second', primary, ...hooks });
  }

  pollNow() {
    if (!this.quiet && !this.over) this.memory.poll();
  }

  // --- birth and death ---

  planOne() {
    const { random } = this;
    const lot = random(1000);
    const death = lot < 6 ? 'oom' : lot < 70 ? 'exit' : lot < 134 ? 'throw' : 'terminate';
    return {
      death,
      where: ['init', 'fini', 'ctor', 'dtor', 'last'][random(5)],
      ops: death === 'terminate' ? 1e9 : random(40),
      rest: random(3),
      finale: random(3) === 0 ? null : random(8),
      early: random(8) === 0,
      // Some live long enough to see others die.
      afterMs: random(4) === 0 ? 80 + random(300) : random(25),
    };
  }

  spawn(index) {
    const { shared, control } = this;
    const plan = this.planOne();
    const incarnation = ++shared.incarnations;
    const first = 1 + 4 * index;
    for (const word of [first, first + 2, first + 3]) Atomics.store(control, word, 0);
    const workerData = {
      handle: this.memory.handle,
      control,
      index,
      incarnation,
      seed: this.random(0x7fffffff),
      plan,
      useMbufs: this.options.mbufs,
      source: shared.script.source,
      cachedData: shared.script.cachedData,
    };
    const worker = new Worker(shared.script.code, {
      eval: true,
      workerData,
      env: {},
      stdout: true,
      stderr: true,
      resourceLimits: plan.death === 'oom' ? { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 } : {},
    });
    const one = { index, plan, worker, incarnation, agent: worker.threadId + 1, holds: null, error: null };
    one.attached = false;
    one.kernelThread = null;
    one.born = performance.now();
    this.workers[index] = one;
    worker.on('message', (message) => this.hear(one, message));
    worker.on('error', (error) => {
      one.error = error;
    });
    worker.once('exit', () => this.beforeReap(one));
    if (this.options.sabotage === undefined) {
      this.memory.adopt(worker).ended.catch((error) => this.report('adopt failed', { stack: error.stack }));
    }
    worker.once('exit', () => this.afterReap(one));
    const last = plan.death === 'terminate' ? 0 : plan.death === 'oom' ? 3000 : 300;
    if (plan.early) this.killIn(one, this.random(45) + last);
    else one.killMs = plan.afterMs + last;
    // A worker that does not even attach is a finding of its own.
    one.bootTimer = setTimeout(() => {
      if (!one.attached && !this.quiet) this.report('a worker did not attach', { incarnation });
    }, HANG_MS * 2);
  }

  hear(one, message) {
    if (message.attached) {
      one.attached = true;
      one.kernelThread = message.kernelThread;
      if (one.killMs !== undefined) this.killIn(one, one.killMs);
    }
    if (message.holds) one.holds = message;
    if (message.finding) this.report(message.finding, message.detail);
  }

  killIn(one, milliseconds) {
    one.killTimer = setTimeout(() => {
      // During an audit nobody dies: it would not be quiet.
      if (this.quiet) this.killIn(one, 5);
      else if (one.plan.finale !== null && !one.doomed) {
        // From now on it does one thing over and over, and is to die of that.
        one.doomed = true;
        Atomics.store(this.control, 4 + 4 * one.index, 1);
        this.killIn(one, 4 + this.random(10));
      } else one.worker.terminate();
    }, milliseconds);
  }

  slotsOf(agent) {
    const { machine } = this;
    const threads = machine.area('threads');
    const found = [];
    for (let slot = 1; slot <= 24; slot++) {
      const at = threads + slot * SLOT_WORDS;
      if (machine.words[at + ThreadSlot.agent] === agent) found.push(at);
    }
    return found;
  }

  beforeReap(one) {
    const { figures } = this.shared;
    const { words } = this.machine;
    const slots = this.slotsOf(one.agent);
    const any = (what) => slots.some(what);
    const held = (at) => words[at + ThreadSlot.heldCount] !== 0;
    const pending = (at) => words[at + ThreadSlot.pendingLock] !== 0;
    const hands = (at) =>
      words
        .subarray(at + ThreadSlot.hands, at + ThreadSlot.hands + 48)
        .some((w, n) => n % 4 === 0 && w !== 0);
    if (any((at) => held(at) || pending(at))) figures.lockHeldOrWanted++;
    if (any(held)) figures.lockHeld++;
    if (any((at) => words[at + ThreadSlot.intent] !== 0)) figures.intentArmed++;
    if (any(hands)) figures.handOpen++;
    if (slots.length > 0) figures.attached++;
    if (slots.length > 1) figures.attachedTwice++;
    one.exitAt = performance.now();
    one.runDelay = watchRunDelay(this.workers.map((other) => other?.kernelThread ?? 0));
    if (this.options.sabotage === 'forget') {
      for (const at of slots) {
        words[at + ThreadSlot.state] -= words[at + ThreadSlot.state] & 7;
        words[at + ThreadSlot.agent] = 0;
      }
    }
  }

  afterReap(one) {
    const { shared } = this;
    const { figures } = shared;
    clearTimeout(one.killTimer);
    clearTimeout(one.bootTimer);
    const reapMs = performance.now() - one.exitAt;
    figures.reapMsMost = Math.max(figures.reapMsMost, reapMs);
    const unplanned =
      one.error !== null &&
      one.plan.death !== 'oom' &&
      !`${one.error.stack}${one.error.cause?.message}`.includes('planned');
    if (unplanned && !this.over)
      this.report(`a worker failed: ${one.error.message}`, { stack: one.error.stack });
    const kind =
      one.error?.code === 'ERR_WORKER_OUT_OF_MEMORY'
        ? 'oom'
        : one.error !== null
          ? 'throw'
          : one.worker.exitCode;
    figures.deaths[kind ?? one.plan.death] = (figures.deaths[kind ?? one.plan.death] ?? 0) + 1;
    figures.kills++;
    this.deaths++;
    if (this.workers[one.index] === one) this.workers[one.index] = null;
    if (this.over) return;
    this.watchProgress(one.exitAt, one.runDelay);
    if (!this.ending) this.spawn(one.index);
  }

  /** Every worker that was at work at that moment must get something done. */
  watchProgress(since, runDelay) {
    const { control } = this;
    const watched = this.workers.filter(
      (one) => one?.attached && Atomics.load(control, 1 + 4 * one.index) === WORKING,
    );
    const before = watched.map(({ index }) => Atomics.load(control, 2 + 4 * index));
    const { figures } = this.shared;
    let last = performance.now();
    let stalled = 0;
    const look = () => {
      if (this.over || this.quiet) return;
      const now = performance.now();
      // Of this thread's own absence nobody else is guilty.
      stalled += Math.max(0, now - last - 20);
      last = now;
      const waiting = watched.filter(
        (one, at) =>
          this.workers[one.index] === one &&
          Atomics.load(control, 2 + 4 * one.index) === before[at] &&
          !isDying(one),
      );
      const late = now - since - stalled;
      if (waiting.length === 0) {
        figures.progressMsMost = Math.max(figures.progressMsMost, late);
        figures.progressMsSum += late;
        figures.progressSeen++;
        // More threads than processors: what somebody here waited for one of them is not the memory's.
        const own = late - runDelay();
        figures.progressOwnMsMost = Math.max(figures.progressOwnMsMost, own);
        if (own > PROGRESS_MS) figures.slow++;
      } else if (late > HANG_MS) {
        this.report('survivors do not go on', { workers: waiting.map(({ incarnation }) => incarnation) });
      } else setTimeout(look, late < 20 ? 1 : 5);
    };
    setImmediate(look);
  }

  // --- quiet ---

  async quiesce() {
    const { control } = this;
    this.turn++;
    this.quiet = true;
    for (const one of this.workers) if (one !== null) one.holds = null;
    Atomics.store(control, 0, this.turn);
    const since = performance.now();
    for (;;) {
      const busy = this.workers.filter(
        (one) => one !== null && !(isParked(control, one) && one.holds !== null),
      );
      // Who has not begun to work will look at the control word before it does.
      const working = busy.filter((one) => Atomics.load(control, 1 + 4 * one.index) !== 0);
      if (working.length === 0) return true;
      if (this.over) return false;
      if (performance.now() - since > HANG_MS * 2) {
        this.report('workers do not park', {
          workers: working.map(({ incarnation, plan }) => ({ incarnation, plan })),
        });
        return false;
      }
      await sleep(1);
    }
  }

  goOn() {
    this.quiet = false;
    Atomics.store(this.control, 0, 0);
    Atomics.notify(this.control, 0);
  }

  async end() {
    clearInterval(this.polling);
    const living = this.workers.filter((one) => one !== null);
    this.ending = true;
    await Promise.all(living.map((one) => one.worker.terminate()));
    for (const one of living) {
      clearTimeout(one.killTimer);
      clearTimeout(one.bootTimer);
    }
  }

  /** Works until so many have died, then once more without anybody. */
  async run(kills) {
    for (let index = 0; index < WORKERS; index++) this.spawn(index);
    let audited = 0;
    while (!this.over && this.deaths < kills) {
      await sleep(5);
      if (this.deaths - audited < KILLS_PER_AUDIT) continue;
      audited = this.deaths;
      if (await this.quiesce()) this.audit();
      this.goOn();
    }
    await this.end();
    if (!this.over) {
      this.audit();
      const { threads } = this.memory.stats();
      if (threads !== 1) this.report('threads are attached that are not there', { threads });
    }
    this.over = true;
  }
}

const isParked = (control, { index }) => Atomics.load(control, 1 + 4 * index) === PARKED;
const isDying = (one) => one.plan.death === 'oom' || one.worker.threadId === -1;
