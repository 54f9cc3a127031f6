/**
 * What users call of an epoch zone: the two fast functions are its own, all else is that of any zone.
 *
 * `tryAlloc` takes from the loaded bucket as everywhere; `free` puts into the freed bucket, which is never
 * allocated from. A class of its own, so that the fast path of other zones stays one for one kind of object.
 */

import { requireInt32Array, requireInteger } from '../check/index.js';
import { PAGE_SHIFT } from '../machine/index.js';
import type { Addr } from '../record/index.js';
import { FrontedZone } from './fronted-zone.js';
import { How } from './hooks.js';
import { BUCKET_MASK, GRANULE_SHIFT, ThreadCache } from './records.js';
import type { AsyncOptions } from './sleepers.js';
import type { MakeZone, OpenZone, ZoneParts } from './zone.js';
import { LIMIT_MAX } from './zone-api.js';
import type { ZoneState } from './zone-state.js';

/**
 * @param makePlain makes the zone that all but the fast functions are left to
 * @param deadCache a thread cache that is always empty and full
 */
export function createEpochZoneClass(
  parts: ZoneParts,
  makePlain: MakeZone,
  deadCache: number,
): (state: ZoneState) => OpenZone {
  const { context, maps } = parts;
  const { allocSlow, freeSlow } = parts.slow;
  const { words, owners, pageKegs } = maps;
  const { slot } = context.threads;
  const { freeLimit: FREE_LIMIT, spare: FREED } = ThreadCache;
  const { requests: REQUESTS, requestsHigh: REQUESTS_HIGH } = ThreadCache;
  const COUNT = BUCKET_MASK;
  const GRANULE = GRANULE_SHIFT;
  const PAGE = PAGE_SHIFT;

  class EpochZone extends FrontedZone implements OpenZone {
    readonly name: string;
    readonly size: number;
    readonly index: number;
    readonly keg: number;
    readonly sleepersIndex: number;
    readonly state: ZoneState;
    readonly plain: OpenZone;
    cache: number;

    constructor(state: ZoneState) {
      super();
      this.plain = makePlain(state, deadCache);
      this.name = this.plain.name;
      this.size = this.plain.size;
      this.index = this.plain.index;
      this.keg = this.plain.keg;
      this.sleepersIndex = this.plain.sleepersIndex;
      this.state = state;
      this.cache = state.cache;
    }

    tryAlloc(flags = 0): Addr | 0 {
      const cache = this.cache;
      const top = words[cache] as number;
      if ((top & COUNT) === 0 || flags !== 0) return allocSlow(this.state, flags, How.NOWAIT) as Addr | 0;
      const item = words[top] as number;
      owners[item >>> GRANULE] = slot;
      words[cache] = top - 1;
      words[top] = 0;
      const requests = ((words[cache + REQUESTS] as number) + 1) | 0;
      words[cache + REQUESTS] = requests;
      if (requests === 0) words[cache + REQUESTS_HIGH] = (words[cache + REQUESTS_HIGH] as number) + 1;
      return item as Addr;
    }

    free(item: Addr | 0): void {
      if (
        typeof item !== 'number' ||
        (item & -16) !== item ||
        !((owners[item >>> GRANULE] as number) > 0) ||
        pageKegs[item >>> PAGE] !== this.keg
      ) {
        freeSlow(this.state, item);
        return;
      }
      const cache = this.cache;
      const top = words[cache + FREED] as number;
      if ((top & COUNT) >= (words[cache + FREE_LIMIT] as number)) {
        freeSlow(this.state, item);
        return;
      }
      words[top + 1] = item;
      words[cache + FREED] = top + 1;
      owners[item >>> GRANULE] = 0;
    }

    alloc(flags?: number, timeoutMs?: number): Addr {
      return this.plain.alloc(flags, timeoutMs);
    }

    allocAsync(flags?: number, options?: AsyncOptions): Promise<Addr> {
      return this.plain.allocAsync(flags, options);
    }

    tryAllocMany(out: Int32Array, n: number): number {
      return this.plain.tryAllocMany(out, n);
    }

    freeMany(items: Int32Array, n: number): void {
      requireInteger(n, 'n', 0, LIMIT_MAX);
      requireInt32Array(items, 'items', n);
      for (let at = 0; at < n; at++) this.free(items[at] as Addr);
    }

    claim(item: Addr): boolean {
      return this.plain.claim(item);
    }
  }

  return (state) => new EpochZone(state);
}
