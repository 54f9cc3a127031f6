/**
 * Queues of used runs that may be taken: who holds them can do without. Under the layer's lock.
 *
 * The word `queue` of a run's first page is the truth; lists and counts follow from it.
 */

import { damaged } from '../check/index.js';
import type { Machine } from '../machine/index.js';
import { Page, PageQueue, Phys } from './records.js';

/** Tickets count up to this and start again from 1. */
const TICKET_MAX = 0x7fffffff;

export interface Queues {
  /** The run whose first page has this record becomes the youngest of a queue; its ticket, which is not 0. */
  add(record: number, queue: PageQueue): number;
  /** Takes the run out of the queue that it is in, if it is in one. */
  remove(record: number): void;
  /** Record of the oldest run of a queue; 0: it is empty. */
  oldest(queue: PageQueue): number;
  /** Pages of all runs of a queue: exact under the lock, a hint without it. */
  pagesIn(queue: PageQueue): number;
  /**
   * Moves the oldest inactive runs to the cache queue until that has `wanted` pages or its threshold,
   * whichever is more, and the oldest active ones to the inactive queue until its target is met.
   */
  age(wanted: number): void;
  /** Forgets all lists and counts. */
  clear(): void;
  /** Puts a run whose word says that it is in a queue into the list of that. */
  relink(record: number): void;
}

export function createQueues(machine: Machine): Queues {
  const { words } = machine;
  const { queue: QUEUE, queueNext: NEXT, queuePrevious: PREVIOUS, ticket: TICKET, length: LENGTH } = Page;
  const phys = machine.area('phys');
  const HEADS = phys + Phys.queueHeads;
  const TAILS = phys + Phys.queueTails;
  const PAGES = phys + Phys.queuePages;
  const LAST_TICKET = phys + Phys.lastTicket;
  const { NONE, ACTIVE, INACTIVE, CACHE } = PageQueue;

  const read = (index: number): number => words[index] as number;

  function link(record: number, queue: number): void {
    const last = read(TAILS + queue);
    words[record + NEXT] = 0;
    words[record + PREVIOUS] = last;
    words[last === 0 ? HEADS + queue : last + NEXT] = record;
    words[TAILS + queue] = record;
    words[PAGES + queue] = read(PAGES + queue) + read(record + LENGTH);
  }

  function unlink(record: number, queue: number): void {
    const next = read(record + NEXT);
    const previous = read(record + PREVIOUS);
    words[previous === 0 ? HEADS + queue : previous + NEXT] = next;
    words[next === 0 ? TAILS + queue : next + PREVIOUS] = previous;
    words[PAGES + queue] = read(PAGES + queue) - read(record + LENGTH);
    words[record + NEXT] = 0;
    words[record + PREVIOUS] = 0;
  }

  /** From the end of one queue to the other's; the ticket stays. */
  function moveOldest(from: PageQueue, to: PageQueue): void {
    const record = read(HEADS + from);
    // Each that is moved must add pages to the other queue, or ageing would have no end.
    if (!(read(record + LENGTH) > 0)) throw damaged(`a queue of runs begins at ${record}`);
    unlink(record, from);
    words[record + QUEUE] = to;
    link(record, to);
  }

  const pagesIn = (queue: PageQueue): number => read(PAGES + queue);

  return {
    add(record, queue) {
      const ticket = (read(LAST_TICKET) % TICKET_MAX) + 1;
      words[LAST_TICKET] = ticket;
      words[record + TICKET] = ticket;
      words[record + QUEUE] = queue; // from here on it may be taken
      link(record, queue);
      return ticket;
    },
    remove(record) {
      const queue = read(record + QUEUE);
      if (queue === NONE) return;
      unlink(record, queue);
      words[record + QUEUE] = NONE;
      words[record + TICKET] = 0;
    },
    oldest: (queue) => read(HEADS + queue),
    pagesIn,
    age(wanted) {
      const cached = Math.max(wanted, read(phys + Phys.cacheMin));
      const inactive = Math.max(cached, read(phys + Phys.inactiveTarget));
      while (pagesIn(INACTIVE) + pagesIn(CACHE) < inactive && read(HEADS + ACTIVE) !== 0)
        moveOldest(ACTIVE, INACTIVE);
      while (pagesIn(CACHE) < cached && read(HEADS + INACTIVE) !== 0) moveOldest(INACTIVE, CACHE);
    },
    clear() {
      words.fill(0, HEADS, phys + Phys.line);
    },
    relink(record) {
      link(record, read(record + QUEUE));
    },
  };
}
