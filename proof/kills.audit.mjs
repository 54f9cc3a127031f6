// What the killer looks at when all is quiet, and what it says when something is wrong.

import { writeFileSync } from 'node:fs';
import { ThreadSlot } from '../dist/machine/index.js';
import { Page } from '../dist/phys/records.js';
import { layoutOf } from '../dist/record/index.js';
import { GUARDED_PAGE, GuardedItem, ZONE_WORDS, Zone } from '../dist/uma/records.js';

/** Most that one worker has in its hands in one zone, or between hands. */
const HELD_MOST = 24 + 8;
export const SLOT_WORDS = layoutOf(ThreadSlot).words;
const PAGE_WORDS = layoutOf(Page).words;
const MEMORY_OWNS = 255;
const CARRIED = 0x0ca221ed;
const DUMPED = [
  'threads',
  'waiters',
  'uma',
  'kegs',
  'zones',
  'thread caches',
  'dead bucket',
  'owners',
  'page kegs',
];

/** One memory, and who works on it. */
export class Audited {
  /** Items in use in the pages of a keg, each with its owner. */
  inUse(keg) {
    const { machine } = this;
    const { pageCount } = machine.layout.parameters;
    const pageKegs = machine.halvesAt(machine.area('page kegs'), pageCount);
    const owners = machine.bytesAt(machine.area('owners'), pageCount * 256);
    const found = new Map();
    for (let page = 0; page < pageCount; page++) {
      if (pageKegs[page] !== keg && this.guardedKeg(pageKegs, page) !== keg) continue;
      for (let at = page * 256; at < (page + 1) * 256; at++)
        if (owners[at] !== 0) found.set(at * 16, owners[at]);
    }
    return found;
  }

  /** Keg of the zone of the guarded item that has the page; 0 for a page of none. */
  guardedKeg(pageKegs, page) {
    const { machine } = this;
    if (pageKegs[page] !== GUARDED_PAGE) return 0;
    const record = machine.words[machine.area('pages') + page * PAGE_WORDS + Page.object];
    const zone = machine.area('zones') + machine.words[record + GuardedItem.zone] * ZONE_WORDS;
    return machine.words[zone + Zone.keg];
  }

  /** Everything is as if the dead had never been. */
  audit() {
    const { memory, machine, control } = this;
    const { figures } = this.shared;
    figures.audits++;
    const { clean, violations } = memory.audit();
    if (!clean) return this.report('the audit found something', { violations: violations.slice(0, 8) });
    const holders = new Map();
    const byName = new Map(memory.stats().zones.map((zone) => [zone.name, []]));
    for (const one of this.workers) {
      if (one === null || one.holds === null) continue;
      const slot = Atomics.load(control, 3 + 4 * one.index);
      for (const [name, items] of one.holds.holds) {
        for (const item of items) {
          const other = holders.get(item);
          if (other !== undefined) return this.report('two hold the same item', { item, name, other, slot });
          holders.set(item, slot);
          byName.get(name).push(item);
        }
      }
    }
    for (const ring of this.rings) {
      for (let item = ring.tryTake(); item !== 0; item = ring.tryTake()) {
        const at = item >> 2;
        if (machine.words[at] !== CARRIED || machine.words[at + 1] !== ~item) {
          return this.report('what lies in a ring is not what was put', { item, ring: ring.name });
        }
        if (holders.has(item)) return this.report('an item lies in a ring and is held', { item });
        holders.set(item, 0);
        byName.get('carried').push(item);
      }
    }
    for (const [name, keg, strict] of this.kegs()) {
      const used = this.inUse(keg);
      const names = name === 'prim' ? ['prim', 'second'] : [name];
      const held = new Set(names.flatMap((each) => byName.get(each) ?? []));
      for (const item of held) {
        const owner = used.get(item);
        if (owner === undefined) return this.report('a held item is free', { item, name });
        const slot = holders.get(item);
        if (slot !== 0 && owner !== slot && name !== 'carried') {
          return this.report('a held item belongs to another', { item, name, owner, slot });
        }
      }
      let lost = [...used].filter(([item]) => !held.has(item));
      // A worker that had not opened the zone yet may have been the one that cleaned up.
      for (const zone of this.hooked.filter((each) => each.name === name)) {
        for (const [item, owner] of lost) if (owner === MEMORY_OWNS) zone.free(item);
        figures.lost += lost.length;
        lost = lost.filter(([, owner]) => owner !== MEMORY_OWNS);
      }
      if (strict && lost.length > 0) {
        return this.report('items that nobody holds are in use', {
          name,
          lost: lost.slice(0, 8),
          count: lost.length,
        });
      }
      if (lost.length > HELD_MOST * 2 * this.deaths)
        return this.report('more is lost than could be', { name });
      if (name === 'prim' && lost.some(([, owner]) => owner !== MEMORY_OWNS)) {
        return this.report('what the dead had is not the memory’s', { name, lost: lost.slice(0, 8) });
      }
      figures.lost += lost.length;
      if (name !== 'carried') continue;
      for (const [item] of lost) this.carried.free(item);
      for (const [item, slot] of holders) if (slot === 0) this.carried.free(item);
    }
    const counted = memory.stats().zones.filter(({ name }) => name.startsWith('made ') || name === 'plain');
    for (const { name, used } of counted) {
      const expected = byName.get(name)?.length ?? 0;
      if (used !== expected) return this.report('a zone counts wrong', { name, used, expected });
    }
    memory.drain();
    const again = memory.audit();
    if (!again.clean)
      this.report('the audit found something afterwards', { violations: again.violations.slice(0, 8) });
  }

  /** Name and number of each keg, and whether only living threads may own items of it. */
  kegs() {
    const { machine } = this;
    const found = [];
    const zones = machine.area('zones');
    for (const { name, index } of this.zoneNumbers()) {
      if (name === 'second' || name.startsWith('mbuf') || name.startsWith('ext')) continue;
      const keg = machine.words[zones + index * ZONE_WORDS + Zone.keg];
      found.push([name, keg, name !== 'prim' && name !== 'carried']);
    }
    return found;
  }

  zoneNumbers() {
    return this.memory.stats().zones.map(({ name }, at) => ({ name, index: at + 1 }));
  }

  // --- findings ---

  report(what, detail = {}) {
    if (this.over) return;
    this.over = true;
    const { words } = this.machine;
    const threads = this.machine.area('threads');
    const slots = [];
    for (let slot = 1; slot <= 24; slot++) {
      const at = threads + slot * SLOT_WORDS;
      if (words[at + ThreadSlot.agent] === 0 && (words[at] & 7) === 0) continue;
      slots.push({
        slot,
        life: words[at] & 7,
        reaper: (words[at] >>> 3) & 255,
        generation: words[at] >>> 11,
        agent: words[at + ThreadSlot.agent],
        pending: words[at + ThreadSlot.pendingLock],
        held: [
          ...words.subarray(at + ThreadSlot.held, at + ThreadSlot.held + words[at + ThreadSlot.heldCount]),
        ],
        sleepingOn: words[at + ThreadSlot.sleepingOn],
        intent: words[at + ThreadSlot.intent],
        lockWord: words[words[at + ThreadSlot.pendingLock]],
      });
    }
    const finding = {
      what,
      seed: this.seed,
      group: this.index,
      checkLevel: this.checkLevel,
      kills: this.shared.figures.kills,
      detail,
      slots,
    };
    this.shared.findings.push(finding);
    const { dump } = this.shared;
    if (dump === undefined) return;
    finding.dump = `${dump}.${this.shared.findings.length}`;
    writeFileSync(finding.dump, this.machine.bytes.slice());
    finding.areas = Object.fromEntries(DUMPED.map((name) => [name, this.machine.area(name)]));
    finding.caches = this.machine.layout.parameters;
  }
}
