/**
 * The audit of the zone allocator: walks every keg, slab, bucket and cache and checks the numbered
 * invariants of README.md. For a quiet memory: threads that work meanwhile are reported as damage.
 *
 * Nothing is trusted: an index is range-checked before it is followed, no record is visited twice, and
 * what the numbers of a keg are is computed anew before anything is measured with them.
 */

import { createBucketAudit } from './audit-buckets.js';
import { createCounterAudit } from './audit-counters.js';
import { createDebugAudit } from './audit-debug.js';
import { createForeignAudit } from './audit-foreign.js';
import { createRecordAudit } from './audit-records.js';
import { countAt, createSlabAudit, type Report, type Walk } from './audit-slabs.js';
import { BUCKET_KEG, INTERNAL_KEGS, type UmaContext } from './context.js';
import type { Maps } from './diagnose.js';
import type { Guard } from './guard.js';
import type { Kegs } from './kegs.js';
import { Keg } from './records.js';

export type { Report } from './audit-slabs.js';

export interface UmaParts {
  readonly context: UmaContext;
  readonly kegs: Kegs;
  readonly maps: Maps;
  readonly guard: Guard;
  /** Word index of the dead bucket. */
  readonly dead: number;
}

export function createUmaAudit({ context, kegs, maps, guard, dead }: UmaParts): (report: Report) => void {
  const debug = createDebugAudit(context, kegs, maps, guard);
  const auditSlabs = createSlabAudit(context, kegs, maps, debug);
  const auditBuckets = createBucketAudit(context, maps, dead);
  const auditRecords = createRecordAudit(context, maps, dead);
  const auditCounters = createCounterAudit(context, maps);
  const auditForeign = createForeignAudit(context, maps);

  /** The law of conservation, keg by keg. */
  function auditSums(walk: Walk): void {
    for (const { number, name, record, itemsPerSlab } of walk.kegs) {
      const slabs = maps.words[record + Keg.slabCount] as number;
      const out = slabs * itemsPerSlab - countAt(walk.inSlabs, number);
      if (number <= INTERNAL_KEGS) {
        const used = number === BUCKET_KEG ? walk.buckets.size : countAt(walk.headers, number);
        if (out !== used) walk.report('U11', `keg ${name} has ${out} items out, ${used} are in use`);
        continue;
      }
      const buckets = countAt(walk.inBuckets, number);
      // Parked items are nobody's, and in no bucket: they are out all the same.
      const owned = countAt(walk.owned, number) + countAt(walk.parked, number);
      const guarded = countAt(walk.guarded, number);
      const zones = countAt(walk.itemsOut, number) - guarded;
      if (out !== buckets + owned)
        walk.report('U5', `keg ${name} has ${out} items out: ${buckets} are in buckets, ${owned} are owned`);
      if (zones !== buckets + owned)
        walk.report('U7', `keg ${name}: its zones count ${zones} items out, there are ${buckets + owned}`);
    }
  }

  return (report) => {
    const walk: Walk = {
      report,
      marks: new Uint8Array(maps.owners.length),
      kegs: [],
      slabs: new Set(),
      buckets: new Set(),
      inSlabs: [],
      inBuckets: [],
      owned: [],
      parked: [],
      headers: [],
      itemsOut: [],
      guarded: [],
    };
    auditSlabs(walk);
    auditCounters(walk);
    auditBuckets(walk);
    auditForeign(walk);
    auditSums(walk);
    auditRecords(walk);
  };
}
