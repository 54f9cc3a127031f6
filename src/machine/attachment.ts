/** A thread's attachment to a memory, as all layers above know it: one object that they hand on. */

import { createEpochs, type Epochs } from './epochs.js';
import { createHands, type Hands } from './hands.js';
import { createIntents, type Intents } from './intents.js';
import { createLocks, type Locks } from './locks.js';
import type { Machine } from './machine.js';
import { createSites, type Sites } from './sites.js';
import { attachThread, type NativeThreads, type Threads } from './threads.js';
import { createSettings, type Settings } from './tunables.js';
import { createWaiting, type Waiting } from './waiting.js';

export interface Attachment {
  readonly machine: Machine;
  readonly threads: Threads;
  readonly locks: Locks;
  readonly waiting: Waiting;
  readonly hands: Hands;
  readonly intents: Intents;
  readonly settings: Settings;
  readonly sites: Sites;
  readonly epochs: Epochs;
}

/**
 * Claims a slot and makes what belongs to it.
 *
 * @param agent number by which an adopter knows this thread; not 0
 * @param native what the operating system knows of threads, if it can be asked
 */
export function createAttachment(
  machine: Machine,
  agent?: number,
  native: NativeThreads | null = null,
): Attachment {
  const threads = attachThread(machine, agent, native);
  const locks = createLocks(machine, threads);
  const waiting = createWaiting(machine, threads);
  const hands = createHands(machine, threads);
  const intents = createIntents(machine, threads, waiting);
  const settings = createSettings(machine);
  const sites = createSites(machine, locks);
  const epochs = createEpochs(machine, threads);
  return { machine, threads, locks, waiting, hands, intents, settings, sites, epochs };
}
