/**
 * Reclaim handlers: what a thread gives back when the memory is low.
 *
 * They run in the order in which they were registered, each until what is wanted is free. What a handler
 * says it has freed is written down, and not believed: whoever runs them counts pages. They run in class
 * system, one at a time, and never one inside of another. After vm_lowmem of FreeBSD and the drain hooks of
 * pool(9).
 */

import { describeValue, MbumaError, requireFunction, requireName } from '../check/index.js';
import { type Machine, PAGE_SIZE } from '../machine/index.js';
import { PageClass } from './classes.js';

/**
 * Gives memory back. Told how many bytes are wanted; says how many it has freed, 0 for none.
 *
 * It runs in the middle of a call of its thread that lacks memory, or when that polls: it must not sleep,
 * and takes no lock that its thread may hold then.
 */
export type ReclaimHandler = (bytesWanted: number) => number;

/** What a handler has done in this thread. Plain data. */
export interface ReclaimHandlerStats {
  readonly name: string;
  readonly calls: number;
  /** Bytes that it said it had freed. */
  readonly bytesSaid: number;
  /** Pages that were free after it, and had not been before. */
  readonly pagesFreed: number;
  /** Calls that ended with an error, or with an answer that is no number of bytes. */
  readonly failures: number;
}

export interface LowMemory {
  /**
   * Registers a handler, as the last. @returns takes it out again. @throws BAD_ARGUMENT for a name that is
   * taken
   */
  register(name: string, handler: ReclaimHandler): () => void;
  /** Who is told of a handler that has failed. */
  onFailure(listener: (message: string) => void): void;
  /** Whether a handler is running. */
  isRunning(): boolean;
  /**
   * Runs the handlers until so many pages more are free. Nothing when one is running.
   *
   * @param settle makes free pages of what a handler has freed into caches
   * @returns pages that came free
   */
  relieve(pagesWanted: number, settle: () => void): number;
  /** Runs the handlers, once in an episode of low memory, until that is over. */
  poll(settle: () => void): void;
  /** What the handlers have done the last time: for a report. */
  lastRun(): string;
  stats(): ReclaimHandlerStats[];
}

interface Registered {
  readonly name: string;
  readonly handler: ReclaimHandler;
  calls: number;
  bytesSaid: number;
  pagesFreed: number;
  failures: number;
  /** In the last run; -1: it was not called. */
  lastSaid: number;
}

/** What it needs of the layer. */
export interface LowMemoryPages {
  freePages(): number;
  isLow(): boolean;
  episodes(): number;
  freeTarget(): number;
  reserved(): number;
  setClass(pageClass: PageClass): PageClass;
  age(pagesWanted: number): void;
}

export function createLowMemory(machine: Machine, pages: LowMemoryPages): LowMemory {
  const handlers: Registered[] = [];
  const listeners: ((message: string) => void)[] = [];
  let running = false;
  /** The episode in which this thread has run its handlers last. */
  let seen = 0;
  machine.onRewind(() => {
    running = false;
    seen = 0;
  });

  function fail(each: Registered, what: string): void {
    each.failures++;
    for (const listener of listeners) listener(`reclaim handler ${each.name} ${what}`);
  }

  function call(each: Registered, bytesWanted: number): void {
    each.calls++;
    each.lastSaid = 0;
    try {
      const said: unknown = each.handler(bytesWanted);
      if (typeof said === 'number' && said >= 0 && said < Number.POSITIVE_INFINITY) each.lastSaid = said;
      else if (said instanceof Promise) {
        // What becomes of it is nobody's to tell.
        said.catch(() => {});
        fail(each, 'answered a promise: it must not be async');
      } else fail(each, `answered ${describeValue(said)}`);
    } catch (error) {
      fail(each, `failed: ${error instanceof Error ? error.message : describeValue(error)}`);
    }
    each.bytesSaid += each.lastSaid;
  }

  function runEach(target: number, settle: () => void): void {
    for (const each of handlers) each.lastSaid = -1;
    // A handler may take itself out.
    for (const each of [...handlers]) {
      const before = pages.freePages();
      if (before >= target) return;
      call(each, (target - before) * PAGE_SIZE);
      settle();
      each.pagesFreed += Math.max(0, pages.freePages() - before);
    }
  }

  /** Runs handlers until so many pages are free. */
  function run(target: number, settle: () => void): void {
    running = true;
    seen = pages.episodes();
    const before = pages.setClass(PageClass.SYSTEM);
    try {
      runEach(target, settle);
    } finally {
      pages.setClass(before);
      running = false;
    }
  }

  return {
    register(givenName, handler) {
      const name = requireName(givenName, 'name');
      requireFunction(handler, 'handler');
      if (handlers.some((each) => each.name === name))
        throw new MbumaError('BAD_ARGUMENT', `there is a reclaim handler ${name} in this thread already`);
      const each: Registered = {
        name,
        handler,
        calls: 0,
        bytesSaid: 0,
        pagesFreed: 0,
        failures: 0,
        lastSaid: -1,
      };
      handlers.push(each);
      // The memory may be low already: it has not been asked.
      seen = 0;
      return () => {
        const at = handlers.indexOf(each);
        if (at >= 0) handlers.splice(at, 1);
      };
    },
    onFailure(listener) {
      listeners.push(listener);
    },
    isRunning: () => running,
    relieve(pagesWanted, settle) {
      if (running) return 0;
      const before = pages.freePages();
      pages.age(pagesWanted + pages.reserved());
      run(Math.max(before + pagesWanted, pages.freeTarget()), settle);
      return Math.max(0, pages.freePages() - before);
    },
    poll(settle) {
      if (handlers.length === 0 || pages.episodes() === seen || running) return;
      seen = pages.episodes();
      if (!pages.isLow()) return;
      pages.age(0);
      run(Math.max(1, pages.freeTarget()), settle);
    },
    lastRun() {
      if (handlers.length === 0) return 'this thread has no reclaim handlers';
      const said = handlers.map(({ name, lastSaid }) => {
        if (lastSaid < 0) return `${name} was not asked`;
        return lastSaid === 0 ? `${name} freed nothing` : `${name} said that it freed ${lastSaid} bytes`;
      });
      return `reclaim handlers of this thread: ${said.join(', ')}`;
    },
    stats: () =>
      handlers.map(({ name, calls, bytesSaid, pagesFreed, failures }) => ({
        name,
        calls,
        bytesSaid,
        pagesFreed,
        failures,
      })),
  };
}
