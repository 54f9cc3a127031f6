/**
 * What zones with fast functions of their own leave to the plain zone behind them: all that is not hot.
 *
 * Without fields: the classes above keep shapes of their own, and V8 compiles their fast functions for one.
 */

import type { Addr } from '../record/index.js';
import type { OpenZone } from './zone.js';
import type { FlagName } from './zone-flags.js';
import type { ZoneStats } from './zone-stats.js';

export abstract class FrontedZone {
  abstract readonly plain: OpenZone;

  get max(): number {
    return this.plain.max;
  }

  set max(limit: number) {
    this.plain.max = limit;
  }

  get maxCached(): number {
    return this.plain.maxCached;
  }

  set maxCached(items: number) {
    this.plain.maxCached = items;
  }

  get reserve(): number {
    return this.plain.reserve;
  }

  set reserve(items: number) {
    this.plain.reserve = items;
  }

  get lowWater(): number {
    return this.plain.lowWater;
  }

  set lowWater(items: number) {
    this.plain.lowWater = items;
  }

  get highWater(): number {
    return this.plain.highWater;
  }

  set highWater(items: number) {
    this.plain.highWater = items;
  }

  get flags(): readonly FlagName[] {
    return this.plain.flags;
  }

  get sleepers(): number {
    return this.plain.sleepers;
  }

  preallocate(items: number): number {
    return this.plain.preallocate(items);
  }

  copyOf(item: Addr, thread?: number): Addr {
    return this.plain.copyOf(item, thread);
  }

  stats(): ZoneStats {
    return this.plain.stats();
  }

  trim(): number {
    return this.plain.trim();
  }

  drain(): number {
    return this.plain.drain();
  }

  drainHere(): number {
    return this.plain.drainHere();
  }

  forget(item: Addr, index = 0, value = 0): void {
    this.plain.forget(item, index, value);
  }

  close(): void {
    this.plain.close();
  }

  destroy(): void {
    this.plain.destroy();
  }

  eachCached(visit: (item: Addr) => void): void {
    this.plain.eachCached(visit);
  }
}
