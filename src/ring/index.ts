// See README.md.

import { LockRank, MbumaError, requireInteger, requireName, requireObject } from '../check/index.js';
import type { Branch } from '../sysctl/index.js';
import { createAsyncLine } from './async-line.js';
import { auditRings, type Report } from './audit.js';
import { type Carry, createCarrying } from './carrying.js';
import type { RingContext } from './context.js';
import { createHandOver } from './hand-over.js';
import { createRingHandle } from './handle.js';
import { ringBranches } from './leaves.js';
import { createLine } from './line.js';
import { RING_CAPACITY_MAX, RING_WORDS, Ring as RingRecord, type RingRef } from './records.js';
import { createRegistry, type Obtain } from './registry.js';
import { createRepair } from './repair.js';
import type { Ring } from './ring.js';
import { createRingWords } from './words.js';

export { planRings, type RingContext } from './context.js';
export { RING_CAPACITY_MAX, RINGS_MAX, Ring as RingRecord, RingRegistry } from './records.js';
export type { Ring, RingWaitOptions } from './ring.js';

/** Kegs have numbers up to this. */
const KEGS_MAX = 0xffff;

export interface RingOptions {
  /** 1 to 47 printable ASCII characters; every thread finds the ring by it. */
  readonly name: string;
  /** Words that it holds at most: 1 to 2^28. */
  readonly capacity: number;
  /**
   * The zone (or `memory.mbufs`) whose items it carries: what is taken belongs to its taker, and dies with
   * it; what is in the ring dies with nobody. Without it a ring is for words that own nothing.
   */
  readonly carries?: { readonly keg: number } | undefined;
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
  /** After a thread's death, its locks having been taken over: its calls leave the lines they wait in. */
  leaveLines(slot: number): void;
  /** Rings in the tree of tunables and figures. */
  branches(): readonly Branch[];
  /** Name of a ring that carries items of this keg; '' when none does. */
  carrierOf(keg: number): string;
  /** The words in rings that carry items, by keg. */
  inTransit(): Map<number, Set<number>>;
}

/**
 * @param carryItem makes an item its taker's
 * @param obtain gets pages back for the slots of a new ring
 */
export function createRings(context: RingContext, carryItem: Carry = () => {}, obtain?: Obtain): Rings {
  const registry = createRegistry(context, obtain);
  const handOver = createHandOver(context);
  const carrying = createCarrying(context, registry, carryItem);
  const ringWords = createRingWords(context, handOver, carrying);
  const line = createLine(context, handOver, carrying);
  const asyncLine = createAsyncLine(context, line);
  const { leaveLines } = createRepair(context, registry, handOver);
  const handles = new Map<RingRef, Ring>();
  const attachment = { here: true };
  context.machine.onRewind(() => {
    attachment.here = true;
  });
  context.machine.witness.describe(LockRank.RING, (lock) => {
    const place = Math.floor((lock - registry.at(0)) / RING_WORDS);
    return `lock of ring ${registry.nameOf(registry.at(place))}`;
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
      const { carries } = options;
      if (carries !== undefined) requireObject(carries, 'carries');
      const keg = carries === undefined ? 0 : requireInteger(carries.keg, 'carries.keg', 1, KEGS_MAX);
      const ref = registry.open(name, capacity, keg);
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
    leaveLines(slot) {
      carrying.carryGifts(slot);
      leaveLines(slot);
    },
    branches: () => ringBranches(context, registry),
    carrierOf(keg) {
      for (let index = 0; index < registry.count(); index++) {
        const ring = registry.at(index);
        if (context.machine.words[ring + RingRecord.keg] === keg) return registry.nameOf(ring);
      }
      return '';
    },
    inTransit: carrying.inTransit,
  };
}
