/** Types by name: made by the first thread that asks, found by the others. They are never unmade. */

import { LockRank, MbumaError } from '../check/index.js';
import { asRef, readText, writeText } from '../record/index.js';
import { GRANULE_SHIFT, OWNER_MEMORY, type Zone } from '../uma/index.js';
import type { MallocContext } from './context.js';
import {
  CELL_WORDS,
  DESCRIPTION_WORDS,
  MallocState,
  MallocType,
  NAME_WORDS,
  TYPE_WORDS,
  TypeCell,
  type TypeRef,
  typesMax,
} from './records.js';
import { MALLOC_CELLS } from './zone-names.js';

/**
 * Granules that a cell may have pending, of a type without a limit: a thousandth of the memory, but 1 KiB at
 * least, and 64 KiB at most.
 */
export function batchGranules(pageCount: number): number {
  return Math.max(64, Math.min(4096, pageCount >>> 2));
}

const INT_MIN = -0x80000000;
const INT_MAX = 0x7fffffff;

/** A new type. */
export interface NewType {
  readonly name: string;
  readonly description: string;
  /** Granules; 0: no limit. */
  readonly limit: number;
  readonly ownZones: boolean;
  readonly guarded: boolean;
  /** A value of `OwnerDeath`. */
  readonly onOwnerDeath: number;
}

export interface Registry {
  /**
   * The type of this name; makes it when there is none.
   *
   * @throws LAYOUT_MISMATCH when it exists with another description, other zones, or guarded otherwise;
   *   OUT_OF_MEMORY
   */
  open(type: NewType): TypeRef;
  /** Most types. */
  readonly most: number;
  /** Types that exist. */
  count(): number;
  at(index: number): TypeRef;
  /** The type of a number, from 1, that was read from the memory; 0: there is none. */
  byNumber(number: number): TypeRef | 0;
  indexOf(type: TypeRef): number;
  /** Whether a number is the word index of a type. */
  isType(object: number): object is TypeRef;
  nameOf(type: TypeRef): string;
  descriptionOf(type: TypeRef): string;
  /** Word index of the cell of a slot. */
  cellOf(type: TypeRef, slot: number): number;
  /** Under the type's lock: when cells settle, as the limit says. */
  writeBounds(type: TypeRef): void;
}

export function createRegistry(context: MallocContext): Registry {
  const { machine, locks, threads, uma } = context;
  const { words } = machine;
  const { load, store } = machine.atomics;
  const state = machine.area('malloc');
  const table = machine.area('malloc types');
  const COUNT = state + MallocState.count;
  const lock = state + MallocState.lock;
  const { pageCount } = machine.layout.parameters;
  const most = typesMax(pageCount);
  const batch = batchGranules(pageCount);
  const creation = machine.failpoints.site('malloc.type', 'a record for a new type');
  // Who dies before the type is counted has them still, and they are freed.
  const cells: Zone = uma.zone({
    name: MALLOC_CELLS,
    size: CELL_WORDS * 4,
    perThread: true,
    onOwnerDeath: 'free',
  });

  uma.onZoneEnd(({ name }) => (name === MALLOC_CELLS ? 'is used by malloc types' : ''));

  const at = (index: number): TypeRef => asRef<'malloc type'>(table + index * TYPE_WORDS);
  // Damage must not lead out of the table.
  const count = (): number => Math.min(load(COUNT) >>> 0, most);
  const nameOf = (type: TypeRef): string => readText(words, type + MallocType.name, NAME_WORDS);
  const descriptionOf = (type: TypeRef): string =>
    readText(words, type + MallocType.description, DESCRIPTION_WORDS);
  const cellOf = (type: TypeRef, slot: number): number =>
    ((words[type + MallocType.cells] as number) >>> 2) + (slot - 1) * CELL_WORDS;

  function find(name: string): TypeRef | 0 {
    for (let index = count() - 1; index >= 0; index--) if (nameOf(at(index)) === name) return at(index);
    return 0;
  }

  function writeBounds(type: TypeRef): void {
    const limited = words[type + MallocType.limit] !== 0;
    if (!limited) words[type + MallocType.batched] = 1;
    for (let slot = 1; slot <= threads.maxThreads; slot++) {
      const cell = cellOf(type, slot);
      words[cell + TypeCell.most] = limited ? INT_MIN : batch;
      words[cell + TypeCell.least] = limited ? INT_MAX : -batch;
    }
  }

  /** From here on its cells are nobody's who could die. */
  function bequeath(type: TypeRef): void {
    uma.owners[(words[type + MallocType.cells] as number) >>> GRANULE_SHIFT] = OWNER_MEMORY;
  }

  function createLocked(cell: number, given: NewType): TypeRef {
    const { name, description, limit, ownZones, guarded, onOwnerDeath } = given;
    const type = at(count());
    words[type + MallocType.cells] = cell;
    words[type + MallocType.limit] = limit;
    words[type + MallocType.ownZones] = ownZones ? 1 : 0;
    words[type + MallocType.guarded] = guarded ? 1 : 0;
    words[type + MallocType.onOwnerDeath] = onOwnerDeath;
    writeText(words, type + MallocType.name, NAME_WORDS, name);
    writeText(words, type + MallocType.description, DESCRIPTION_WORDS, description);
    writeBounds(type);
    store(COUNT, count() + 1);
    bequeath(type);
    return type;
  }

  locks.onTakeOver(lock, lock + 1, LockRank.REGISTRY, () => {
    for (let index = 0; index < count(); index++) bequeath(at(index));
    if (count() < most) words.fill(0, at(count()), at(count() + 1));
  });

  function checkAgreement(type: TypeRef, { name, description, ownZones, guarded }: NewType): void {
    const differs = (what: string): MbumaError =>
      new MbumaError('LAYOUT_MISMATCH', `malloc type ${name} exists with ${what}`);
    if (descriptionOf(type) !== description) throw differs('another description');
    if ((words[type + MallocType.ownZones] !== 0) !== ownZones)
      throw differs(ownZones ? 'shared zones' : 'zones of its own');
    if ((words[type + MallocType.guarded] !== 0) !== guarded)
      throw differs(guarded ? 'blocks that are not guarded' : 'guarded blocks');
  }

  function open(given: NewType): TypeRef {
    const known = find(given.name);
    if (known !== 0) {
      checkAgreement(known, given);
      return known;
    }
    // Without the lock: looking for memory may run hooks.
    const cell = creation.fails(given.name) ? 0 : cells.tryAlloc();
    if (cell === 0)
      throw new MbumaError('OUT_OF_MEMORY', `cannot make malloc type ${given.name}: no memory for its cells`);
    words.fill(0, cell >> 2, (cell >> 2) + threads.maxThreads * CELL_WORDS);
    locks.acquire(lock, LockRank.REGISTRY);
    const other = find(given.name);
    const made = other === 0 && count() < most ? createLocked(cell, given) : 0;
    locks.release(lock);
    if (made !== 0) return made;
    cells.free(cell);
    if (other !== 0) {
      checkAgreement(other, given);
      return other;
    }
    throw new MbumaError(
      'OUT_OF_MEMORY',
      `cannot make malloc type ${given.name}: there can be no more than ${most} of them`,
    );
  }

  return {
    open,
    most,
    count,
    at,
    byNumber: (number) => (number >= 1 && number <= count() ? at(number - 1) : 0),
    indexOf: (type) => (type - table) / TYPE_WORDS,
    isType(object): object is TypeRef {
      const index = (object - table) / TYPE_WORDS;
      return Number.isInteger(index) && index >= 0 && index < count();
    },
    nameOf,
    descriptionOf,
    cellOf,
    writeBounds,
  };
}
