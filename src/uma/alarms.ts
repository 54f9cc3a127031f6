/**
 * What happens besides when the limit of a zone is met by a call that gets nothing: a warning, and an action.
 *
 * Neither is run under a lock, nor in the middle of the call: listeners are told at once, but after the zone
 * has been let go; the action waits for the event loop. uma_zone_set_warning, uma_zone_set_maxaction.
 */

import type { UmaContext } from './context.js';
import { Zone } from './records.js';
import type { ZoneState } from './zone-state.js';

/** Told `[zone: NAME] TEXT`. */
export type WarningListener = (message: string) => void;

export interface Alarms {
  /** The limit of the zone was met, by a call that got nothing. */
  limitMet(zone: ZoneState): void;
  /** Tells whoever listens. */
  warn(message: string): void;
  /** Says who is told where nobody listens. */
  otherwise(listener: WarningListener): void;
  onWarning(listener: WarningListener): void;
}

export function createAlarms({ machine, settings }: UmaContext): Alarms {
  const { load, compareExchange, add } = machine.atomics;
  const listeners: WarningListener[] = [];
  let fallback: WarningListener = () => undefined;

  function warn(message: string): void {
    if (listeners.length === 0) fallback(message);
    for (const listener of listeners) listener(message);
  }

  /** Whether this zone may warn now: of all threads that find so at one time, one does. */
  function mayWarn({ record }: ZoneState): boolean {
    if (settings.read('zoneWarnings') === 0) return false;
    // The clock of the wall: it is the same in every thread.
    const second = Math.floor(Date.now() / 1000) | 0;
    const last = load(record + Zone.warnedAt);
    if (last !== 0 && ((second - last) | 0) < settings.read('warningSeconds')) return false;
    return compareExchange(record + Zone.warnedAt, last, second || 1) === last;
  }

  function runAction(zone: ZoneState): void {
    try {
      zone.maxAction?.();
    } finally {
      zone.actionIsDue = false;
    }
  }

  return {
    limitMet(zone) {
      if (zone.warning !== null && mayWarn(zone)) {
        add(zone.record + Zone.warnings, 1);
        warn(`[zone: ${zone.name}] ${zone.warning}`);
      }
      if (zone.maxAction === null || zone.actionIsDue) return;
      zone.actionIsDue = true;
      void Promise.resolve().then(() => runAction(zone));
    },
    warn,
    otherwise(listener) {
      fallback = listener;
    },
    onWarning(listener) {
      listeners.push(listener);
    },
  };
}
