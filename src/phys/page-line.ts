/**
 * The line of those who wait for runs of pages. Nobody is granted anything: the first looks, when pages
 * come free, and when it leaves the next is told. So a long run is not passed by the short ones that come
 * after it.
 */

import { LockRank } from '../check/index.js';
import type { Attachment, WaiterRef } from '../machine/index.js';
import { Phys } from './records.js';

export interface PageLine {
  /** Stands in line, as the last. */
  enter(waiter: WaiterRef): void;
  /** Leaves the line, if it stands in it; who is the first then is woken. */
  leave(waiter: WaiterRef): void;
  /** A hint, but for the waiter itself. */
  isFirst(waiter: WaiterRef): boolean;
  /** A dead thread waits for nothing. */
  reap(slot: number): void;
  /** The lock has been taken over from a dead thread. */
  repairLocked(): void;
}

export function createPageLine({ machine, locks, waiting }: Attachment): PageLine {
  const phys = machine.area('phys');
  const lock = phys + Phys.lock;
  const queue = phys + Phys.line;

  /** Changes the line; who is the first then, and was not, is woken. */
  function change(work: () => void): void {
    let next: WaiterRef | 0 = 0;
    locks.acquire(lock, LockRank.PAGES);
    try {
      const before = waiting.first(queue);
      work();
      const first = waiting.first(queue);
      if (first !== before) next = first;
    } finally {
      locks.release(lock);
    }
    if (next !== 0) waiting.ring(next);
  }

  return {
    enter(waiter) {
      change(() => waiting.enqueue(queue, waiter, 0));
    },
    leave(waiter) {
      change(() => {
        if (waiting.isInLine(waiter)) waiting.remove(queue, waiter);
      });
    },
    isFirst: (waiter) => waiting.isFirst(queue, waiter),
    reap(slot) {
      change(() => waiting.removeAllOf(queue, slot));
    },
    repairLocked() {
      waiting.rebuildLine(queue);
    },
  };
}
