/**
 * After a death: takes a dead thread out of every layer, from the lowest upwards.
 *
 *   1 the locks of the dead are taken over; with each, what it guards is repaired, by the layer that it
 * belongs to
 *   2 its calls leave their lines, its mutexes go to the next, what it had in hand goes back, its caches are
 * drained
 *   3 the items that it owned are freed, or stay, as their zones say; not those on their way through a ring
 *   4 its slot is free again
 *
 * Any thread may do it, one does. Should that one die as well, the next begins again: every step may be
 * done twice.
 */

import type { Attachment } from './machine/index.js';
import { HookErrors, type OwnedItems, type Uma } from './uma/index.js';

/** A thread that has died, and what became of the items that it owned. Plain data. */
export interface Reaped {
  /** Its slot: what the owner bytes said. */
  readonly thread: number;
  /** Zones in which it owned items. */
  readonly items: readonly OwnedItems[];
  /** What hooks and free functions threw meanwhile. Nothing was left undone for it. */
  readonly errors: readonly unknown[];
}

export type ReapListener = (reaped: Reaped) => void;

export interface Reaping {
  /** Cleans up after every thread that has been declared dead, and that nobody else cleans up after. */
  reap(): Reaped[];
  onReaped(listener: ReapListener): void;
}

/**
 * @param leaveLines takes a dead thread out of the lines of every layer but uma
 * @param inTransit items on their way from one thread to another, by keg
 * @param prepare makes this thread know every layer that the memory has something of
 */
export function createReaping(
  attachment: Attachment,
  uma: Uma,
  leaveLines: readonly ((slot: number) => void)[],
  inTransit: () => Map<number, Set<number>>,
  prepare: () => void,
): Reaping {
  const { machine, threads, locks } = attachment;
  const listeners: ReapListener[] = [];
  let reaping = false;
  let done: Reaped[] = [];
  machine.onRewind(() => {
    reaping = false;
    done = [];
  });

  function reapOne(slot: number): Reaped {
    const errors = new HookErrors();
    // Of all the dead: one of them may have been cleaning up here, and may have begun a change of what is
    // here.
    for (let each = 1; each <= threads.maxThreads; each++) if (threads.isDead(each)) locks.takeOverAll(each);
    for (const leave of leaveLines) leave(slot);
    const items = uma.reaper.reap(slot, errors, inTransit());
    threads.finishReap(slot);
    return { thread: slot, items, errors: errors.all };
  }

  function reapAll(): void {
    for (let slot = threads.claimDead(); slot !== 0; slot = threads.claimDead()) done.push(reapOne(slot));
  }

  function reap(): Reaped[] {
    // What it does takes slow paths, which look whether somebody has died.
    if (reaping || locks.holdsAny()) return [];
    reaping = true;
    try {
      prepare();
      reapAll();
    } finally {
      reaping = false;
    }
    const reaped = done;
    done = [];
    for (const each of reaped) for (const listener of listeners) listener(each);
    return reaped;
  }

  threads.onDeath(reap);
  threads.onCleanUp(() => {
    if (reaping) reapAll();
    else reap();
  });
  return {
    reap,
    onReaped(listener) {
      listeners.push(listener);
    },
  };
}
