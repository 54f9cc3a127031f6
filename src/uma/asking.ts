/** What this thread has asked others for, counted: who has not answered yet, and how much is wanted. */

import { type Attachment, type ThreadName, ThreadSlot } from '../machine/index.js';

export interface Asking {
  /** Asks every other thread, counted: bits of Attention. Who was asked. */
  askOthers(attention: number): ThreadName[];
  /** Threads that live, and have not answered what this one has asked. */
  overdue(): ThreadName[];
  /** Says how many pages in one piece this thread lacks, to whom it asks; 0: none. */
  sayWanted(pagesWanted: number): void;
  /** Most pages that another thread lacks, as far as it has said. */
  wantedByOthers(): number;
}

export function createAsking({ machine, threads }: Attachment): Asking {
  /** The last request to each slot, until it is answered. */
  const requests = new Map<number, { readonly thread: ThreadName; readonly request: number }>();
  machine.onRewind(() => requests.clear());
  const { load, store } = machine.atomics;
  const WANTED = threads.self + ThreadSlot.wanted;

  return {
    askOthers(attention) {
      const asked: ThreadName[] = [];
      for (let slot = 1; slot <= threads.maxThreads; slot++) {
        if (slot === threads.slot || !threads.isLive(slot)) continue;
        const thread = threads.nameOf(slot);
        requests.set(slot, { thread, request: threads.askCounted(slot, attention) });
        asked.push(thread);
      }
      return asked;
    },
    overdue() {
      for (const [slot, { thread, request }] of requests) {
        const gone = !threads.lives(slot, thread.generation);
        if (gone || threads.hasAnswered(slot, request)) requests.delete(slot);
      }
      return [...requests.values()].map(({ thread }) => thread);
    },
    sayWanted(pagesWanted) {
      // An asynchronous call may end after this thread has detached: the slot may be another's then.
      if (threads.lives(threads.slot, threads.generation)) store(WANTED, pagesWanted);
    },
    wantedByOthers() {
      let most = 0;
      for (let slot = 1; slot <= threads.maxThreads; slot++)
        if (slot !== threads.slot && threads.isLive(slot))
          most = Math.max(most, load(threads.slotRef(slot) + ThreadSlot.wanted));
      return most;
    },
  };
}
