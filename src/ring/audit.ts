/**
 * The audit of rings: each invariant of README.md by its number.
 *
 * Each end is looked at under its lock, so a finding is a finding while other threads work, too. R6 and R7
 * speak of both ends: what they find may be a hand-over that is under way, and counts only when it lasts.
 */

import { LockRank } from '../check/index.js';
import { createLineAudit, PAGE_SHIFT, PAGE_WORDS, WaitQueue } from '../machine/index.js';
import { isPowerOfTwo, isZero, unsoundFields } from '../record/index.js';
import type { RingContext } from './context.js';
import { RINGS_MAX, Ring, type RingRef, RingRegistry, RingState } from './records.js';
import type { Registry } from './registry.js';
import { pagesForCapacity } from './registry.js';

/** Takes one finding: the rule's number, and where and how it is broken. */
export type Report = (rule: string, message: string) => void;

/** How long a hand-over may be under way before it is a finding. */
const HAND_OVER_MS = 200;

export function auditRings(context: RingContext, registry: Registry, report: Report): void {
  const { machine, pages } = context;
  const { auditLine, underLock } = createLineAudit(context);
  const { words, atomics, now } = machine;
  const { load } = atomics;

  /** R5: whether what was written when the ring was made is sound; if not, nothing else is looked at. */
  function recordIsSound(ring: RingRef, tell: Report): boolean {
    const capacity = words[ring + Ring.capacity] as number;
    const slots = words[ring + Ring.slots] as number;
    const slotCount = (words[ring + Ring.mask] as number) + 1;
    const page = slots >>> (PAGE_SHIFT - 2);
    if (load(ring + Ring.state) !== RingState.OPEN) tell('R5', `state is ${load(ring + Ring.state)}`);
    else if (
      !isPowerOfTwo(slotCount) ||
      capacity < 1 ||
      slotCount !== pagesForCapacity(capacity) * PAGE_WORDS
    ) {
      tell('R5', `${slotCount} slots for a capacity of ${capacity}`);
    } else if (slots % PAGE_WORDS !== 0 || page < pages.firstPage || slots + slotCount > words.length) {
      tell('R5', `slots at word ${slots}`);
    } else {
      const strange = findForeignPage(ring, page, slotCount / PAGE_WORDS);
      if (strange === 0) return true;
      tell('R5', `page ${strange} of its slots belongs to ${pages.objectOf(strange)}, not to it`);
    }
    return false;
  }

  function findForeignPage(ring: RingRef, first: number, count: number): number {
    for (let page = first; page < first + count; page++) if (pages.objectOf(page) !== ring) return page;
    return 0;
  }

  /** R3 and R4: the line of one end, and what is published of it. */
  function auditQueue(ring: RingRef, queue: number, waiting: number, tell: Report): void {
    const count = words[queue + WaitQueue.count] as number;
    auditLine(queue, 'R3', (rule, message) => tell(rule, `at ${queue - ring}: ${message}`));
    if (load(waiting) !== count) tell('R4', `${load(waiting)} waiters are published, ${count} stand in line`);
  }

  function auditTakeEnd(ring: RingRef, tell: Report): void {
    const capacity = words[ring + Ring.capacity] as number;
    const slots = words[ring + Ring.slots] as number;
    const mask = words[ring + Ring.mask] as number;
    const head = load(ring + Ring.head);
    const length = (load(ring + Ring.tail) - head) | 0;
    const known = ((words[ring + Ring.takeLimit] as number) - head) | 0;
    auditQueue(ring, ring + Ring.takers, ring + Ring.takersWaiting, tell);
    if (length < 0 || length > capacity) {
      tell('R1', `${length} words in a ring of ${capacity}`);
      return;
    }
    if (known < 0 || known > length) tell('R8', `takers count on ${known} words of ${length}`);
    for (let index = 0; index < length; index++) {
      if (words[slots + ((head + index) & mask)] === 0) tell('R2', `word ${(head + index) >>> 0} is 0`);
    }
  }

  function auditPutEnd(ring: RingRef, tell: Report): void {
    const capacity = words[ring + Ring.capacity] as number;
    const tail = load(ring + Ring.tail);
    const known = ((words[ring + Ring.putLimit] as number) - tail) | 0;
    const closed = load(ring + Ring.closed);
    auditQueue(ring, ring + Ring.putters, ring + Ring.puttersWaiting, tell);
    const room = (load(ring + Ring.head) + capacity - tail) | 0;
    if (known < 0 || known > Math.max(room, 0)) tell('R8', `putters count on ${known} free slots of ${room}`);
    if (closed !== 0 && closed !== 1) tell('R7', `closed is ${closed}`);
    else if (closed === 1 && known !== 0) tell('R7', `closed, and still ${known} slots are to be had`);
  }

  /** A sentence when somebody waits for what is there. */
  function findNeglected(ring: RingRef): string {
    const capacity = words[ring + Ring.capacity] as number;
    const head = load(ring + Ring.head);
    const length = (load(ring + Ring.tail) - head) | 0;
    const closed = load(ring + Ring.closed) !== 0;
    if (load(ring + Ring.takersWaiting) !== 0 && (length > 0 || closed))
      return `takers wait, and there are ${length} words`;
    if (load(ring + Ring.puttersWaiting) !== 0 && (length < capacity || closed))
      return `putters wait, and there is room`;
    return '';
  }

  function auditNeglect(ring: RingRef, tell: Report): void {
    const deadline = now() + HAND_OVER_MS;
    let finding = findNeglected(ring);
    while (finding !== '' && now() < deadline) finding = findNeglected(ring);
    if (finding !== '') tell('R6', finding);
  }

  /** R11: what nothing uses is 0. */
  function auditUnused(rings: number): void {
    const sound = unsoundFields(words, machine.floats, RingRegistry, table).length === 0;
    if (!sound || !isZero(words, registry.at(rings), registry.at(RINGS_MAX)))
      report('R11', 'records of rings that are not there are not all 0');
  }

  const table = machine.area('rings');
  const rings = registry.count();
  if (rings < 0 || rings > RINGS_MAX) {
    report('R9', `${rings} rings, and there can be ${RINGS_MAX}`);
    return;
  }
  underLock(table + RingRegistry.lock, LockRank.REGISTRY, 'R10', report, () => auditUnused(registry.count()));
  const names = new Set<string>();
  for (let index = 0; index < rings; index++) {
    const ring = registry.at(index);
    const name = registry.nameOf(ring);
    const tell: Report = (rule, message) => report(rule, `ring ${name}: ${message}`);
    if (name === '' || names.has(name)) tell('R9', `ring ${index} has no name of its own`);
    names.add(name);
    for (const field of unsoundFields(words, machine.floats, Ring, ring))
      tell('R11', `its ${field} is unsound`);
    if (!recordIsSound(ring, tell)) continue;
    underLock(ring + Ring.takeLock, LockRank.RING, 'R10', tell, () => auditTakeEnd(ring, tell));
    underLock(ring + Ring.putLock, LockRank.RING, 'R10', tell, () => auditPutEnd(ring, tell));
    auditNeglect(ring, tell);
  }
}
