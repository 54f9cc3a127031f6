/** The tree of tunables and figures, as users see it: `memory.sysctl`. */

import type { SysctlLeaf, SysctlTree, SysctlValue } from './sysctl/index.js';

/** Leaves that are always there, and the type of what they hold. */
export interface SysctlNames {
  'debug.check_level': number;
  'debug.nosleepwithlocks': boolean;
  'hw.pagesize': number;
  'hw.physmem': number;
  'kern.ipc.maxmbufmem': number;
  'kern.ipc.nmbclusters': number;
  'kern.ipc.nmbjumbo16': number;
  'kern.ipc.nmbjumbo9': number;
  'kern.ipc.nmbjumbop': number;
  'kern.ipc.nmbufs': number;
  'kern.threads.attached': number;
  'kern.threads.deaths': number;
  'kern.threads.max': number;
  'kern.threads.self': number;
  'vm.debug.divisor': number;
  'vm.memguard.frequency': number;
  'vm.phys.failures': number;
  'vm.phys.longest_block': number;
  'vm.phys.requests': number;
  'vm.stats.vm.v_free_count': number;
  'vm.stats.vm.v_page_count': number;
  'vm.uma_kmem_limit': number;
  'vm.uma_kmem_total': number;
  'vm.uma_timeout_ms': number;
  'vm.zone_count': number;
  'vm.zone_max': number;
  'vm.zone_warning_seconds': number;
  'vm.zone_warnings': boolean;
}

/** Leaves of a zone that are texts. */
export type ZoneText = 'flags' | 'keg.name' | 'keg.backend';

/** What a leaf holds, as far as its name says it: of a zone, all but its texts are numbers. */
export type SysctlValueOf<Name extends string> = Name extends keyof SysctlNames
  ? SysctlNames[Name]
  : Name extends `vm.uma.${string}.${ZoneText}`
    ? string
    : Name extends `vm.uma.${string}`
      ? number
      : SysctlValue;

/**
 * Tunables and figures of a memory by name, as sysctl(8) has them. The names are FreeBSD's where it has the
 * thing; `src/sysctl/README.md` tells them all.
 *
 * Nothing is coerced: `set('vm.zone_warnings', 1)` is refused. Figures are read without locks, each when it
 * is asked for: two of them need not be of one moment. A zone is looked for by its name at each call: some
 * microseconds. Not for a fast path.
 */
export interface Sysctl extends Iterable<SysctlLeaf> {
  /**
   * What a leaf holds.
   *
   * @throws NO_SUCH_SYSCTL for a name that is not there, and for that of a branch; BAD_ARGUMENT
   */
  get<Name extends string>(name: Name): SysctlValueOf<Name>;
  /**
   * Changes a tunable, for all threads, from now on: nobody is told, each obeys it when it next acts. A limit
   * may be set below what is in use, and of a zone that this thread has not opened; who waits is served when
   * it rises.
   *
   * @throws NO_SUCH_SYSCTL; READ_ONLY for a figure; BAD_ARGUMENT for another type, or out of range;
   *   OUT_OF_MEMORY or TOO_MANY_ZONES where zones must be made for it (`kern.ipc`). It is as it was then
   */
  set<Name extends string>(name: Name, value: SysctlValueOf<Name>): void;
  /** All that is told of one leaf, its value with it. Throws as `get`. */
  describe(name: string): SysctlLeaf;
  /**
   * The leaves at and below `prefix`, depth first, each part in the order of characters, numbers by their
   * value. Without a prefix, all.
   *
   * @throws NO_SUCH_SYSCTL when nothing is called so; BAD_ARGUMENT
   */
  list(prefix?: string): SysctlLeaf[];
}

/** @param assertHere throws when this thread has left the memory */
export function createSysctl(grow: () => SysctlTree, assertHere: () => void): Sysctl {
  let grown: SysctlTree | null = null;
  /** Grown at the first use: most threads never ask. */
  function tree(): SysctlTree {
    assertHere();
    grown ??= grow();
    return grown;
  }
  return {
    get: <Name extends string>(name: Name) => tree().get(name) as SysctlValueOf<Name>,
    set: (name, value) => tree().set(name, value),
    describe: (name) => tree().describe(name),
    list: (prefix) => tree().list(prefix),
    [Symbol.iterator]: () => tree().list()[Symbol.iterator](),
  };
}
