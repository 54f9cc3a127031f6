/** Machines with nothing in them but threads and some words to play with, and workers over them. */

import assert from 'node:assert/strict';
import { Worker } from 'node:worker_threads';
import type { CheckLevel } from '../check/index.js';
import {
  type AreaPlanner,
  type Attachment,
  createAttachment,
  createMachine,
  type Machine,
  type MemoryHandle,
  openMachine,
  planThreads,
  publishMachine,
  type ThreadName,
  type Threads,
} from './index.js';
import { type Mortal, makeMortal } from './mortal.test-kit.js';

/** Words for tests: places that share no cache line. */
export const Place = {
  LOCK: 0,
  SECOND_LOCK: 16,
  QUEUE: 32,
  COUNTER: 48,
  GATE: 64,
  DONE: 80,
  TURNS: 96,
} as const;

const planTest: AreaPlanner = () => [{ name: 'test', words: 4096 }];

export const planners: readonly AreaPlanner[] = [planThreads, planTest];

export const HASH = 0x1234567;

export interface Options {
  readonly pageCount?: number;
  readonly maxThreads?: number;
  readonly checkLevel?: CheckLevel;
  readonly wasm?: boolean;
}

export function makeMachine(options: Options = {}): Machine {
  const { pageCount = 64, maxThreads = 8, checkLevel = 1, wasm } = options;
  const machine = createMachine(
    { pageCount, maxThreads, maxZones: 3, checkLevel, wasm, reservedPages: 0 },
    planners,
    HASH,
  );
  publishMachine(machine);
  return machine;
}

/** One attachment. Several of them in one JavaScript thread play several threads. */
export interface Party extends Attachment {
  /** Word index of a place. */
  at(place: number): number;
}

function partyOf(machine: Machine): Party {
  const area = machine.area('test');
  return { ...createAttachment(machine), at: (place) => area + place };
}

export function makeParty(options: Options = {}): Party {
  return partyOf(makeMachine(options));
}

export function joinParty(handle: MemoryHandle): Party {
  return partyOf(openMachine(handle, planners, HASH));
}

/** One that dies when it is told to: see mortal.test-kit.ts. */
export interface MortalParty extends Party {
  readonly mortal: Mortal;
}

export function joinMortal(handle: MemoryHandle): MortalParty {
  const mortal = makeMortal(openMachine(handle, planners, HASH));
  return { ...partyOf(mortal.machine), mortal };
}

/** Says that a thread has ended. */
export function bury(threads: Threads, { slot, generation }: ThreadName): void {
  assert.equal(threads.declareDead(slot, generation), true);
}

/** What a worker of `machine.test-worker.ts` is told. */
export interface Orders {
  readonly task: string;
  readonly handle: MemoryHandle;
  readonly rounds?: number;
}

/** What it says, one message after another. */
export type Report = { readonly said: string } & Readonly<Record<string, unknown>>;

/** A worker of a test; every one is ended by the test that made it. */
export class Hand {
  readonly worker: Worker;
  private readonly reports: Report[] = [];
  private readonly listeners: (() => void)[] = [];
  private failure: Error | null = null;
  private readonly exited: Promise<void>;

  constructor(orders: Orders) {
    this.worker = new Worker(new URL('./machine.test-worker.js', import.meta.url), { workerData: orders });
    this.worker.on('message', (report: Report) => {
      this.reports.push(report);
      this.wake();
    });
    this.exited = new Promise((resolve) => {
      this.worker.once('exit', (code) => {
        this.failure ??= new Error(`the worker for ${orders.task} has ended with exit code ${code}`);
        this.wake();
        resolve();
      });
    });
    this.worker.on('error', (error: Error) => {
      this.failure = error;
      this.wake();
    });
  }

  private wake(): void {
    for (const each of this.listeners.splice(0)) each();
  }

  /** The next report, which must be `said`. */
  async says(said: string): Promise<Report> {
    while (this.reports.length === 0) {
      if (this.failure !== null) throw this.failure;
      await new Promise<void>((resolve) => this.listeners.push(resolve));
    }
    const report = this.reports.shift() as Report;
    assert.equal(report.said, said, JSON.stringify(report));
    return report;
  }

  /** Kills the worker, and waits until it writes no more. */
  async end(): Promise<void> {
    await this.worker.terminate();
    await this.exited;
  }
}

/** Runs `body` with workers, and ends them whatever happens. */
export async function withHands(
  orders: readonly Orders[],
  body: (hands: Hand[]) => Promise<void>,
): Promise<void> {
  const hands = orders.map((each) => new Hand(each));
  try {
    await body(hands);
  } finally {
    await Promise.all(hands.map((hand) => hand.end()));
  }
}

/** Waits without blocking until `condition` holds; fails after 10 seconds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
