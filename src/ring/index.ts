// See README.md.

import { MbumaError, requireInteger, requireName, requireObject } from '../check/index.js';
import { createAsyncLine } from './async-line.js';
import { auditRings, type Report } from './audit.js';
import type { RingContext } from './context.js';
import { createHandOver } from './hand-over.js';
import { createRingHandle } from './handle.js';
import { createLine } from './line.js';
import { RING_CAPACITY_MAX, type RingRef } from './records.js';
import { createRegistry } from './registry.js';
import { createRepair } from './repair.js';
import type { Ring } from './ring.js';
import { createRingWords } from './words.js';

export { planRings, type RingContext } from './context.js';
export { RING_CAPACITY_MAX, RINGS_MAX, Ring as RingRecord, RingIntent, RingRegistry } from './records.js';
export type { Ring, RingWaitOptions } from './ring.js';

export interface RingOptions {
  /** 1 to 47 printable ASCII characters; every thread finds the ring by it. */
  readonly name: string;
  /** Words that it holds at most: 1 to 2^28. */
  readonly capacity: number;
}

/** The rings of a memory, as one thread sees them. */
export interface Rings {
  /**
   * Makes the ring, or finds the one of this name.
   *
   * @throws BAD_ARGUMENT, LAYOUT_MISMATCH when it exists with another capacity, OUT_OF_MEMORY
   */
  ring(options: RingOptions): Ring;
  /** Reports every invariant that does not hold. */
  audit(report: Report): void;
  /** Before this thread gives its slot back: its asynchronous waits end with DETACHED, its handles refuse. */
  detach(): void;
  /** After a thread's death: finishes what it was in the middle of, releases its locks, clears its places. */
  repair(slot: number): void;
}

export function createRings(context: RingContext): Rings {
  const registry = createRegistry(context);
  const handOver = createHandOver(context);
  const ringWords = createRingWords(context, handOver);
  const line = createLine(context, handOver);
  const asyncLine = createAsyncLine(context, line);
  const { repair } = createRepair(context, registry, handOver);
  const handles = new Map<RingRef, Ring>();
  const attachment = { here: true };
  context.machine.onRewind(() => {
    attachment.here = true;
  });
  const parts = { context, handOver, ringWords, line, asyncLine, attachment };

  function detachedError(): MbumaError {
    return new MbumaError('DETACHED', 'this thread has detached from the memory');
  }

  return {
    ring(options) {
      if (!attachment.here) throw detachedError();
      requireObject(options, 'options');
      const name = requireName(options.name, 'name');
      const capacity = requireInteger(options.capacity, 'capacity', 1, RING_CAPACITY_MAX);
      const ref = registry.open(name, capacity);
      let handle = handles.get(ref);
      if (handle === undefined) {
        handle = createRingHandle(parts, ref, name);
        handles.set(ref, handle);
      }
      return handle;
    },
    audit: (report) => auditRings(context, registry, report),
    detach() {
      if (!attachment.here) return;
      asyncLine.cancelAll(detachedError());
      attachment.here = false;
    },
    repair,
  };
}
