/** The audit of reference counters: U21 of README.md, and what lies between them. */

import { hex } from '../check/index.js';
import { PAGE_SHIFT, Waiter, WaiterState } from '../machine/index.js';
import { isZero } from '../record/index.js';
import { itemText, type Walk } from './audit-slabs.js';
import type { UmaContext } from './context.js';
import { OWNERLESS, REFERENCES, SHARED } from './counters.js';
import type { Maps } from './diagnose.js';
import { type CountedKeg, HeaderKind } from './keg-state.js';
import { COUNTER_STRIDE, GRANULE_SHIFT, Keg, OWNER_MEMORY, Slab } from './records.js';

export function createCounterAudit(context: UmaContext, maps: Maps): (walk: Walk) => void {
  const { machine, threads } = context;
  const { words, owners } = maps;
  const { pageCount } = machine.layout.parameters;
  const read = (index: number): number => words[index] as number;

  /** Items that were granted to somebody who has not taken them yet: they have an owner, and no count. */
  function findGifts(): Set<number> {
    const gifts = new Set<number>();
    for (let slot = 1; slot <= threads.maxThreads; slot++) {
      for (let index = 0; index < threads.waitersPerSlot; index++) {
        const waiter = threads.waiterRef(slot, index);
        if (read(waiter + Waiter.state) === WaiterState.GRANTED) gifts.add(read(waiter + Waiter.grant));
      }
    }
    return gifts;
  }

  /** What is wrong with a counter's word; null: nothing. */
  function judge(word: number, owner: number): string | null {
    const references = word & REFERENCES;
    if ((word & ~(REFERENCES | OWNERLESS | SHARED)) !== 0) return 'bits that mean nothing';
    if (word !== 0 && references === 0) return 'flags and no references';
    if ((word & SHARED) !== 0 && references !== 1) return 'one reference left, and others';
    if (owner === 0) return word === 0 ? null : 'references to a free item';
    if (word === 0 && owner !== OWNER_MEMORY) return 'no reference to an item in use';
    return null;
  }

  function auditSlab(walk: Walk, keg: CountedKeg, slab: number, gifts: ReadonlySet<number>): void {
    const data = read(slab + Slab.data);
    const page = read(slab + Slab.page);
    const end = slab + keg.counterOffset + keg.itemsPerSlab * COUNTER_STRIDE;
    // What is not where it should be has been told of.
    if (data !== page << PAGE_SHIFT || page + keg.pagesPerSlab > pageCount || end > words.length) return;
    for (let index = 0; index < keg.itemsPerSlab; index++) {
      const counter = slab + keg.counterOffset + index * COUNTER_STRIDE;
      const item = data + index * keg.itemSize;
      if (!isZero(words, counter + 1, counter + COUNTER_STRIDE))
        walk.report('U14', `the counter of ${itemText(keg, item)} has words behind it that are not 0`);
      if (keg.header !== HeaderKind.COUNTED || gifts.has(item)) continue;
      const fault = judge(read(counter), owners[item >>> GRANULE_SHIFT] as number);
      if (fault !== null)
        walk.report('U21', `the counter of ${itemText(keg, item)} is ${hex(read(counter))}: ${fault}`);
    }
  }

  return (walk) => {
    const gifts = findGifts();
    for (const keg of walk.kegs) {
      if (keg.header === HeaderKind.PLAIN) continue;
      if (read(keg.record + Keg.counterOffset) !== keg.counterOffset) continue;
      for (const slab of walk.slabs) {
        if (read(slab + Slab.keg) === keg.record) auditSlab(walk, keg, slab, gifts);
      }
    }
  };
}
