/** What this thread has asked others for, counted: who has not answered yet. */

import type { Attachment, ThreadName } from '../machine/index.js';

export interface Asking {
  /** Asks every other thread, counted: bits of Attention. Who was asked. */
  askOthers(attention: number): ThreadName[];
  /** Threads that live, and have not answered what this one has asked. */
  overdue(): ThreadName[];
}

export function createAsking({ machine, threads }: Attachment): Asking {
  /** The last request to each slot, until it is answered. */
  const requests = new Map<number, { readonly thread: ThreadName; readonly request: number }>();
  machine.onRewind(() => requests.clear());

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
  };
}
