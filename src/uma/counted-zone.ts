/**
 * Zones whose items have reference counters: `hold`, `drop`, and what a zone does besides.
 *
 * A class of its own, which shares no function with that of plain zones: V8 compiles each for one shape, and
 * a zone without counters pays nothing. Whatever is not hot is asked of a plain zone behind it that shows
 * a dead cache, so that all of it takes the slow way.
 *
 * The order of the stores: an allocation counts last, a free discounts first and is owned by this thread
 * then. So an item that is owned and has no count was being allocated or freed by who owns it, and an item in
 * a bucket or a slab never has one.
 */

import { CheckLevel, damaged, hex, MbumaError, requireInt32Array, requireInteger } from '../check/index.js';
import { PAGE_SHIFT } from '../machine/index.js';
import type { Addr } from '../record/index.js';
import { type Counters, Dropped } from './counters.js';
import { diagnoseFree } from './diagnose.js';
import { FrontedZone } from './fronted-zone.js';
import { How } from './hooks.js';
import type { CountedKeg } from './keg-state.js';
import { BUCKET_MASK, COUNTER_STRIDE, GRANULE_SHIFT, Slab, ThreadCache } from './records.js';
import type { AsyncOptions } from './sleepers.js';
import type { MakeZone, OpenZone, ZoneParts } from './zone.js';
import { type CountedZone, LIMIT_MAX } from './zone-api.js';
import type { ZoneState } from './zone-state.js';

/** A zone on a keg whose counters are the zones'. */
export type CountedZoneState = ZoneState & { readonly kegState: CountedKeg };

export type MakeCountedZone = (state: CountedZoneState) => OpenZone & CountedZone;

/**
 * @param makePlain makes the zone that is asked for all that is not hot
 * @param deadCache a thread cache that is always empty and full
 */
export function createCountedZoneClass(
  parts: ZoneParts,
  counters: Counters,
  makePlain: MakeZone,
  deadCache: number,
): MakeCountedZone {
  const { context, kegs, maps } = parts;
  const { allocSlow, freeSlow } = parts.slow;
  const { words, owners, pageKegs } = maps;
  const { threads, pages } = context;
  const { slot } = threads;
  const { checkLevel } = context.machine;
  const { freeLimit: FREE_LIMIT, requests: REQUESTS, requestsHigh: REQUESTS_HIGH } = ThreadCache;
  const { data: DATA } = Slab;
  // Rebound here: an import is loaded at each use, a constant of this function is folded.
  const COUNT = BUCKET_MASK;
  const GRANULE = GRANULE_SHIFT;
  const PAGE = PAGE_SHIFT;
  const STRIDE = COUNTER_STRIDE;

  class CountedCachedZone extends FrontedZone implements OpenZone, CountedZone {
    readonly name: string;
    readonly size: number;
    readonly index: number;
    readonly keg: number;
    readonly sleepersIndex: number;
    cache: number;
    readonly state: CountedZoneState;
    readonly plain: OpenZone;
    readonly items: number;
    readonly itemSize: number;
    /** Of the item size: to multiply takes a fifth of the time of a division. */
    readonly inverse: number;
    readonly counters: number;

    constructor(state: CountedZoneState) {
      super();
      const { kegState } = state;
      this.plain = makePlain(state, deadCache);
      this.name = state.name;
      this.size = kegState.size;
      this.index = state.number;
      this.keg = kegState.number;
      this.sleepersIndex = this.plain.sleepersIndex;
      this.cache = state.cache;
      this.state = state;
      this.items = kegState.itemsPerSlab;
      this.itemSize = kegState.itemSize;
      this.inverse = 1 / kegState.itemSize;
      this.counters = kegState.counterOffset;
    }

    tryAlloc(flags = 0): Addr | 0 {
      const cache = this.cache;
      const top = words[cache] as number;
      if ((top & COUNT) === 0 || flags !== 0)
        return count(this, allocSlow(this.state, flags, How.NOWAIT)) as Addr | 0;
      const item = words[top] as number;
      owners[item >>> GRANULE] = slot;
      words[cache] = top - 1;
      words[top] = 0;
      const requests = ((words[cache + REQUESTS] as number) + 1) | 0;
      words[cache + REQUESTS] = requests;
      if (requests === 0) words[cache + REQUESTS_HIGH] = (words[cache + REQUESTS_HIGH] as number) + 1;
      const slab = pages.objectOf(item >>> PAGE);
      // Half a byte more, so that the start of an item is not rounded down into the one before.
      const index = ((item - (words[slab + DATA] as number) + 0.5) * this.inverse) | 0;
      words[slab + this.counters + index * STRIDE] = 1;
      return item as Addr;
    }

    hold(item: Addr): void {
      if (typeof item !== 'number' || (item | 0) !== item || pageKegs[item >>> PAGE] !== this.keg)
        refuse(this, item);
      const slab = pages.objectOf(item >>> PAGE);
      const data = words[slab + DATA] as number;
      const index = ((item - data + 0.5) * this.inverse) | 0;
      const counter = slab + this.counters + index * STRIDE;
      // The plain look is right when it says 1: see counters.ts.
      if (index >>> 0 < this.items && words[counter] === 1) words[counter] = 2;
      else holdShared(this, counter, index, data + Math.imul(index, this.itemSize), item);
    }

    drop(item: Addr): boolean {
      if (typeof item !== 'number' || (item | 0) !== item || pageKegs[item >>> PAGE] !== this.keg)
        return refuse(this, item);
      const slab = pages.objectOf(item >>> PAGE);
      const data = words[slab + DATA] as number;
      const index = ((item - data + 0.5) * this.inverse) | 0;
      const counter = slab + this.counters + index * STRIDE;
      const start = data + Math.imul(index, this.itemSize);
      if (start !== item || index >>> 0 >= this.items || words[counter] !== 1)
        return dropShared(this, counter, index, start, item);
      // Not the start that was reckoned: what is stored then waits for nothing, which saves 4 ns.
      freeAlone(this, counter, item);
      return true;
    }

    free(item: Addr | 0): void {
      if (typeof item !== 'number' || (item | 0) !== item || pageKegs[item >>> PAGE] !== this.keg) {
        if (item !== 0) refuse(this, item);
        return;
      }
      const slab = pages.objectOf(item >>> PAGE);
      const data = words[slab + DATA] as number;
      const index = ((item - data + 0.5) * this.inverse) | 0;
      const counter = slab + this.counters + index * STRIDE;
      if (
        index >>> 0 >= this.items ||
        item !== data + Math.imul(index, this.itemSize) ||
        words[counter] !== 1
      )
        freeShared(this, counter, item);
      else freeAlone(this, counter, item);
    }

    references(item: Addr): number {
      const { counter, start } = find(this, item);
      return counters.references(counter, start);
    }

    claim(item: Addr): boolean {
      if (!this.plain.claim(item)) return false;
      counters.adopt(this.keg, item);
      return true;
    }

    alloc(flags = 0, timeoutMs?: number): Addr {
      const loaded = flags === 0 && timeoutMs === undefined && ((words[this.cache] as number) & COUNT) !== 0;
      if (loaded && checkLevel < CheckLevel.WITNESS) return this.tryAlloc() as Addr;
      return count(this, this.plain.alloc(flags, timeoutMs)) as Addr;
    }

    async allocAsync(flags = 0, options: AsyncOptions = {}): Promise<Addr> {
      return count(this, await this.plain.allocAsync(flags, options)) as Addr;
    }

    tryAllocMany(out: Int32Array, n: number): number {
      requireInt32Array(out, 'out', requireInteger(n, 'n', 0, LIMIT_MAX));
      let at = 0;
      try {
        for (; at < n; at++) {
          const item = this.tryAlloc();
          if (item === 0) break;
          out[at] = item;
        }
      } catch (error) {
        // What has been taken is told; the error comes again with the next attempt.
        if (at === 0) throw error;
      }
      return at;
    }

    freeMany(items: Int32Array, n: number): void {
      requireInt32Array(items, 'items', requireInteger(n, 'n', 0, LIMIT_MAX));
      for (let at = 0; at < n; at++) this.free(items[at] as Addr | 0);
    }
  }

  type Counted = CountedCachedZone;

  /** Frees the item, whose only reference this thread has. */
  function freeAlone(zone: Counted, counter: number, item: number): void {
    const cache = zone.cache;
    const top = words[cache] as number;
    if ((top & COUNT) >= (words[cache + FREE_LIMIT] as number)) {
      threads.assertHere();
      owners[item >>> GRANULE] = slot;
      words[counter] = 0;
      freeSlow(zone.state, item);
      return;
    }
    owners[item >>> GRANULE] = slot;
    words[counter] = 0;
    words[top + 1] = item;
    words[cache] = top + 1;
    owners[item >>> GRANULE] = 0;
  }

  /** An item that was just allocated has one reference. */
  function count(zone: Counted, item: number): number {
    if (item === 0) return 0;
    words[find(zone, item).counter] = 1;
    return item;
  }

  function refuse(zone: Counted, item: unknown): never {
    throw (
      diagnoseFree(maps, kegs, zone.state.kegState, zone.name, item, false) ??
      damaged(`keg ${zone.name} has an item at ${String(item)} and no counter for it`, { zone: zone.name })
    );
  }

  function find(zone: Counted, item: unknown): { counter: number; start: number } {
    if (typeof item !== 'number' || (item | 0) !== item || pageKegs[item >>> PAGE] !== zone.keg)
      refuse(zone, item);
    const address = item as number;
    const { kegState } = zone.state;
    const slab = counters.slabOf(kegState, address);
    const counter = slab === 0 ? 0 : counters.counterIn(kegState, slab, address);
    if (slab === 0 || counter === 0) refuse(zone, item);
    return { counter, start: address - ((address - (words[slab + DATA] as number)) % zone.itemSize) };
  }

  /** A slab that is damaged may say that its counters are anywhere. */
  function assertInside(zone: Counted, counter: number, index: number, item: number): void {
    if (index >>> 0 >= zone.items) refuse(zone, item);
    if (counter > 0 && counter < words.length) return;
    throw damaged(`item ${hex(item)} has its counter at word ${counter}`, { zone: zone.name });
  }

  function freeError(zone: Counted, item: number): MbumaError {
    const place = { address: item, zone: zone.name, owner: owners[item >>> GRANULE] as number };
    return new MbumaError('FREE_TWICE', `zone ${zone.name}: item ${hex(item)} is free already`, place);
  }

  function holdShared(zone: Counted, counter: number, index: number, start: number, item: number): void {
    assertInside(zone, counter, index, item);
    threads.assertHere();
    if (counters.hold(counter, start)) return;
    const references = counters.references(counter, start);
    throw new MbumaError(
      references === 0 ? 'ITEM_FREE' : 'TOO_MANY_REFERENCES',
      references === 0
        ? `zone ${zone.name}: item ${hex(start)} is free, and cannot be held`
        : `zone ${zone.name}: item ${hex(start)} has ${references} references, and can have no more`,
      { address: start, zone: zone.name, owner: owners[start >>> GRANULE] as number },
    );
  }

  /** Gives up a reference when there may be others, or names the item by an address inside of it. */
  function dropShared(zone: Counted, counter: number, index: number, start: number, item: number): boolean {
    assertInside(zone, counter, index, item);
    threads.assertHere();
    if (words[counter] === 1) {
      freeAlone(zone, counter, start);
      return true;
    }
    const dropped = counters.drop(counter, start);
    if (dropped === Dropped.FREE_ALREADY) throw freeError(zone, start);
    if (dropped === Dropped.LAST) freeSlow(zone.state, start);
    return dropped === Dropped.LAST;
  }

  function freeShared(zone: Counted, counter: number, item: number): void {
    const error = diagnoseFree(maps, kegs, zone.state.kegState, zone.name, item);
    if (error !== null) throw error;
    assertInside(zone, counter, 0, item);
    const references = counters.references(counter, item);
    if (references > 1) {
      throw new MbumaError(
        'STILL_REFERENCED',
        `zone ${zone.name}: item ${hex(item)} has ${references} references, and cannot be freed`,
        { address: item, zone: zone.name, owner: owners[item >>> GRANULE] as number },
      );
    }
    dropShared(zone, counter, 0, item, item);
  }

  return (state) => new CountedCachedZone(state);
}
