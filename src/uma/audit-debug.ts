/** The audit of what finds memory bugs: U17 to U20 of README.md. */

import { CheckLevel, REDZONE_BYTE, TRASH_WORD } from '../check/index.js';
import { PAGE_SHIFT, SETTING_RANGES } from '../machine/index.js';
import { isZero, unsoundFields } from '../record/index.js';
import { countAt, itemText, Mark, type Walk } from './audit-slabs.js';
import type { UmaContext } from './context.js';
import type { Maps } from './diagnose.js';
import type { Guard } from './guard.js';
import { headerKegNumber, type KegState } from './keg-state.js';
import type { Kegs } from './kegs.js';
import {
  GRANULE_SHIFT,
  GUARDED_ITEM_WORDS,
  GUARDED_PAGE,
  GUARDED_SITES,
  GuardedItem,
  GuardedState,
  GuardState,
  ITEM_SITES_WORDS,
  ItemSites,
  KegFlag,
  Slab,
  UmaState,
  ZONE_WORDS,
  Zone,
} from './records.js';

export interface DebugAudit {
  /** U17 and U18: the divisor of a slab, the redzones of its items, who had them. */
  auditDebug(walk: Walk, keg: KegState, slab: number): void;
  /** U19 and U20: every page of a guarded item, and the quarantine. After the header kegs. */
  auditGuarded(walk: Walk): void;
}

export function createDebugAudit(context: UmaContext, kegs: Kegs, maps: Maps, guard: Guard): DebugAudit {
  const { machine, pages, sites } = context;
  const { words, owners, pageKegs } = maps;
  const { bytes } = machine;
  const guardAt = machine.area('guard');
  const zonesArea = machine.area('zones');
  const headers = headerKegNumber(GUARDED_ITEM_WORDS * 4);
  const read = (index: number): number => words[index] as number;
  const zoneCount = (): number => read(machine.area('uma') + UmaState.zoneCount);

  function areSitesSound(at: number): boolean {
    const isSite = (site: number): boolean => site >= 0 && site <= sites.count();
    const isThread = (thread: number): boolean =>
      thread >= 0 && (thread & 0xff) <= machine.layout.parameters.maxThreads;
    return (
      isSite(read(at + ItemSites.allocSite)) &&
      isSite(read(at + ItemSites.freeSite)) &&
      isThread(read(at + ItemSites.allocThread)) &&
      isThread(read(at + ItemSites.freeThread)) &&
      read(at + ItemSites.zone) >= 0 &&
      read(at + ItemSites.zone) <= zoneCount()
    );
  }

  function auditDebug({ report }: Walk, keg: KegState, slab: number): void {
    const divisor = read(slab + Slab.divisor);
    const isUsers = (keg.flags & KegFlag.INTERNAL) === 0;
    const has = isUsers && (machine.checkLevel >= CheckLevel.TRASH || (keg.flags & KegFlag.REDZONE) !== 0);
    if (divisor < 0 || divisor > (has ? SETTING_RANGES.checkDivisor.most : 0)) {
      report('U17', `slab ${slab} of keg ${keg.name} has the divisor ${divisor}`);
      return;
    }
    for (let index = 0; isUsers && index < keg.itemsPerSlab; index++) {
      const item = read(slab + Slab.data) + index * keg.itemSize;
      const damage = kegs.patterns.redzoneDamage(keg, item);
      if (damage !== null) {
        const found = `${damage.before} bytes before and ${damage.behind} behind`;
        report('U18', `${itemText(keg, item)} has redzones that are not whole: ${found}`);
      }
      const at = slab + keg.siteOffset + index * ITEM_SITES_WORDS;
      if (keg.siteOffset !== 0 && !areSitesSound(at))
        report('U17', `the sites of ${itemText(keg, item)} cannot be`);
    }
  }

  /** Whether the pages and the record belong together, and to a guarded zone. */
  function isWhole(walk: Walk, record: number, page: number): boolean {
    const number = read(record + GuardedItem.zone);
    if (number < 1 || number > zoneCount()) return false;
    const keg = walk.kegs.find((each) => each.number === read(zonesArea + number * ZONE_WORDS + Zone.keg));
    if (keg === undefined || (keg.flags & KegFlag.GUARDED) === 0) return false;
    if ((keg.flags & KegFlag.TAGGED) === 0 && read(record + GuardedItem.tag) !== 0) return false;
    const { pages: count, offset } = guard.shapeOf(keg);
    if (page + count > pages.pageCount || read(record + GuardedItem.item) !== (page << PAGE_SHIFT) + offset)
      return false;
    for (let at = page; at < page + count; at++)
      if (pageKegs[at] !== GUARDED_PAGE || pages.objectOf(at) !== record) return false;
    return unsoundFields(words, machine.floats, GuardedItem, record).length === 0;
  }

  function isRecord(walk: Walk, record: number): boolean {
    const inMemory = record > 0 && record + GUARDED_ITEM_WORDS <= words.length;
    return (
      inMemory &&
      pageKegs[record >>> (PAGE_SHIFT - 2)] === headers &&
      walk.marks[record >>> (GRANULE_SHIFT - 2)] === Mark.OUT
    );
  }

  function arePatternsWhole(keg: KegState, item: number, inUse: boolean): boolean {
    const { pages: count, offset } = guard.shapeOf(keg);
    const from = item - offset;
    const end = from + (count << PAGE_SHIFT);
    if (!inUse) {
      for (let at = from >>> 2; at < end >>> 2; at++) if (read(at) !== TRASH_WORD) return false;
      return true;
    }
    for (let at = from; at < end; at++) {
      if (at === item) at += keg.extent;
      if (at < end && bytes[at] !== REDZONE_BYTE) return false;
    }
    return true;
  }

  /** How many pages the guarded item has; 0: it is damaged. */
  function auditRecord(walk: Walk, record: number, page: number, quarantined: Set<number>): number {
    const what = `the guarded item on page ${page}`;
    if (!isRecord(walk, record) || read(record + GuardedItem.page) !== page || !isWhole(walk, record, page)) {
      walk.report('U19', `${what} has the record ${record}, and they do not belong together`);
      return 0;
    }
    const zone = zonesArea + read(record + GuardedItem.zone) * ZONE_WORDS;
    const keg = kegs.byNumber(read(zone + Zone.keg));
    const item = read(record + GuardedItem.item);
    const state = read(record + GuardedItem.state);
    const owned = owners[item >>> GRANULE_SHIFT] !== 0;
    const inUse = state === GuardedState.IN_USE;
    const initialised = read(record + GuardedItem.initialised);
    if (initialised < 0 || initialised > (inUse ? 1 : 0))
      walk.report('U19', `${what} is initialised ${initialised} times`);
    if (inUse !== owned || (!inUse && state !== GuardedState.QUARANTINED))
      walk.report('U19', `${what} is in state ${state}, and its owner is ${owners[item >>> GRANULE_SHIFT]}`);
    if (!areSitesSound(record + GUARDED_SITES)) walk.report('U17', `the sites of ${what} cannot be`);
    if (!arePatternsWhole(keg, item, inUse))
      walk.report('U18', `what lies around ${what} has been written to`);
    walk.headers[headers] = countAt(walk.headers, headers) + 1;
    if (owned) walk.guarded[keg.number] = countAt(walk.guarded, keg.number) + 1;
    if (!inUse) quarantined.add(record);
    if (inUse && read(record + GuardedItem.next) !== 0)
      walk.report('U20', `${what} is in use, and has a next`);
    return guard.shapeOf(keg).pages;
  }

  function auditQuarantine({ report }: Walk, quarantined: Set<number>, pagesFound: number): void {
    const field = (offset: number): number => read(guardAt + offset);
    const listed = new Set<number>();
    let last = 0;
    for (let record = field(GuardState.first); record !== 0; record = read(record + GuardedItem.next)) {
      if (!quarantined.has(record) || listed.has(record)) {
        report('U20', `the quarantine runs astray at ${record}`);
        return;
      }
      listed.add(record);
      last = record;
    }
    if (listed.size !== quarantined.size || last !== field(GuardState.last))
      report('U20', `${listed.size} of ${quarantined.size} freed items stand in quarantine`);
    if (field(GuardState.items) !== quarantined.size || field(GuardState.pages) !== pagesFound)
      report(
        'U20',
        `the quarantine counts ${field(GuardState.items)} items of ${field(GuardState.pages)} pages`,
      );
    if (field(GuardState.lock) !== 0) report('U15', 'the lock of the quarantine is not free');
    if (!isZero(words, guardAt + GuardState.spare, guardAt + GuardState.spare + 9))
      report('U14', 'the record of the quarantine has spare words that are not 0');
  }

  return {
    auditDebug,
    auditGuarded(walk) {
      const quarantined = new Set<number>();
      let pagesFound = 0;
      for (let page = pages.firstPage; page < pages.pageCount; ) {
        if (pageKegs[page] !== GUARDED_PAGE) {
          page++;
          continue;
        }
        const record = pages.objectOf(page);
        const before = quarantined.size;
        const count = auditRecord(walk, record, page, quarantined);
        if (quarantined.size > before) pagesFound += count;
        page += Math.max(1, count);
      }
      auditQuarantine(walk, quarantined, pagesFound);
    },
  };
}
