// See README.md.

import type { Leak } from '../uma/index.js';
import { OWNER_MEMORY, OwnerDeath } from '../uma/index.js';
import { createAccounts } from './accounts.js';
import { auditMalloc, type Report } from './audit.js';
import { createBlocks } from './blocks.js';
import type { MallocContext } from './context.js';
import { createDeaths } from './deaths.js';
import { createHandles, type Opened } from './handle.js';
import { createLeaks } from './leaks.js';
import { createMarks } from './marks.js';
import { granulesFor, readTypeOptions } from './options.js';
import { MallocType as TypeRecord, type TypeRef } from './records.js';
import { createRegistry } from './registry.js';
import { createRuns } from './runs.js';
import { typeStats } from './stats.js';
import type { MallocType, MallocTypeOptions, MallocTypeStats } from './types.js';
import { createWaits } from './waits.js';
import { createZoneSet, type ZoneSet } from './zone-set.js';

export { planMalloc } from './context.js';
export { mallocBranches } from './leaves.js';
export { MallocState, MallocType as MallocTypeRecord, TypeCell } from './records.js';
export type { MallocType, MallocTypeOptions, MallocTypeStats } from './types.js';
export { MALLOC_CELLS, withFreeName } from './zone-names.js';

/** malloc over a memory, as one thread sees it. */
export interface Malloc {
  /** Makes a type, or finds the one of this name. */
  type(options: MallocTypeOptions): MallocType;
  /** Whether this is a type that `type` has answered. */
  has(type: unknown): boolean;
  /** Figures of every type of the memory. */
  stats(): readonly MallocTypeStats[];
  /** Large blocks in use, grouped; those of zones are told by uma. */
  leaks(): readonly Leak[];
  /** Changes the limit of the type of this name; nothing, when there is none. */
  setLimit(name: string, bytes: number): void;
  /** Before this thread gives its slot back. */
  detach(): void;
  /** Before this thread cleans up after another: it must know what that had. */
  prepare(): void;
  /** After a thread's death, its locks having been taken over: it waits for nothing. */
  reap(slot: number): void;
  /** Reports every invariant that does not hold. */
  audit(report: Report): void;
}

/** Makes the zone of the cells, or attaches to it. */
export function createMalloc(context: MallocContext): Malloc {
  const { threads } = context;
  const registry = createRegistry(context);
  const runs = createRuns(context, registry);
  const marks = createMarks(context, registry, runs);
  const accounts = createAccounts(context, registry, marks);
  const waits = createWaits(context, accounts);
  const blocks = createBlocks(context, registry, accounts, runs, waits, marks);
  const handles = createHandles(context, registry, accounts, blocks);
  const shared = createZoneSet(context);
  const opened = new Map<TypeRef, Opened>();

  function zonesOf(type: TypeRef): ZoneSet {
    const read = (field: number): number => context.machine.words[type + field] as number;
    if (read(TypeRecord.ownZones) === 0) return shared;
    const onOwnerDeath = read(TypeRecord.onOwnerDeath);
    const options = {
      owner: registry.indexOf(type) + 1,
      guarded: read(TypeRecord.guarded) !== 0,
      onOwnerDeath,
    };
    return createZoneSet(context, options, (zone) => {
      if (onOwnerDeath !== OwnerDeath.keep) deaths.follow(openOf(type).state, zone);
    });
  }

  function openOf(type: TypeRef): Opened {
    const known = opened.get(type);
    if (known !== undefined) return known;
    const made = handles.make(type, zonesOf(type));
    opened.set(type, made);
    return made;
  }

  const deaths = createDeaths(context, registry, runs, marks, blocks, (type) => openOf(type).state);

  return {
    type(options) {
      const checked = readTypeOptions(options);
      threads.assertHere();
      return openOf(registry.open(checked)).handle;
    },
    has: handles.has,
    stats: () =>
      Array.from({ length: registry.count() }, (_, index) =>
        typeStats(context, registry, accounts, registry.at(index)),
      ),
    leaks: createLeaks(context, registry, runs),
    setLimit(name, bytes) {
      for (let index = 0; index < registry.count(); index++)
        if (registry.nameOf(registry.at(index)) === name)
          accounts.setLimit(registry.at(index), granulesFor(bytes));
    },
    detach() {
      waits.leave();
      runs.each(({ block }) => runs.bequeath(block, threads.slot, OWNER_MEMORY));
    },
    prepare: deaths.prepare,
    reap: accounts.reap,
    audit: (report) => auditMalloc(context, registry, accounts, runs, marks, report),
  };
}
