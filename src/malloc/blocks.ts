/** The slow half of malloc: from a request to a block, and back; charging, runs, waiting. */

import { CheckLevel, describeValue, MbumaError, requireInteger, requireTimeout } from '../check/index.js';
import { Hand, HandKind, PAGE_SIZE, type WaiterRef } from '../machine/index.js';
import { CANFAIL, GRANULE_SHIFT, type RunWait, ZERO, type Zone } from '../uma/index.js';
import type { Accounts } from './accounts.js';
import { CLASS_SIZES } from './classes.js';
import type { MallocContext } from './context.js';
import { createFinder } from './finder.js';
import type { Marked, Marks } from './marks.js';
import { TypeCell } from './records.js';
import type { Registry } from './registry.js';
import { createRequests, NEVER, type Request, requireFlags, requireOptions, runOf } from './requests.js';
import { createReturns } from './returns.js';
import type { Runs } from './runs.js';
import type { Waits } from './waits.js';
import type { ZoneSet } from './zone-set.js';

/** A type as one thread knows it. */
export interface OpenType extends Marked {
  readonly name: string;
  /** Word index of this thread's cell. */
  readonly cell: number;
  readonly zoneSet: ZoneSet;
  /** Its blocks are guarded. */
  readonly isGuarded: boolean;
  /** What becomes of its blocks after a death is said: each is charged for, as those under a limit are. */
  readonly isFollowed: boolean;
  /** The fast path of a class may be taken from now on. */
  readonly show: (index: number) => void;
}

/** What an attempt answers that has found no block, and why. A block is a number above 0. */
const Lack = { ROOM: -1, MEMORY: -2 } as const;

export interface Blocks {
  tryAlloc(of: OpenType, size: unknown, flags: unknown, alignment?: unknown): number;
  alloc(of: OpenType, size: unknown, flags: unknown, timeoutMs: unknown, alignment?: unknown): number;
  allocAsync(
    of: OpenType,
    size: unknown,
    flags: unknown,
    options: unknown,
    alignment?: unknown,
  ): Promise<number>;
  free(of: OpenType, block: unknown): void;
  /** Lends a run to the memory; its ticket. */
  setAside(of: OpenType, block: unknown, queue: unknown): number;
  takeBack(of: OpenType, block: unknown, ticket: unknown): boolean;
  usableSize(of: OpenType, block: unknown): number;
  /**
   * Makes a run as long as `size` needs, where it lies. False: it is none, or would be none, or cannot be
   * made so: of a type whose blocks are charged for, or without free pages behind it.
   */
  resize(of: OpenType, block: number, size: number): boolean;
  /**
   * @throws OUT_OF_MEMORY when the limit of the type leaves no room for so many bytes beside `kept` bytes
   *   that the caller holds meanwhile: he would wait for himself
   */
  requireRoomBeside(of: OpenType, kept: number, size: unknown): void;
  /** Looks around a block in use, as `free` does. @throws REDZONE_DAMAGED: it is in use as before */
  requireWhole(of: OpenType, block: number): void;
}

export function createBlocks(
  context: MallocContext,
  registry: Registry,
  accounts: Accounts,
  runs: Runs,
  waits: Waits,
  marks: Marks,
): Blocks {
  const { machine, threads, hands, waiting, uma } = context;
  const { words, bytes, now } = machine;
  const { checkLevel } = machine;
  const allocSite = machine.failpoints.site(
    'malloc.alloc',
    'an allocation of a malloc type, of whatever size',
  );
  const { allocations: ALLOCATIONS, allocationsHigh: ALLOCATIONS_HIGH } = TypeCell;
  const { failures: FAILURES, sizes: SIZES } = TypeCell;
  const { HELD } = Hand;
  const requestOf = createRequests(context);
  const finder = createFinder(context, registry, runs, marks);
  const { kindOf, lengthOf } = finder;
  /** Each block is charged for by itself, and no sooner or later than it is claimed. */
  const isCharged = (of: OpenType): boolean => of.isFollowed || accounts.isLimited(of.type);
  const returns = createReturns(context, registry, accounts, runs, marks, finder, isCharged);
  const { giveBackAt } = returns;

  const read = (index: number): number => words[index] as number;
  const add = (index: number, n: number): void => {
    words[index] = (read(index) + n) | 0;
  };

  // --- taking and counting ---

  function countBlock({ cell }: OpenType, { index }: Request): void {
    add(cell + ALLOCATIONS, 1);
    if (read(cell + ALLOCATIONS) === 0) add(cell + ALLOCATIONS_HIGH, 1);
    const bit = index < 0 ? CLASS_SIZES.length : index;
    words[cell + SIZES + (bit >>> 5)] = read(cell + SIZES + (bit >>> 5)) | (1 << (bit & 31));
  }

  /** Counts a block of a type without a limit. */
  function countInBatch(of: OpenType, request: Request, block: number): void {
    marks.claim(of, request.index, block);
    countBlock(of, request);
    accounts.countInBatch(of.type, request.granules);
  }

  function zeroRun(address: number, { pages }: Request, flags: number): void {
    if ((flags & ZERO) !== 0) machine.fillBytes(address, 0, pages * PAGE_SIZE);
  }

  /** A block, not charged for. */
  function take({ type, zoneSet, isGuarded, show }: OpenType, request: Request, flags: number): number {
    const { index, pages, alignedPages } = request;
    if (index >= 0) {
      const item = zoneSet.zoneOf(index).tryAlloc(flags & ~CANFAIL);
      if (item !== 0) show(index);
      return item;
    }
    const address = runs.tryAlloc(type, pages, alignedPages, flags, isGuarded);
    if (address !== 0) zeroRun(address, request, flags);
    return address;
  }

  /** Takes a block for the room that the hand has; the hand is closed. The block, or Lack. */
  function takeCharged(of: OpenType, request: Request, flags: number, hand: number): number {
    let block = 0;
    try {
      block = take(of, request, flags);
      words[hand + HELD] = block;
    } finally {
      if (block === 0) accounts.discharge(of.type, hand);
    }
    if (block === 0) return Lack.MEMORY;
    marks.claim(of, request.index, block);
    countBlock(of, request);
    hands.close(hand);
    return block;
  }

  const openHand = ({ type }: OpenType): number =>
    hands.open(HandKind.CHARGE, registry.indexOf(type), 0, 0, 0);

  function tryCharged(of: OpenType, request: Request, flags: number): number {
    const hand = openHand(of);
    if (accounts.charge(of.type, request.granules, hand)) return takeCharged(of, request, flags, hand);
    hands.close(hand);
    return Lack.ROOM;
  }

  /** One attempt: a block, or Lack. */
  function tryOnce(of: OpenType, request: Request, flags: number): number {
    if (allocSite.fails(of.name)) return Lack.MEMORY;
    if (isCharged(of)) return tryCharged(of, request, flags);
    const block = take(of, request, flags);
    if (block === 0) return Lack.MEMORY;
    countInBatch(of, request, block);
    return block;
  }

  function fail({ cell }: OpenType): void {
    add(cell + FAILURES, 1);
  }

  function refuseNever(of: OpenType, size: unknown, alignment: unknown): never {
    fail(of);
    const bytes = size === Number.MAX_SAFE_INTEGER ? 'so many' : describeValue(size);
    const place = alignment === 1 ? '' : ` at a multiple of ${describeValue(alignment)}`;
    const text = `malloc type ${of.name}: this memory never has ${bytes} bytes in one piece${place}`;
    throw new MbumaError('OUT_OF_MEMORY', text);
  }

  /** A call that can fail does not wait for a limit to rise. */
  function refuseAbove(of: OpenType, granules: number, flags: number, size: unknown): void {
    if ((flags & CANFAIL) !== 0 && accounts.isAboveLimit(of.type, granules)) throw aboveLimit(of, size, '');
  }

  function aboveLimit({ name, type }: OpenType, size: unknown, beside: string): MbumaError {
    const limit = `its limit of ${accounts.limitOf(type) << GRANULE_SHIFT}`;
    const text = `malloc type ${name}: ${describeValue(size)} bytes${beside} are more than ${limit}`;
    return new MbumaError('OUT_OF_MEMORY', text);
  }

  function timedOut({ name }: OpenType, size: unknown, timeoutMs: number): MbumaError {
    const text = `malloc type ${name}: no block of ${describeValue(size)} bytes within ${timeoutMs} ms`;
    return new MbumaError('TIMED_OUT', text);
  }

  /** A block that was waited for, in a zone's line: it is charged for now, or goes back. */
  function chargeLate(of: OpenType, request: Request, block: number): number {
    if (!isCharged(of)) {
      countInBatch(of, request, block);
      return block;
    }
    const hand = openHand(of);
    if (accounts.charge(of.type, request.granules, hand)) {
      words[hand + HELD] = block;
      marks.claim(of, request.index, block);
      countBlock(of, request);
      hands.close(hand);
      return block;
    }
    hands.close(hand);
    giveBackAt(of, request.index, block);
    return Lack.ROOM;
  }

  /** The room that a waiter was granted becomes a block, or Lack. */
  const redeemer =
    (of: OpenType, request: Request, flags: number) =>
    (waiter: WaiterRef): number => {
      const hand = openHand(of);
      accounts.redeem(waiter, hand);
      return takeCharged(of, request, flags, hand);
    };

  // --- waiting ---

  /** A call that waits for a run, until it has it or lacks room. */
  const runWait = (of: OpenType, request: Request, flags: number, what: string): RunWait<number> => ({
    what,
    flags,
    pages: request.pages,
    attempt() {
      const got = tryOnce(of, request, flags);
      return got === Lack.MEMORY ? null : got;
    },
  });

  /** A block of a class; 0: the time is up. */
  function waitInZone(zone: Zone, flags: number, timeoutMs: number): number {
    try {
      return zone.alloc(flags, timeoutMs);
    } catch (error) {
      if (error instanceof MbumaError && error.code === 'TIMED_OUT') return 0;
      throw error;
    }
  }

  function alloc(
    of: OpenType,
    size: unknown,
    given: unknown,
    timeout: unknown,
    alignment: unknown = 1,
  ): number {
    const timeoutMs = requireTimeout(timeout);
    const flags = requireFlags(given);
    const request = requestOf(size, alignment, of.isGuarded);
    threads.assertHere();
    if (request === NEVER) refuseNever(of, size, alignment);
    const what = `alloc of malloc type ${of.name}`;
    if (checkLevel >= CheckLevel.WITNESS) waiting.assertMaySleep(what, false);
    const deadline = now() + timeoutMs;
    /** One wait: for room, for a run, or in the line of a zone. null: the time is up. */
    const waitOnce = (lack: number, rest: number): number | null => {
      if (lack === Lack.ROOM) {
        refuseAbove(of, request.granules, flags, size);
        return waits.forRoom(of.type, request.granules, rest, what, redeemer(of, request, flags));
      }
      if (request.index < 0) return uma.runWaits.wait(runWait(of, request, flags, what), rest);
      const block = waitInZone(of.zoneSet.zoneOf(request.index), flags, rest);
      return block === 0 ? null : chargeLate(of, request, block);
    };
    try {
      let got: number | null = tryOnce(of, request, flags);
      while (got !== null && got < 0) got = waitOnce(got, Math.max(0, deadline - now()));
      if (got === null) throw timedOut(of, size, timeoutMs);
      return got;
    } catch (error) {
      fail(of);
      throw error;
    }
  }

  async function allocAsync(
    of: OpenType,
    size: unknown,
    given: unknown,
    options: unknown,
    alignment: unknown = 1,
  ): Promise<number> {
    const flags = requireFlags(given);
    const signal = requireOptions(options);
    const request = requestOf(size, alignment, of.isGuarded);
    threads.assertHere();
    if (request === NEVER) refuseNever(of, size, alignment);
    const what = `allocAsync of malloc type ${of.name}`;
    if (checkLevel >= CheckLevel.WITNESS) waiting.assertMaySleep(what, true);
    const waitOnce = async (lack: number): Promise<number> => {
      if (lack === Lack.ROOM) {
        refuseAbove(of, request.granules, flags, size);
        const redeem = redeemer(of, request, flags);
        return waits.forRoomAsync(of.type, request.granules, signal, what, redeem);
      }
      if (request.index < 0) return uma.runWaits.waitAsync(runWait(of, request, flags, what), signal);
      const zone: Zone = of.zoneSet.zoneOf(request.index);
      return chargeLate(of, request, await zone.allocAsync(flags, { ...(signal && { signal }) }));
    };
    try {
      let got = tryOnce(of, request, flags);
      while (got < 0) got = await waitOnce(got);
      return got;
    } catch (error) {
      fail(of);
      throw error;
    }
  }

  /** Back in use, if it is still there; and charged for, if there is room. */
  function takeBack(of: OpenType, block: unknown, ticket: unknown): boolean {
    const address = requireInteger(block, 'block', 1, bytes.length - 1);
    const stay = requireInteger(ticket, 'ticket', 1, 0x7fffffff);
    threads.assertHere();
    const length = runs.lengthAside(of.type, address);
    if (length === 0 || !runs.takeBack(address, stay)) return false;
    // It is this thread's, and nobody's: who dies here leaves a run that is given back.
    const got = chargeLate(of, runOf(length), address);
    return got > 0;
  }

  return {
    tryAlloc(of, size, flags, alignment = 1) {
      const wanted = requireFlags(flags);
      const request = requestOf(size, alignment, of.isGuarded);
      threads.assertHere();
      let got: number = Lack.MEMORY;
      try {
        if (request !== NEVER) got = tryOnce(of, request, wanted);
      } finally {
        if (got <= 0) fail(of);
      }
      return Math.max(0, got);
    },
    alloc,
    allocAsync,
    free: returns.free,
    setAside: returns.setAside,
    takeBack,
    usableSize(of, block) {
      threads.assertHere();
      const index = kindOf(of, block, false);
      // The zone knows what is wrong with an address inside of a block, or one that is free.
      if (index >= 0) uma.requireItem(of.zoneSet.zoneOf(index), block);
      return lengthOf(index);
    },
    resize(of, block, size) {
      const length = runs.lengthAt(of.type, block);
      if (length === 0 || isCharged(of)) return false;
      const request = requestOf(size, 1, of.isGuarded);
      if (request.index >= 0 || request === NEVER || !runs.resize(block, request)) return false;
      accounts.countInBatch(of.type, request.granules - runOf(length).granules);
      return true;
    },
    requireRoomBeside(of, kept, size) {
      const { granules } = requestOf(size, 1, of.isGuarded);
      if (!accounts.isAboveLimit(of.type, granules + (kept >>> GRANULE_SHIFT))) return;
      fail(of);
      throw aboveLimit(of, size, ` beside the ${kept} of the block until they have moved`);
    },
    requireWhole(of, block) {
      const index = kindOf(of, block, false);
      const damage = index < 0 ? runs.damageOf(block) : null;
      if (damage !== null) throw damage;
      if (index >= 0) uma.requireWhole(of.zoneSet.zoneOf(index), block);
    },
  };
}
