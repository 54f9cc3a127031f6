/**
 * The end of a zone: one thread closes it, or the last thread that has it open destroys it.
 *
 *   zone() --> open in this thread --close--> caches empty, its object refuses everything
 *                      |
 *                      +--destroy: open nowhere else, nothing in use--> record, keg and pages are gone
 *
 * Under the registry lock stand the decision that it may go (`destroyer` says by whom, and nobody opens it
 * then) and the erasing. Between the two the caches are drained, and `fini` runs, without any lock. A
 * destroyer that dies leaves an open zone, or, if it has begun to erase, none: the registry's repair does the
 * rest.
 */

import { LockRank, MbumaError, plural } from '../check/index.js';
import { readText } from '../record/index.js';
import type { UmaContext } from './context.js';
import type { Deferral } from './deferral.js';
import type { Drains } from './drains.js';
import type { Guard } from './guard.js';
import { HookErrors } from './hooks.js';
import type { Kegs } from './kegs.js';
import type { Leak } from './leaks.js';
import type { Reclaimer } from './reclaim.js';
import { Keg, KegFlag, ThreadCache, Zone } from './records.js';
import type { Registry } from './registry.js';
import type { RunningHooks } from './running-hooks.js';
import type { Sleepers } from './sleepers.js';
import type { ZoneState } from './zone-state.js';

/** Why a zone must stay, as a part of a sentence; '' when it may go. */
export type Objector = (zone: ZoneState, isDestroyed: boolean) => string;

export interface ZoneEnd {
  /** See `Zone.close`. */
  close(zone: ZoneState): void;
  /** See `Zone.destroy`. */
  destroy(zone: ZoneState): void;
  /** A layer that uses zones is asked before one goes. */
  onEnd(object: Objector): void;
}

interface ZoneEndParts {
  readonly context: UmaContext;
  readonly kegs: Kegs;
  readonly registry: Registry;
  readonly drains: Drains;
  readonly deferral: Deferral;
  readonly guard: Guard;
  readonly reclaimer: Reclaimer;
  readonly sleepers: Sleepers;
  readonly leaks: () => readonly Leak[];
  readonly running: RunningHooks;
  readonly cacheOf: (slot: number, number: number) => number;
  /** This thread has closed the zone: its object and its state are of no use any more. */
  readonly forget: (zone: ZoneState) => void;
}

export function createZoneEnd(parts: ZoneEndParts): ZoneEnd {
  const { context, kegs, registry, drains, deferral, guard, reclaimer, sleepers, cacheOf } = parts;
  const { machine, threads, locks } = context;
  const { words } = machine;
  const { load, store } = machine.atomics;
  const objectors: Objector[] = [];
  const isForGood = ({ kegState }: ZoneState): boolean => (kegState.flags & KegFlag.NO_FREE) !== 0;

  function busy(zone: ZoneState, why: string, owner?: number): MbumaError {
    return new MbumaError('ZONE_BUSY', `zone ${zone.name} ${why}`, { zone: zone.name, owner });
  }

  function refuseIfUsedHere(zone: ZoneState, isDestroyed: boolean): void {
    parts.running.refuse(`zone ${zone.name} stays open`);
    if (sleepers.callsOf(zone) > 0) throw busy(zone, 'has calls of this thread that wait');
    for (const object of objectors) {
      const why = object(zone, isDestroyed);
      if (why !== '') throw busy(zone, why);
    }
  }

  /** Under the registry lock: why the zone cannot be destroyed by this thread. */
  function refuseIfUsedElsewhere(zone: ZoneState): void {
    const { number, record } = zone;
    const others: number[] = [];
    for (let slot = 1; slot <= threads.maxThreads; slot++)
      if (slot !== threads.slot && load(cacheOf(slot, number) + ThreadCache.open) !== 0) others.push(slot);
    if (others.length > 0) throw busy(zone, `is open in other threads, too: ${others.join(', ')}`, others[0]);
    const above = registry
      .numbers()
      .filter((each) => words[registry.recordOf(each) + Zone.primary] === number);
    if (above.length > 0)
      throw busy(
        zone,
        `has secondary zones: ${above.map((each) => readText(words, registry.recordOf(each) + Zone.name, 12)).join(', ')}`,
      );
    if (words[record + Zone.waitCount] !== 0) throw busy(zone, 'has calls that wait');
  }

  /** Everything that is in no user's hands goes back to the pages. */
  function empty(zone: ZoneState, errors: HookErrors): void {
    deferral.putAway(zone);
    errors.attempt(() => reclaimer.drain(zone));
    if ((zone.kegState.flags & KegFlag.GUARDED) !== 0) guard.drain(errors);
    if (zone.primaryRecord === 0) errors.attempt(() => kegs.drain(zone.kegState, true));
  }

  function notEmpty(zone: ZoneState, count: number): MbumaError {
    const deferred = words[zone.record + Zone.deferredItems] as number;
    const waiting = deferred === 0 ? '' : `, ${deferred} of them freed and waiting for readers`;
    const lines = parts
      .leaks()
      .filter((leak) => leak.zone === zone.name)
      .map((leak) => `${leak.count} of thread ${leak.thread}${leak.site === '' ? '' : ` from ${leak.site}`}`);
    return new MbumaError(
      'ZONE_NOT_EMPTY',
      `zone ${zone.name} was not empty (${plural(count, 'item')}${waiting})`,
      {
        zone: zone.name,
        details: lines.join('\n'),
      },
    );
  }

  /** Under the registry lock: erases an empty zone; else it stays, open. How many items it still has. */
  function eraseLocked(zone: ZoneState): number {
    const { record, number, kegState } = zone;
    locks.acquire(record, LockRank.ZONE);
    const items = words[record + Zone.itemsOut] as number;
    locks.release(record);
    const slabs = zone.primaryRecord === 0 ? (words[kegState.record + Keg.slabCount] as number) : 0;
    if (items !== 0 || slabs !== 0) {
      words[record + Zone.destroyer] = 0;
      return items || slabs * kegState.itemsPerSlab;
    }
    registry.eraseLocked(number);
    leaveCache(number);
    return 0;
  }

  /** The last step: from now on others may destroy the zone, and its number may be another’s. */
  function leaveCache(number: number): void {
    store(cacheOf(threads.slot, number) + ThreadCache.open, 0);
  }

  return {
    close(zone) {
      refuseIfUsedHere(zone, false);
      deferral.putAway(zone);
      const errors = new HookErrors();
      errors.attempt(() => drains.drainCache(zone));
      reclaimer.retireCounts(zone, zone.realCache);
      parts.forget(zone);
      leaveCache(zone.number);
      errors.throwFirst();
    },
    destroy(zone) {
      if (isForGood(zone)) throw busy(zone, 'is noFree: its pages never go back');
      refuseIfUsedHere(zone, true);
      registry.locked(() => {
        refuseIfUsedElsewhere(zone);
        words[zone.record + Zone.destroyer] = threads.slot;
      });
      const errors = new HookErrors();
      empty(zone, errors);
      reclaimer.retireCounts(zone, zone.realCache);
      const left = registry.locked(() => eraseLocked(zone));
      if (left > 0) throw notEmpty(zone, left);
      parts.forget(zone);
      errors.throwFirst();
    },
    onEnd(object) {
      objectors.push(object);
    },
  };
}
