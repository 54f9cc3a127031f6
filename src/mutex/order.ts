/**
 * The order of mutexes: which class may be taken while which is held.
 *
 * Classes with ranks are in the order of these. All else is learned: the first time that a lock of class B
 * is taken while one of class A is held, A before B becomes a fact of the memory, with both call sites,
 * whichever thread it was. From then on whoever takes A while it has B, directly or through a chain of such
 * facts, is told before it takes anything: two threads that do both can wait for each other for ever. Facts
 * are never forgotten; so the relation has no circle, and a fact that is known needs no search.
 *
 * Two locks of one class have no order: who must have both gives them classes of their own, and ranks.
 */

import { LockRank, MbumaError } from '../check/index.js';
import type { MutexContext } from './context.js';
import {
  MUTEX_ORDER_WORDS,
  MutexOrder,
  MutexRegistry,
  SEEN,
  SEEN_SITE_MASK,
  SEEN_SLOT_SHIFT,
} from './records.js';
import type { Registry } from './registry.js';

/** A lock that the taker has, or is about to get. */
export interface HeldLock {
  readonly name: string;
  readonly classNumber: number;
  /** Call site where it was taken; '': not known. */
  readonly site: string;
  /** Its number; 0: the table of sites has no room for it. */
  readonly siteNumber: number;
}

export interface Order {
  /**
   * Judges the taking of a lock while others are held, and learns from it.
   *
   * @throws LOCK_ORDER with both locks and all call sites
   */
  check(held: Iterable<HeldLock>, wanted: HeldLock): void;
  /** Whether locks of class `first` are known to be held while those of class `second` are taken. */
  isKnown(first: number, second: number): boolean;
  /** Classes on the way from one to another, both included; null: there is none. */
  findWay(from: number, to: number): readonly number[] | null;
  /** Word index of what is known of two classes. */
  at(first: number, second: number): number;
}

export function createOrder(context: MutexContext, registry: Registry): Order {
  const { machine, locks, sites, threads } = context;
  const { words } = machine;
  const { load, store } = machine.atomics;
  const { most, rankOf, classNameOf } = registry;
  const orders = machine.area('mutex orders');
  const lock = machine.area('mutex registry') + MutexRegistry.lock;
  const { seen: SEEN_WORD, site: SITE } = MutexOrder;

  const at = (first: number, second: number): number =>
    orders + ((first - 1) * most + (second - 1)) * MUTEX_ORDER_WORDS;
  const isKnown = (first: number, second: number): boolean => load(at(first, second) + SEEN_WORD) !== 0;

  function isRanked(first: number, second: number): boolean {
    return rankOf(first) !== 0 && rankOf(second) !== 0 && rankOf(first) < rankOf(second);
  }

  function findWay(from: number, to: number): readonly number[] | null {
    const cameFrom = new Map<number, number>([[from, 0]]);
    const open = [from];
    const classes = registry.classes();
    for (let each = open.shift(); each !== undefined; each = open.shift()) {
      if (each === to) {
        const way: number[] = [];
        for (let step = to; step !== 0; step = cameFrom.get(step) as number) way.unshift(step);
        return way;
      }
      for (let next = 1; next <= classes; next++) {
        if (cameFrom.has(next) || !(isRanked(each, next) || isKnown(each, next))) continue;
        cameFrom.set(next, each);
        open.push(next);
      }
    }
    return null;
  }

  const place = (site: string): string => site || 'a place that is not known';

  /** Why the first of two classes comes before the second. */
  function reason(first: number, second: number): string {
    const [one, other] = [classNameOf(first), classNameOf(second)];
    if (isRanked(first, second))
      return `${one} has rank ${rankOf(first)}, ${other} has rank ${rankOf(second)}`;
    const seen = load(at(first, second) + SEEN_WORD);
    const slot = (seen >>> SEEN_SLOT_SHIFT) & 0xff;
    const held = place(sites.textOf(seen & SEEN_SITE_MASK));
    const taken = place(sites.textOf(words[at(first, second) + SITE] as number));
    return `thread ${slot} took ${other} at ${taken} while it had ${one}, taken at ${held}`;
  }

  function refuse(held: HeldLock, wanted: HeldLock, why: string): never {
    throw new MbumaError(
      'LOCK_ORDER',
      `mutex ${wanted.name} taken at ${place(wanted.site)} while mutex ${held.name}, taken at ` +
        `${place(held.site)}, is held: ${why}`,
      { owner: threads.slot },
    );
  }

  function learn(held: HeldLock, wanted: HeldLock): void {
    const [first, second] = [held.classNumber, wanted.classNumber];
    let way: readonly number[] | null = null;
    locks.acquire(lock, LockRank.REGISTRY);
    try {
      if (isKnown(first, second)) return;
      way = findWay(second, first);
      if (way === null) {
        words[at(first, second) + SITE] = wanted.siteNumber;
        store(
          at(first, second) + SEEN_WORD,
          SEEN | (threads.slot << SEEN_SLOT_SHIFT) | (held.siteNumber & SEEN_SITE_MASK),
        );
      }
    } finally {
      locks.release(lock);
    }
    if (way === null) return;
    const steps = way.slice(1).map((each, index) => reason((way as number[])[index] as number, each));
    refuse(held, wanted, `it is the other way round elsewhere: ${steps.join('; ')}`);
  }

  return {
    check(held, wanted) {
      for (const each of held) {
        const [first, second] = [each.classNumber, wanted.classNumber];
        if (first === second)
          refuse(each, wanted, `both are of class ${classNameOf(first)}, which has no order of its own`);
        if (!isRanked(first, second) && !isKnown(first, second)) learn(each, wanted);
      }
    },
    isKnown,
    findWay,
    at,
  };
}

/** The registry's lock has been taken over: the site of an order that is not known goes. */
export function repairOrders({ machine }: MutexContext, order: Order, classes: number): void {
  const { words, atomics } = machine;
  for (let first = 1; first <= classes; first++) {
    for (let second = 1; second <= classes; second++) {
      const at = order.at(first, second);
      if (atomics.load(at + MutexOrder.seen) === 0 && words[at + MutexOrder.site] !== 0)
        words[at + MutexOrder.site] = 0;
    }
  }
}
