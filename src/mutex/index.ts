// See README.md.

import { LockRank, MbumaError, optionalInteger, requireName, requireObject } from '../check/index.js';
import { auditMutexes, type Report } from './audit.js';
import type { MutexContext } from './context.js';
import { createHandOver } from './hand-over.js';
import { createHandles } from './handle.js';
import type { Mutex, MutexOptions } from './mutex.js';
import { createOrder, repairOrders } from './order.js';
import { MUTEX_RANK_MAX, type MutexRef, MutexRegistry } from './records.js';
import { createRegistry, repairRegistry } from './registry.js';
import { createWaits } from './waits.js';

export { planMutexes } from './context.js';
export type { LockAsyncOptions, Mutex, MutexOptions, UnlockToken } from './mutex.js';
export { Mutex as MutexRecord, MutexClass, MutexOrder, MutexRegistry, mutexesMax } from './records.js';

/** The mutexes of a memory, as one thread sees them. */
export interface Mutexes {
  /**
   * Makes the mutex, or finds the one of this name.
   *
   * @throws BAD_ARGUMENT; LAYOUT_MISMATCH when it exists with another class or rank; OUT_OF_MEMORY
   */
  mutex(name: string, options?: MutexOptions): Mutex;
  /** Reports every invariant that does not hold. */
  audit(report: Report): void;
  /** Before this thread gives its slot back: what it has is released, with the mark `ownerDied`. */
  detach(): void;
  /** After a thread's death, its locks having been taken over: it has no mutex and waits for none. */
  reap(slot: number): void;
}

export function createMutexes(context: MutexContext): Mutexes {
  const { machine, locks, threads } = context;
  const registry = createRegistry(context);
  const order = createOrder(context, registry);
  const handOver = createHandOver(context, registry);
  const waits = createWaits(context, handOver);
  const handles = createHandles(context, registry, order, handOver, waits);
  const lock = machine.area('mutex registry') + MutexRegistry.lock;
  locks.onTakeOver(lock, lock + 1, LockRank.REGISTRY, () => {
    repairRegistry(context, registry);
    repairOrders(context, order, registry.classes());
  });
  machine.witness.describe(
    LockRank.MUTEX,
    (word) => `inner lock of mutex ${registry.nameOf(word as MutexRef)}`,
  );
  let left = false;
  machine.onRewind(() => {
    left = false;
  });

  return {
    mutex(name, options = {}) {
      if (left) throw new MbumaError('DETACHED', 'this thread has detached from the memory');
      requireName(name, 'name');
      requireObject(options, 'options');
      const className = options.class === undefined ? name : requireName(options.class, 'class');
      const rank = optionalInteger(options.rank, 'rank', 1, MUTEX_RANK_MAX, 0);
      threads.assertHere();
      return handles.handleOf(registry.open(name, className, rank));
    },
    audit: (report) => auditMutexes(context, registry, order, report),
    detach() {
      if (left) return;
      waits.leave();
      handles.leave();
      left = true;
    },
    reap: handOver.reap,
  };
}
