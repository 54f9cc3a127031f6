/** What the zone allocator offers to the layers above. */

import type { Branch } from '../sysctl/index.js';
import type { Access } from './access.js';
import type { Alarms } from './alarms.js';
import type { BackendOptions } from './backend-api.js';
import type { ForeignKeg } from './foreign-keg.js';
import type { ForeignKegOptions } from './foreign-options.js';
import type { GuardStats } from './guard.js';
import type { FoundItem } from './items.js';
import type { Leak } from './leaks.js';
import type { UmaReaper } from './reaper.js';
import type { Reclaimer } from './reclaim.js';
import type { RunWaits } from './run-waits.js';
import type { Tags } from './tags.js';
import type { Backend, CountedZone, Zone } from './zone-api.js';
import type { Objector } from './zone-end.js';
import type { CountedZoneOptions, ZoneOptions } from './zone-options.js';
import type { ZoneStats } from './zone-stats.js';

export interface Uma {
  zone(options: CountedZoneOptions): CountedZone;
  zone(options: ZoneOptions): Zone;
  /** Makes a backend, or finds the one of this name. */
  backend(options: BackendOptions): Backend;
  readonly alarms: Alarms;
  /** The zone of this name that this thread has opened. */
  findZone(name: string): Zone | undefined;
  /**
   * Word index of the thread cache that the fast path of a zone looks at: for layers that have a fast path of
   * their own. It changes: see `onFronts`.
   */
  frontOf(zone: Zone): number;
  /** Word index of a cache that is always empty and full. */
  readonly deadFront: number;
  /** Called when zones that are open may have got another front: a failpoint, or this thread detaches. */
  onFronts(changed: () => void): void;
  /** @throws FREE_TWICE, FREE_UNALIGNED, FREE_WRONG_ZONE, FREE_FOREIGN for what is no item in use of it */
  requireItem(zone: Zone, item: unknown): void;
  /** Looks around an item in use as a free does: it stays in use, and what is found is told once. @throws REDZONE_DAMAGED */
  requireWhole(zone: Zone, item: number): void;
  /** Whether this is a zone that this thread has open. */
  hasOpen(object: unknown): boolean;
  /** The zones that this thread has opened. */
  zones(): readonly Zone[];
  /** Names of all zones of the memory. */
  zoneNames(): readonly string[];
  /** Word index of the record of the zone of this name, opened by this thread or not; 0: there is none. */
  findRecord(name: string): number;
  /** Zones and kegs in the tree of tunables and figures. */
  branches(): readonly Branch[];
  /** Figures of every zone of the memory, opened by this thread or not. */
  stats(): readonly ZoneStats[];
  /** Word index of the reference counter of an item; 0: its zone has none. About 10 ns. */
  counterOf(item: number): number;
  /** Owner byte of each 16-byte granule: 0 free, 1 to 254 a slot, OWNER_MEMORY. */
  readonly owners: Uint8Array;
  /** Number of the keg of each page; 0 none. */
  readonly pageKegs: Uint16Array;
  /**
   * Makes an item in use that of another thread, without a check of who has it. Nothing, for what is none.
   */
  carry(keg: number, item: number, slot: number): void;
  /** What items of tagged zones are used for. */
  readonly tags: Tags;
  /** Number of the keg that an address lies in, on the pages of a guarded item too; 0: in no item. Slow. */
  kegAt(address: number): number;
  /** Several lines: all that is known of what lies at an address. */
  describe(address: number): string;
  /** Whether bytes may be touched: see access.ts. */
  readonly access: Access;
  /** What is in use, by where it was allocated. */
  leaks(): readonly Leak[];
  /** Visits every item in use of users' kegs. */
  eachInUse(visit: (item: FoundItem) => void): void;
  foreignKeg(options: ForeignKegOptions): ForeignKeg;
  /** A layer that uses zones is asked before this thread closes one, or destroys it. */
  onZoneEnd(object: Objector): void;
  /** Refuses what must not be done from inside of a hook. @throws ZONE_BUSY */
  refuseInHook(what: string): void;
  /** Whether something else that may be guarded is to be: as often as the setting `guardFrequency` says. */
  isGuardChosen(): boolean;
  /** Figures of guarded items. */
  guardStats(): GuardStats;
  readonly reclaimer: Reclaimer;
  readonly reaper: UmaReaper;
  /** Waiting for runs of pages, for the layers above. */
  readonly runWaits: RunWaits;
  /** Puts away what this thread has freed in epoch zones, so that it gets ripe with the next grace. */
  putAwayFreed(): void;
  audit(report: (rule: string, message: string) => void): void;
}
