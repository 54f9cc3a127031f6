/**
 * After a death: the blocks that the thread had in use. Those of types that follow a death (`onOwnerDeath`)
 * are freed by their type, so that its figures, its limit and who waits under it follow; or they stay.
 *
 * A block that nobody has claimed goes back in any case: its caller never got it, or was about to lose it,
 * and it is not counted.
 */

import type { Addr } from '../record/index.js';
import { type HookErrors, OWNER_MEMORY, type OwnedItems, OwnerDeath, type Zone } from '../uma/index.js';
import type { Blocks, OpenType } from './blocks.js';
import type { MallocContext } from './context.js';
import { RUNS } from './leaks.js';
import type { Marks } from './marks.js';
import { MallocType, type TypeRef } from './records.js';
import type { Registry } from './registry.js';
import type { FoundRun, Runs } from './runs.js';

export interface Deaths {
  /** Opens all that is needed to clean up after another thread. */
  prepare(): void;
  /** The blocks of a zone of a type that follows a death are freed by it. */
  follow(of: OpenType, zone: Zone): void;
}

/** @param openOf the type as this thread knows it, which is opened if need be */
export function createDeaths(
  { machine, threads, uma }: MallocContext,
  registry: Registry,
  runs: Runs,
  marks: Marks,
  blocks: Blocks,
  openOf: (type: TypeRef) => OpenType,
): Deaths {
  const { words } = machine;
  const policyOf = (type: TypeRef): number => words[type + MallocType.onOwnerDeath] as number;

  /** What became of a run that a dead thread owned. */
  function settleRun({ type, block, isClaimed }: FoundRun, slot: number, errors: HookErrors): OwnedItems {
    const policy = policyOf(type);
    const freed = !isClaimed || policy === OwnerDeath.free;
    runs.bequeath(block, slot, freed ? threads.slot : OWNER_MEMORY);
    if (freed) errors.attempt(() => (isClaimed ? blocks.free(openOf(type), block) : runs.free(block)));
    return {
      zone: RUNS,
      type: registry.nameOf(type),
      freed: freed ? 1 : 0,
      kept: freed ? 0 : 1,
      items: policy === OwnerDeath.report && !freed ? [block] : [],
    };
  }

  uma.reaper.onRest((slot, errors) => {
    const settled: OwnedItems[] = [];
    runs.each((run) => {
      if (run.owner === slot) settled.push(settleRun(run, slot, errors));
    });
    return settled;
  });

  return {
    prepare() {
      for (let index = 0; index < registry.count(); index++) {
        const type = registry.at(index);
        if (policyOf(type) !== OwnerDeath.keep) openOf(type).zoneSet.openAll();
      }
    },
    follow(of, zone) {
      const isCounted = (item: number): boolean => marks.isClaimed(of.type, item);
      uma.reaper.onOwned(zone.keg, {
        zone: zone.name,
        type: of.name,
        frees: (item) => policyOf(of.type) === OwnerDeath.free || !isCounted(item),
        free: (item) => (isCounted(item) ? blocks.free(of, item) : zone.free(item as Addr)),
        next: () => 0,
      });
    },
  };
}
