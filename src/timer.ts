/**
 * The periodic timer of a thread: answers what others ask of it while it has nothing to do, and ends a period
 * of the zones that it has opened. It keeps neither the process nor the memory alive.
 *
 * uma(9) has one for the whole system, every 20 seconds. Here each thread has its own, for only a thread can
 * empty its caches; whichever comes first ends a zone's period.
 */

import { MbumaError } from './check/index.js';
import { pause } from './platform.js';

/** What is done each time. */
export interface Pulse {
  /** Milliseconds until the next time; 0: the timer is off, and looks again after a while. */
  period(): number;
  beat(): void;
  /** Told what went wrong: there is no caller to tell. */
  failed(error: unknown): void;
}

/** How often a timer that is off looks whether it is on again. */
const OFF_MS = 1000;

/** Milliseconds to the next time; -1: there is no next time. */
function beatOnce(reference: WeakRef<Pulse>): number {
  const pulse = reference.deref();
  if (pulse === undefined) return -1;
  try {
    if (pulse.period() !== 0) pulse.beat();
  } catch (error) {
    const isOver = error instanceof MbumaError && (error.code === 'DETACHED' || error.code === 'GIVEN_UP');
    if (isOver) return -1;
    pulse.failed(error);
  }
  return pulse.period() || OFF_MS;
}

async function run(reference: WeakRef<Pulse>, first: number): Promise<void> {
  // Nothing here names the pulse between two times: else it would never be collected.
  for (let delay = first; delay >= 0; delay = beatOnce(reference)) await pause(delay);
}

/** Starts the timer. It stops when the pulse is gone, or says that the thread has left the memory. */
export function startTimer(pulse: Pulse): void {
  void run(new WeakRef(pulse), pulse.period() || OFF_MS);
}
