/**
 * The audit of mutexes: each invariant of README.md by its number. Each mutex is looked at under its inner
 * lock, so a finding is a finding while other threads work, too.
 */

import { LockRank } from '../check/index.js';
import { createLineAudit } from '../machine/index.js';
import { isText, isZero, unsoundFields } from '../record/index.js';
import type { MutexContext } from './context.js';
import { generationOfOwner, slotOfOwner } from './hand-over.js';
import type { Order } from './order.js';
import {
  MUTEX_NAME_WORDS,
  Mutex,
  MutexClass,
  MutexOrder,
  type MutexRef,
  MutexRegistry,
  SEEN,
  SEEN_SITE_MASK,
  SEEN_SLOT_SHIFT,
} from './records.js';
import type { Registry } from './registry.js';

/** Takes one finding: the rule's number, and where and how it is broken. */
export type Report = (rule: string, message: string) => void;

export function auditMutexes(context: MutexContext, registry: Registry, order: Order, report: Report): void {
  const { machine, threads, sites } = context;
  const { auditLine, underLock } = createLineAudit(context);
  const { words, floats, atomics } = machine;
  const { load } = atomics;
  const { most } = registry;
  const header = machine.area('mutex registry');
  const orders = machine.area('mutex orders');
  const isSite = (site: number): boolean => site >= 0 && site <= sites.count();

  function auditMutex(mutex: MutexRef, tell: Report): void {
    const owner = load(mutex + Mutex.owner);
    const abandoned = words[mutex + Mutex.abandoned];
    if (owner !== 0 && (owner < 0 || !threads.lives(slotOfOwner(owner), generationOfOwner(owner))))
      tell('X2', `its owner ${slotOfOwner(owner)} does not live`);
    if (abandoned !== 0 && abandoned !== 1) tell('X2', `abandoned is ${abandoned}`);
    const site = load(mutex + Mutex.site);
    if (!isSite(site) || (owner === 0 && site !== 0)) tell('X2', `it was taken at site ${site}`);
    auditLine(mutex + Mutex.waiters, 'X3', tell);
    if (owner === 0 && (words[mutex + Mutex.waiters] as number) !== 0)
      tell('X4', 'it is free, and somebody waits for it');
  }

  function auditNames(): void {
    const names = new Set<string>();
    for (let number = 1; number <= registry.classes(); number++) {
      const at = registry.classAt(number);
      const name = registry.classNameOf(number);
      const fields = unsoundFields(words, floats, MutexClass, at);
      if (fields.length > 0 || registry.rankOf(number) < 0)
        report('X1', `class ${number} is unsound: ${fields}`);
      if (names.has(name)) report('X1', `class ${number} has no name of its own`);
      names.add(name);
    }
    names.clear();
    const used = new Set<number>();
    for (let index = 0; index < registry.count(); index++) {
      const mutex = registry.at(index);
      const name = registry.nameOf(mutex);
      const number = registry.classOf(mutex);
      const fields = unsoundFields(words, floats, Mutex, mutex);
      if (fields.length > 0) report('X1', `mutex ${index} has an unsound ${fields}`);
      if (!isText(words, mutex + Mutex.name, MUTEX_NAME_WORDS) || names.has(name))
        report('X1', `mutex ${index} has no name of its own`);
      if (number < 1 || number > registry.classes()) report('X1', `mutex ${name} is of class ${number}`);
      names.add(name);
      used.add(number);
    }
    if (used.size !== registry.classes()) report('X1', 'a class has no mutex');
    const sound = unsoundFields(words, floats, MutexRegistry, header).length === 0;
    if (!sound || !isZero(words, registry.at(registry.count()), registry.at(most)))
      report('X1', 'records of mutexes that are not there are not all 0');
    if (!isZero(words, registry.classAt(registry.classes() + 1), registry.classAt(most + 1)))
      report('X1', 'records of classes that are not there are not all 0');
  }

  function auditOrder(first: number, second: number): void {
    const tell = (message: string): void => report('X6', `class ${first} before ${second}: ${message}`);
    const at = order.at(first, second);
    const seen = load(at + MutexOrder.seen);
    const site = words[at + MutexOrder.site] as number;
    if (seen === 0) {
      if (site !== 0) tell('it is not known, and has a site');
      return;
    }
    const slot = (seen & ~SEEN) >>> SEEN_SLOT_SHIFT;
    if ((seen & SEEN) === 0 || slot < 1 || slot > threads.maxThreads) tell(`it was seen by thread ${slot}`);
    if (!isSite(site) || !isSite(seen & SEEN_SITE_MASK)) tell('a site of it is none');
    if (Math.max(first, second) > registry.classes()) tell('there are no such classes');
    else if (order.findWay(second, first) !== null) tell('and the other way round');
  }

  const count = load(header + MutexRegistry.count);
  const classes = load(header + MutexRegistry.classes);
  if (count < 0 || count > most || classes < 0 || classes > most || classes > count) {
    report('X1', `${count} mutexes of ${classes} classes, and there can be ${most}`);
    return;
  }
  underLock(header + MutexRegistry.lock, LockRank.REGISTRY, 'X5', report, () => {
    auditNames();
    if (count === 0 && isZero(words, orders, order.at(most, most + 1))) return;
    for (let first = 1; first <= most; first++)
      for (let second = 1; second <= most; second++) auditOrder(first, second);
  });
  for (let index = 0; index < registry.count(); index++) {
    const mutex = registry.at(index);
    const tell: Report = (rule, message) => report(rule, `mutex ${registry.nameOf(mutex)}: ${message}`);
    underLock(mutex + Mutex.lock, LockRank.MUTEX, 'X5', tell, () => auditMutex(mutex, tell));
  }
}
