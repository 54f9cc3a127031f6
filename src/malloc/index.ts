// See README.md.

import { MbumaError, optionalInteger, requireName, requireObject } from '../check/index.js';
import type { Leak } from '../uma/index.js';
import { OWNER_MEMORY } from '../uma/index.js';
import { createAccounts } from './accounts.js';
import { auditMalloc, type Report } from './audit.js';
import { createBlocks } from './blocks.js';
import type { MallocContext } from './context.js';
import { createHandles, granulesFor, LIMIT_MAX } from './handle.js';
import { createLeaks } from './leaks.js';
import { createMarks } from './marks.js';
import { DESCRIPTION_LENGTH_MAX, type TypeRef } from './records.js';
import { createRegistry } from './registry.js';
import { createRuns } from './runs.js';
import { typeStats } from './stats.js';
import type { MallocType, MallocTypeOptions, MallocTypeStats } from './types.js';
import { createWaits } from './waits.js';
import { createZoneSet, type ZoneSet } from './zone-set.js';

export { planMalloc } from './context.js';
export { mallocBranches } from './leaves.js';
export { MallocState, MallocType as MallocTypeRecord, TypeCell } from './records.js';
export { MALLOC_CELLS } from './registry.js';
export type { MallocType, MallocTypeOptions, MallocTypeStats } from './types.js';

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
  /** After a thread's death, its locks having been taken over: it waits for nothing. */
  reap(slot: number): void;
  /** Reports every invariant that does not hold. */
  audit(report: Report): void;
}

function requireDescription(value: unknown): string {
  if (value === undefined) return '';
  if (typeof value === 'string' && value.length <= DESCRIPTION_LENGTH_MAX && /^[\x20-\x7e]*$/.test(value))
    return value;
  throw new MbumaError(
    'BAD_ARGUMENT',
    `description must be a string of up to ${DESCRIPTION_LENGTH_MAX} printable ASCII characters`,
  );
}

function readOwnZones(value: unknown): boolean {
  if (value === undefined || value === 'shared') return false;
  if (value === 'own') return true;
  throw new MbumaError('BAD_ARGUMENT', "zones must be 'shared' or 'own'");
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
  const shared = createZoneSet(context, 0);
  const opened = new Map<TypeRef, MallocType>();

  function zonesOf(type: TypeRef, ownZones: boolean): ZoneSet {
    return ownZones ? createZoneSet(context, registry.indexOf(type) + 1) : shared;
  }

  return {
    type(options) {
      requireObject(options, 'options');
      const name = requireName(options.name, 'name');
      const description = requireDescription(options.description);
      const limit = granulesFor(optionalInteger(options.max, 'max', 0, LIMIT_MAX, 0));
      const ownZones = readOwnZones(options.zones);
      threads.assertHere();
      const type = registry.open({ name, description, limit, ownZones });
      const known = opened.get(type);
      if (known !== undefined) return known;
      const handle = handles.make(type, zonesOf(type, ownZones));
      opened.set(type, handle);
      return handle;
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
    reap: accounts.reap,
    audit: (report) => auditMalloc(context, registry, accounts, runs, marks, report),
  };
}
