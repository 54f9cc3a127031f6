/** Names of the words of a memory, for reports of the explorer. */

import {
  EpochState,
  type Machine,
  PAGE_SHIFT,
  PAGE_WORDS,
  Site,
  SiteTable,
  Superblock,
  ThreadSlot,
  Tunables,
  Waiter,
} from './machine/index.js';
import { MallocState, MallocTypeRecord, TypeCell } from './malloc/index.js';
import { MutexClass, MutexOrder, MutexRecord, MutexRegistry } from './mutex/index.js';
import { Page, Phys } from './phys/index.js';
import { layoutOf } from './record/index.js';
import { RingRecord, RingRegistry } from './ring/index.js';
import {
  BackendRecord,
  ForeignKegRecord,
  GuardState,
  KegRecord,
  Slab,
  ThreadCache,
  UmaState,
  ZoneRecord,
} from './uma/index.js';

/** What the words of each boot area are. */
const areaRecords: Readonly<Record<string, object>> = {
  threads: ThreadSlot,
  tunables: Tunables,
  epochs: EpochState,
  waiters: Waiter,
  phys: Phys,
  pages: Page,
  uma: UmaState,
  backends: BackendRecord,
  kegs: KegRecord,
  zones: ZoneRecord,
  guard: GuardState,
  'foreign kegs': ForeignKegRecord,
  'thread caches': ThreadCache,
  'mutex registry': MutexRegistry,
  'mutex classes': MutexClass,
  mutexes: MutexRecord,
  'mutex orders': MutexOrder,
  malloc: MallocState,
  'malloc types': MallocTypeRecord,
};

function fieldName(record: object, offset: number): string {
  const { fields } = layoutOf(record);
  const field = fields.find((each) => offset >= each.offset && offset < each.offset + each.words);
  if (field === undefined) return `word ${offset}`;
  return field.words === 1 || field.kind === 'f64' ? field.name : `${field.name}[${offset - field.offset}]`;
}

function recordName(record: object, index: number, offset: number): string {
  return `${layoutOf(record).name}[${index}].${fieldName(record, offset)}`;
}

/** Names words by the record and field that they belong to: `thread[2].heartbeat`, `owners[12]`. */
export function createNamer({ layout }: Machine, words: Int32Array): (word: number) => string {
  const areas = [...layout.areas].sort(([, one], [, other]) => other - one);
  const pages = layout.areas.get('pages') as number;
  const pageWords = layoutOf(Page).words;

  const types = layout.areas.get('malloc types') as number;
  const { maxThreads } = layout.parameters;

  /** A cell of malloc, which lies in an item; '' for another word. */
  function nameInCell(word: number): string {
    const [typeWords, cellWords] = [layoutOf(MallocTypeRecord).words, layoutOf(TypeCell).words];
    for (let type = types; words[type + MallocTypeRecord.cells] !== 0; type += typeWords) {
      const offset = word - ((words[type + MallocTypeRecord.cells] as number) >>> 2);
      if (offset >= 0 && offset < maxThreads * cellWords)
        return recordName(TypeCell, Math.floor(offset / cellWords), offset % cellWords);
      if (type + typeWords >= layout.firstPage * PAGE_WORDS) break;
    }
    return '';
  }

  function nameInPage(word: number): string {
    const cell = nameInCell(word);
    if (cell !== '') return cell;
    const page = word >> (PAGE_SHIFT - 2);
    const slab = words[pages + page * pageWords + Page.object] as number;
    if (slab !== 0 && word >= slab && word < slab + layoutOf(Slab).words)
      return `slab[${page}].${fieldName(Slab, word - slab)}`;
    return `page[${page}]+${word % PAGE_WORDS}`;
  }

  return (word) => {
    if (word >= layout.firstPage * PAGE_WORDS) return nameInPage(word);
    const area = areas.find(([, start]) => word >= start);
    const { superblock } = layout;
    if (area === undefined && word < superblock) return `reserved[${word}]`;
    if (area === undefined) return `superblock.${fieldName(Superblock, word - superblock)}`;
    const [name, start] = area;
    const offset = word - start;
    if (name === 'rings') return nameOfTable(RingRegistry, RingRecord, offset);
    if (name === 'sites') return nameOfTable(SiteTable, Site, offset);
    const record = areaRecords[name];
    if (record === undefined) return `${name}[${offset}]`;
    const size = layoutOf(record).words;
    return recordName(record, Math.floor(offset / size), offset % size);
  };
}

/** A header, and records behind it. */
function nameOfTable(header: object, record: object, offset: number): string {
  const first = layoutOf(header).words;
  if (offset < first) return recordlessName(header, offset);
  const size = layoutOf(record).words;
  return recordName(record, Math.floor((offset - first) / size), (offset - first) % size);
}

function recordlessName(record: object, offset: number): string {
  return `${layoutOf(record).name}.${fieldName(record, offset)}`;
}
