/** Large blocks in use, by type, thread and place: for `memory.leaks`. Those of zones are told by uma. */

import { PAGE_SIZE } from '../machine/index.js';
import { type Leak, OWNER_MEMORY } from '../uma/index.js';
import type { MallocContext } from './context.js';
import type { Registry } from './registry.js';
import type { FoundRun, Runs } from './runs.js';

/** What reports call the zone of blocks that lie in none. */
export const RUNS = 'malloc runs';

const ADDRESSES_KEPT = 8;

export function createLeaks({ sites }: MallocContext, registry: Registry, runs: Runs): () => Leak[] {
  return () => {
    const groups = new Map<string, FoundRun[]>();
    runs.each((run) => {
      const key = `${run.type} ${run.owner} ${run.site}`;
      groups.set(key, [...(groups.get(key) ?? []), run]);
    });
    return [...groups.values()].map((group) => {
      const { type, owner, site } = group[0] as FoundRun;
      return {
        zone: RUNS,
        type: registry.nameOf(type),
        site: sites.textOf(site),
        thread: owner === OWNER_MEMORY ? 0 : owner,
        count: group.length,
        bytes: group.reduce((sum, { pages }) => sum + pages * PAGE_SIZE, 0),
        addresses: group.slice(0, ADDRESSES_KEPT).map(({ block }) => block),
      };
    });
  };
}
