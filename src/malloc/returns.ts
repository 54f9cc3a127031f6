/** Blocks on their way back: freed, or set aside; out of their type's figures in either case. */

import { type ErrorCode, hex, MbumaError } from '../check/index.js';
import { Hand, HandKind } from '../machine/index.js';
import type { Addr } from '../record/index.js';
import { GRANULE_SHIFT } from '../uma/index.js';
import type { Accounts } from './accounts.js';
import type { OpenType } from './blocks.js';
import type { MallocContext } from './context.js';
import type { Finder } from './finder.js';
import type { Marks } from './marks.js';
import { TypeCell } from './records.js';
import type { Registry } from './registry.js';
import { requireQueue } from './requests.js';
import type { Runs } from './runs.js';

/** What is told of a block when it is free. */
const TOLD_LATER: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['REDZONE_DAMAGED', 'MODIFIED_AFTER_FREE']);

/** Gives back a block of a class (less than 0: a run) that is unclaimed; what was found out about it. */
type GiveBack = (of: OpenType, index: number, block: number) => MbumaError | null;

export interface Returns {
  free(of: OpenType, block: unknown): void;
  /** Lends a run to the memory; its ticket. */
  setAside(of: OpenType, block: unknown, queue: unknown): number;
  /** Gives back a block that nobody has been told of, and that is not counted. */
  giveBackAt: GiveBack;
}

/** @param isCharged whether each block of a type is charged for by itself */
export function createReturns(
  context: MallocContext,
  registry: Registry,
  accounts: Accounts,
  runs: Runs,
  marks: Marks,
  { kindOf, lengthOf }: Finder,
  isCharged: (of: OpenType) => boolean,
): Returns {
  const { machine, threads, hands } = context;
  const { words } = machine;
  const { frees: FREES } = TypeCell;
  const { HELD, SECOND: GRANULES } = Hand;

  const read = (index: number): number => words[index] as number;
  const add = (index: number, n: number): void => {
    words[index] = (read(index) + n) | 0;
  };

  /** Gives a block back that is unclaimed. What was found out about it is answered: it is free then. */
  function giveBackAt({ zoneSet, show }: OpenType, index: number, block: number): MbumaError | null {
    if (index < 0) {
      const damage = runs.damageOf(block);
      runs.free(block);
      return damage;
    }
    try {
      zoneSet.zoneOf(index).free(block as Addr);
    } catch (error) {
      if (error instanceof MbumaError && TOLD_LATER.has(error.code)) return error;
      throw error;
    }
    show(index);
    return null;
  }

  /** Whose charge is in a hand until the block is given back, or back with the block if it is none. */
  function freeCharged(
    of: OpenType,
    index: number,
    block: number,
    granules: number,
    giveBack: GiveBack,
  ): MbumaError | null {
    const hand = hands.open(HandKind.CHARGE, registry.indexOf(of.type), block, granules, 0);
    let found: MbumaError | null;
    try {
      marks.unclaim(of, index, block);
      // From here on the room is the hand's: the block may soon be another's.
      words[hand + HELD] = 0;
      found = giveBack(of, index, block);
    } catch (error) {
      words[hand + GRANULES] = 0;
      hands.close(hand);
      throw error;
    }
    accounts.discharge(of.type, hand);
    return found;
  }

  function freeInBatch(
    of: OpenType,
    index: number,
    block: number,
    granules: number,
    giveBack: GiveBack,
  ): MbumaError | null {
    marks.unclaim(of, index, block);
    const found = giveBack(of, index, block);
    accounts.countInBatch(of.type, -granules);
    return found;
  }

  function free(of: OpenType, block: unknown): void {
    if (block === 0) return;
    threads.assertHere();
    const index = kindOf(of, block, true);
    const found = uncount(of, index, block as number, giveBackAt);
    if (found !== null) throw found;
  }

  /** A block is the type's no more: it goes where `giveBack` puts it, and is counted as freed. */
  function uncount(of: OpenType, index: number, block: number, giveBack: GiveBack): MbumaError | null {
    const granules = lengthOf(index) >>> GRANULE_SHIFT;
    const freeOne = isCharged(of) ? freeCharged : freeInBatch;
    const found = freeOne(of, index, block, granules, giveBack);
    add(of.cell + FREES, 1);
    return found;
  }

  function setAside(of: OpenType, block: unknown, queue: unknown): number {
    const place = requireQueue(queue);
    threads.assertHere();
    const index = kindOf(of, block, false);
    if (index >= 0)
      throw new MbumaError(
        'BAD_ARGUMENT',
        `${hex(block as number)} is no run: what is set aside must be longer than 64 KiB`,
        { address: block as number },
      );
    const damage = runs.damageOf(block as number);
    if (damage !== null) throw damage;
    let ticket = 0;
    uncount(of, index, block as number, () => {
      ticket = runs.setAside(block as number, place);
      return null;
    });
    return ticket;
  }

  return { free, setAside, giveBackAt };
}
