/** The audit of buckets, thread caches and zones: U5, U8 to U10, U12 and U13 of README.md. */

import { hex } from '../check/index.js';
import { PAGE_SHIFT, ThreadSlot, Waiter } from '../machine/index.js';
import { readText } from '../record/index.js';
import { countAt, Mark, type Walk } from './audit-slabs.js';
import { BUCKET_KEG, type UmaContext } from './context.js';
import type { Maps } from './diagnose.js';
import type { KegState } from './keg-state.js';
import {
  BUCKET_ITEMS,
  BUCKET_MASK,
  BUCKET_TAG,
  BUCKET_WORDS,
  CACHE_WORDS,
  EPOCH_BUCKET_ITEMS,
  GRANULE_SHIFT,
  KegFlag,
  ThreadCache,
  UmaState,
  ZONE_WORDS,
  Zone,
} from './records.js';

export function createBucketAudit(context: UmaContext, maps: Maps, dead: number): (walk: Walk) => void {
  const { machine, threads, hands } = context;
  const { words, owners, pageKegs } = maps;
  const { maxThreads, maxZones } = machine.layout.parameters;
  const zonesArea = machine.area('zones');
  const cachesArea = machine.area('thread caches');
  const waitersStart = threads.waiterRef(0, 0);
  const waitersEnd = threads.waiterRef(maxThreads + 1, 0);
  const waiterWords = threads.waiterRef(0, 1) - waitersStart;
  const read = (index: number): number => words[index] as number;

  function auditSlot(walk: Walk, keg: KegState, item: number, where: () => string): void {
    const { report } = walk;
    const granule = item >>> GRANULE_SHIFT;
    const mark = walk.marks[granule];
    const inKeg = item > 0 && item % 16 === 0 && pageKegs[item >>> PAGE_SHIFT] === keg.number;
    if (!inKeg || mark === Mark.NOWHERE) {
      report('U5', `${where()} holds ${hex(item)}, no item of keg ${keg.name}`);
      return;
    }
    if (mark !== Mark.OUT) report('U5', `${where()} holds ${hex(item)}, which is elsewhere too`);
    if (owners[granule] !== 0) report('U5', `${where()} holds ${hex(item)}, owned by ${owners[granule]}`);
    walk.marks[granule] = Mark.IN_BUCKET;
    walk.inBuckets[keg.number] = countAt(walk.inBuckets, keg.number) + 1;
  }

  /** One bucket: its items are marked, and counted for the keg. False: it is none, or was seen before. */
  function auditBucket(walk: Walk, keg: KegState, top: number, where: string, tagged = false): boolean {
    const bucket = top & ~BUCKET_MASK;
    const inUse = walk.marks[bucket >>> (GRANULE_SHIFT - 2)] === Mark.OUT;
    if (!inUse || pageKegs[bucket >>> (PAGE_SHIFT - 2)] !== BUCKET_KEG || walk.buckets.has(bucket)) {
      walk.report('U8', `${where} names ${top}: no bucket that is in use, or one that stands elsewhere too`);
      return false;
    }
    walk.buckets.add(bucket);
    if (tagged && (read(bucket + BUCKET_TAG) & 1) === 0)
      walk.report('U17', `${where}: bucket ${bucket} has the tag ${read(bucket + BUCKET_TAG)}`);
    for (let at = bucket + 1; at <= bucket + (tagged ? EPOCH_BUCKET_ITEMS : BUCKET_ITEMS); at++) {
      const slot = (): string => `${where}: slot ${at - bucket} of bucket ${bucket}`;
      if (at <= top) auditSlot(walk, keg, read(at), slot);
      else if (read(at) !== 0) walk.report('U10', `${slot()}, above the top, holds ${hex(read(at))}`);
    }
    return true;
  }

  function auditBucketList(
    walk: Walk,
    keg: KegState,
    head: number,
    where: string,
    tagged = false,
  ): { count: number; items: number; last: number } {
    let count = 0;
    let items = 0;
    let last = 0;
    for (let top = read(head); top !== 0; top = read(top & ~BUCKET_MASK)) {
      if (!auditBucket(walk, keg, top, where, tagged)) break;
      last = top & ~BUCKET_MASK;
      items += top & BUCKET_MASK;
      count++;
    }
    return { count, items, last };
  }

  function auditLists(walk: Walk, keg: KegState, record: number, name: string): void {
    const field = (offset: number): number => read(record + offset);
    const full = auditBucketList(walk, keg, record + Zone.fullTop, `full list of zone ${name}`);
    if (full.count !== field(Zone.fullCount) || full.items !== field(Zone.cachedItems)) {
      const counted = `${field(Zone.cachedItems)} items in ${field(Zone.fullCount)} buckets`;
      walk.report('U8', `zone ${name} counts ${counted}, there are ${full.items} in ${full.count}`);
    }
    const empty = auditBucketList(walk, keg, record + Zone.emptyTop, `empty list of zone ${name}`);
    if (empty.count !== field(Zone.emptyCount) || empty.items !== 0) {
      const counted = `${field(Zone.emptyCount)} empty buckets`;
      walk.report('U8', `zone ${name} counts ${counted}, there are ${empty.count} of ${empty.items} items`);
    }
  }

  function auditDeferred(walk: Walk, keg: KegState, record: number, name: string): void {
    const field = (offset: number): number => read(record + offset);
    const where = `deferred list of zone ${name}`;
    const found = auditBucketList(walk, keg, record + Zone.deferredTop, where, true);
    if (found.count !== field(Zone.deferredBuckets) || found.items !== field(Zone.deferredItems))
      walk.report('U17', `${where}: ${found.items} items in ${found.count} buckets, others are counted`);
    if (found.last !== field(Zone.deferredLast))
      walk.report('U17', `${where}: the last is ${found.last}, not ${field(Zone.deferredLast)}`);
  }

  function auditCache(walk: Walk, keg: KegState, cache: number, waiters: number, where: string): void {
    const { report } = walk;
    const freeLimit = read(cache + ThreadCache.freeLimit);
    for (const word of [ThreadCache.top, ThreadCache.spare]) {
      if (read(cache + word) !== dead) auditBucket(walk, keg, read(cache + word), where);
    }
    const isEpoch = (keg.flags & KegFlag.EPOCH) !== 0;
    if (read(cache + (isEpoch ? ThreadCache.spare : ThreadCache.top)) === dead && freeLimit !== 0)
      report('U9', `${where} takes frees into the dead bucket`);
    const open = read(cache + ThreadCache.open);
    if (open !== 0 && open !== 1) report('U9', `${where} says ${open} of whether it is open`);
    const isEmpty = read(cache + ThreadCache.top) === dead && read(cache + ThreadCache.spare) === dead;
    if (open === 0 && !isEmpty)
      report('U9', `${where} holds buckets, and the thread has not opened the zone`);
    if (freeLimit < 0 || freeLimit > BUCKET_ITEMS)
      report('U9', `${where} takes frees up to ${freeLimit} items`);
    if (waiters !== 0 && freeLimit !== 0) report('U9', `${where} takes frees, and ${waiters} callers wait`);
  }

  function auditLine(walk: Walk, record: number, name: string): void {
    const queue = record + Zone.waitHead;
    let count = 0;
    let previous = 0;
    for (let waiter = read(queue); waiter !== 0; waiter = read(waiter + Waiter.next)) {
      const inArea = waiter >= waitersStart && waiter < waitersEnd;
      const isWaiter = inArea && (waiter - waitersStart) % waiterWords === 0;
      if (!isWaiter || read(waiter + Waiter.queue) !== queue || read(waiter + Waiter.previous) !== previous) {
        walk.report('U13', `the line of zone ${name} runs astray at ${waiter}`);
        return;
      }
      previous = waiter;
      // Each has one previous: a ring could not have come from the head.
      count++;
    }
    if (read(record + Zone.waitTail) !== previous || read(record + Zone.waitCount) !== count)
      walk.report(
        'U13',
        `zone ${name} counts ${read(record + Zone.waitCount)} waiters, ${count} stand in line`,
      );
  }

  function auditZone(walk: Walk, number: number): void {
    const record = zonesArea + number * ZONE_WORDS;
    const field = (offset: number): number => read(record + offset);
    const name = readText(words, record + Zone.name, 12);
    const keg = walk.kegs.find((each) => each.number === field(Zone.keg));
    if (keg === undefined || field(Zone.limit) < 0) {
      walk.report('U12', `zone ${name}, number ${number}, is on keg ${field(Zone.keg)}`);
      return;
    }
    const capacity = field(Zone.bucketCapacity);
    const most = field(Zone.capacityMax);
    if (most < 1 || most > BUCKET_ITEMS || capacity < 1 || capacity > most)
      walk.report('U12', `zone ${name} fills buckets with ${capacity} items, ${most} at most`);
    auditLists(walk, keg, record, name);
    auditDeferred(walk, keg, record, name);
    for (let slot = 1; slot <= maxThreads; slot++) {
      if (!threads.isLive(slot)) continue;
      const cache = cachesArea + (slot * (maxZones + 1) + number) * CACHE_WORDS;
      auditCache(walk, keg, cache, field(Zone.waitCount), `cache of thread ${slot} for zone ${name}`);
    }
    auditLine(walk, record, name);
    walk.itemsOut[keg.number] = countAt(walk.itemsOut, keg.number) + field(Zone.itemsOut);
  }

  return (walk) => {
    const count = read(machine.area('uma') + UmaState.zoneCount);
    if (count < 0 || count > maxZones)
      walk.report('U12', `${count} zones are counted, of at most ${maxZones}`);
    // A hole, and a zone with a wrong number: see audit-records.ts.
    for (let number = 1; number <= Math.min(count, maxZones); number++)
      if (read(zonesArea + number * ZONE_WORDS + Zone.number) === number) auditZone(walk, number);
    for (let slot = 1; slot <= maxThreads; slot++) {
      const open = hands.ofSlot(slot).length;
      const intent = read(threads.slotRef(slot) + ThreadSlot.intent);
      if (open !== 0 || intent !== 0) {
        walk.report('U9', `thread ${slot} has ${open} things in hand, and is in the middle of ${intent}`);
      }
    }
    if (words.subarray(dead, dead + BUCKET_WORDS).some((word) => word !== 0))
      walk.report('U9', 'the dead bucket is not empty');
  };
}
