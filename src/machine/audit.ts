/**
 * The audit of the machine: A1 to A4 of README.md. For a quiet memory; reads only, and follows no link.
 */

import { isZero, layoutOf, unsoundFields } from '../record/index.js';
import type { Machine } from './machine.js';
import {
  ASYNC_WAITERS,
  ATTACHED_MASK,
  EpochState,
  FORMAT_VERSION,
  HELD_LOCKS_MAX,
  MAGIC,
  Superblock,
  ThreadSlot,
  ThreadState,
  Waiter,
  WaiterState,
} from './records.js';
import { lifeOf, type Threads } from './threads.js';
import { createSettings, Tunables, unsoundSettings } from './tunables.js';

type Report = (rule: string, message: string) => void;

/** What may be asked of a thread: more kinds than there are, and few enough to find most damage. */
const ATTENTION_MAX = 31;

/** @param hash of the layouts of this build */
export function auditMachine(machine: Machine, threads: Threads, hash: number, report: Report): void {
  const { words, floats, checkLevel } = machine;
  const { superblock, firstPage, parameters } = machine.layout;
  const { maxThreads } = parameters;
  const states: readonly number[] = Object.values(ThreadState);
  const waiterWords = layoutOf(Waiter).words;
  const waitersStart = threads.waiterRef(0, 0);
  const waitersEnd = threads.waiterRef(maxThreads + 1, 0);
  const read = (index: number): number => words[index] as number;
  const inSuperblock = (field: number): number => read(superblock + field);
  const inSlot = (slot: number, field: number): number => read(threads.slotRef(slot) + field);

  function auditSuperblock(): void {
    const expected: [string, number, number][] = [
      ['magic', Superblock.magic, MAGIC],
      ['version', Superblock.version, FORMAT_VERSION],
      ['layoutHash', Superblock.layoutHash, hash | 0],
      ['pageCount', Superblock.pageCount, parameters.pageCount],
      ['maxThreads', Superblock.maxThreads, maxThreads],
      ['maxZones', Superblock.maxZones, parameters.maxZones],
      ['checkLevel', Superblock.checkLevel, checkLevel],
      ['firstPage', Superblock.firstPage, firstPage],
      ['modulePages', Superblock.modulePages, parameters.reservedPages],
      ['poisoned', Superblock.poisoned, 0],
    ];
    for (const [name, field, value] of expected) {
      if (inSuperblock(field) !== value)
        report('A1', `the superblock says that ${name} is ${inSuperblock(field)}, it is ${value}`);
    }
    for (const name of unsoundFields(words, floats, Superblock, superblock))
      report('A1', `${name} of the superblock is unsound`);
  }

  function auditSettings(): void {
    for (const name of unsoundSettings(createSettings(machine)))
      report('A1', `the setting ${name} is out of its range`);
    for (const name of unsoundFields(words, floats, Tunables, machine.area('tunables')))
      report('A1', `${name} of the settings is unsound`);
  }

  function auditEpochs(): void {
    const area = machine.area('epochs');
    if ((read(area + EpochState.sequence) & 1) === 0) report('A1', 'the sequence of epochs is even');
    for (const name of unsoundFields(words, floats, EpochState, area))
      report('A1', `${name} of the epochs is unsound`);
  }

  function auditCounts(): void {
    let live = 0;
    let taken = 0;
    for (let slot = 1; slot <= maxThreads; slot++) {
      const state = inSlot(slot, ThreadSlot.state);
      if (lifeOf(state) === ThreadState.LIVE) live++;
      if (lifeOf(state) !== ThreadState.FREE) taken++;
    }
    const attached = inSuperblock(Superblock.attached) & ATTACHED_MASK;
    if (attached < live || attached > taken)
      report('A1', `${attached} threads are counted, and ${live} slots are live`);
    if (inSuperblock(Superblock.deaths) < 0) report('A1', 'more threads have died than ever came');
  }

  function auditAgent(agent: number, life: number, tell: (message: string) => void): void {
    if (life === ThreadState.LIVE && agent === 0) tell('is live, and nobody has claimed it');
    if (life === ThreadState.FREE && agent !== 0) tell(`is free, and agent ${agent} has claimed it`);
  }

  /** What a thread at rest says of itself. */
  function auditSlot(slot: number): void {
    const at = threads.slotRef(slot);
    const field = (offset: number): number => read(at + offset);
    const tell = (message: string): void => report('A2', `slot ${slot} ${message}`);
    if (field(ThreadSlot.state) === 0) {
      if (!isZero(words, at, at + layoutOf(ThreadSlot).words)) tell('was never taken, and is not all 0');
      return;
    }
    for (const name of unsoundFields(words, floats, ThreadSlot, at)) tell(`has an unsound ${name}`);
    const life = lifeOf(field(ThreadSlot.state));
    if (!states.includes(life) || field(ThreadSlot.state) < 0) tell(`has state ${field(ThreadSlot.state)}`);
    if (life === ThreadState.FREE || life === ThreadState.LIVE)
      auditAgent(field(ThreadSlot.agent), life, tell);
    if (field(ThreadSlot.attention) < 0 || field(ThreadSlot.attention) > ATTENTION_MAX)
      tell(`is asked for ${field(ThreadSlot.attention)}`);
    const sleepingOn = field(ThreadSlot.sleepingOn);
    if (sleepingOn < 0 || sleepingOn >= words.length) tell(`sleeps on word ${sleepingOn}`);
    const held = field(ThreadSlot.heldCount);
    if (held < 0 || held > HELD_LOCKS_MAX) tell(`holds ${held} locks`);
    for (let index = 0; index < HELD_LOCKS_MAX; index++) {
      const lock = field(ThreadSlot.held + index);
      if (lock < 0 || lock >= firstPage * 1024) tell(`names word ${lock} as a lock that it holds`);
    }
    // Who has died may have been in the middle of something.
    if (life !== ThreadState.LIVE && life !== ThreadState.FREE) return;
    const atRest = [ThreadSlot.heldCount, ThreadSlot.pendingLock, ThreadSlot.intent, ThreadSlot.handCount];
    if (atRest.some((offset) => field(offset) !== 0)) tell('is in the middle of something');
    if (life === ThreadState.FREE && sleepingOn !== 0) tell('is free, and sleeps');
    if (field(ThreadSlot.section) !== 0) tell('is in a read section');
  }

  function isWaiterOrNone(at: number): boolean {
    return at === 0 || (at >= waitersStart && at < waitersEnd && (at - waitersStart) % waiterWords === 0);
  }

  function auditWaiter(slot: number, index: number): void {
    const at = threads.waiterRef(slot, index);
    const field = (offset: number): number => read(at + offset);
    const tell = (message: string): void => report('A3', `waiter ${index} of slot ${slot} ${message}`);
    if (slot === 0 || inSlot(slot, ThreadSlot.state) === 0) {
      if (!isZero(words, at, at + waiterWords)) tell('was never used, and is not all 0');
      return;
    }
    const state = field(Waiter.state);
    const queue = field(Waiter.queue);
    if (field(Waiter.slot) !== slot) tell(`says that it is of slot ${field(Waiter.slot)}`);
    if (unsoundFields(words, floats, Waiter, at).length > 0) tell('has a spare word that is not 0');
    if (state === WaiterState.WAITING) {
      if (queue <= 0 || queue >= firstPage * 1024) tell(`waits in a line at ${queue}`);
      if (!isWaiterOrNone(field(Waiter.next)) || !isWaiterOrNone(field(Waiter.previous)))
        tell('has neighbours that are no waiters');
    } else if (state !== WaiterState.IDLE && state !== WaiterState.GRANTED) {
      tell(`has state ${state}`);
    } else if (
      (queue !== 0 && state === WaiterState.IDLE) ||
      field(Waiter.next) !== 0 ||
      field(Waiter.previous) !== 0
    ) {
      tell('stands in no line, and is linked');
    }
  }

  auditSuperblock();
  auditCounts();
  auditSettings();
  auditEpochs();
  if (!isZero(words, threads.slotRef(0), threads.slotRef(1)))
    report('A2', 'slot 0 is nobody, and is not all 0');
  for (let slot = 1; slot <= maxThreads; slot++) auditSlot(slot);
  for (let slot = 0; slot <= maxThreads; slot++)
    for (let index = 0; index <= ASYNC_WAITERS; index++) auditWaiter(slot, index);
}
