/** A worker for tests of the machine: does one task and reports by messages. */

import { parentPort, workerData } from 'node:worker_threads';
import { LockRank, MbumaError } from '../check/index.js';
import { joinParty, type Orders, type Party, Place, type Report } from './machine.test-kit.js';

const { task, handle, rounds = 1 } = workerData as Orders;
const party = joinParty(handle);
const { machine, threads, locks, waiting } = party;
const { words } = machine;
const { load, add } = machine.atomics;
const lock = party.at(Place.LOCK);
const queue = party.at(Place.QUEUE);
const gate = party.at(Place.GATE);

function say(said: string, more: Record<string, unknown> = {}): void {
  const { slot, generation } = threads;
  const report: Report = { said, slot, generation, ...more };
  parentPort?.postMessage(report);
}

/** Sleeps until the word is no longer 0. */
function passGate(): void {
  while (load(gate) === 0) Atomics.wait(words, gate, 0, 1000);
}

/** Adds to a plain word under the lock; the word is 1 too low when two are inside at a time. */
function count({ at }: Party): void {
  const counter = at(Place.COUNTER);
  passGate();
  for (let round = 0; round < rounds; round++) {
    locks.acquire(lock, LockRank.ZONE);
    const before = words[counter] as number;
    words[counter + 1] = threads.slot;
    // Long enough for others to pile up, and to go to sleep now and then.
    for (let spin = round % 64 === 0 ? 5000 : 5; spin > 0; spin--) words[counter + 2] = spin;
    if (words[counter + 1] !== threads.slot) throw new Error('another thread is inside');
    words[counter] = before + 1;
    locks.release(lock);
  }
  say('done');
}

/** The same, while others are killed: what the lock guards needs no repair. */
function countOn(it: Party): void {
  locks.onTakeOver(lock, lock + 1, LockRank.ZONE, () => {
    add(it.at(Place.TURNS), 1);
  });
  say('counting');
  count(it);
}

/** Takes the lock, says so, and keeps it until the gate opens. */
function hold(): void {
  locks.acquire(lock, LockRank.ZONE);
  say('held');
  passGate();
  locks.release(lock);
  say('released');
}

/** Takes the lock once, and says how that went. */
function take(): void {
  say('taking');
  try {
    locks.acquire(lock, LockRank.ZONE);
  } catch (error) {
    say('refused', { code: (error as MbumaError).code, owner: (error as MbumaError).owner });
    return;
  }
  say('taken', { word: load(lock) });
  locks.release(lock);
}

/** The same, by one who knows how to repair what the lock guards: a plain counter. */
function takeOver({ at }: Party): void {
  locks.onTakeOver(lock, lock + 1, LockRank.ZONE, () => {
    words[at(Place.COUNTER)] = (words[at(Place.COUNTER)] as number) + 1;
  });
  take();
}

/** Stands in line and waits for as long as it takes. */
function wait(): void {
  for (let round = 0; round < rounds; round++) {
    locks.acquire(lock, LockRank.ZONE);
    waiting.enqueue(queue, waiting.blockingWaiter, round);
    locks.release(lock);
    say('waiting');
    let slices = 0;
    while (!waiting.sleepSlice(waiting.blockingWaiter, 10_000)) slices++;
    say('granted', { gift: waiting.takeGrant(waiting.blockingWaiter), slices });
  }
}

/** The same in the event loop. */
async function waitInLoop(): Promise<void> {
  const waiter = waiting.takeWaiter();
  if (waiter === 0) throw new Error('no waiter');
  locks.acquire(lock, LockRank.ZONE);
  waiting.enqueue(queue, waiter, 0);
  locks.release(lock);
  say('waiting');
  let slices = 0;
  while (!(await waiting.sleepSliceAsync(waiter, 10_000))) slices++;
  say('granted', { gift: waiting.takeGrant(waiter), slices });
  waiting.returnWaiter(waiter);
}

/** Waits for so short a time that the grant often comes while it gives up. */
function giveUp(): void {
  let sum = 0;
  let gifts = 0;
  let gaveUp = 0;
  const waiter = waiting.blockingWaiter;
  passGate();
  for (let round = 0; round < rounds; round++) {
    locks.acquire(lock, LockRank.ZONE);
    waiting.enqueue(queue, waiter, 0);
    locks.release(lock);
    if (!waiting.sleepSlice(waiter, (round % 5) * 0.02)) {
      locks.acquire(lock, LockRank.ZONE);
      const granted = waiting.isGranted(waiter);
      if (!granted) waiting.remove(queue, waiter);
      locks.release(lock);
      if (!granted) {
        gaveUp++;
        continue;
      }
    }
    sum += waiting.takeGrant(waiter);
    gifts++;
  }
  add(party.at(Place.DONE), 1);
  say('done', { sum, gifts, gaveUp });
}

/** Grants a new gift to the head of the line, again and again, until so many waiters are done. */
function grant(): void {
  let sum = 0;
  let gifts = 0;
  passGate();
  while (load(party.at(Place.DONE)) < rounds) {
    locks.acquire(lock, LockRank.ZONE);
    const waiter = waiting.first(queue);
    if (waiter !== 0) {
      gifts++;
      sum += gifts;
      waiting.grant(queue, waiter, gifts);
    }
    waiting.unlock(locks, lock);
  }
  say('done', { sum, gifts });
}

/** Sleeps in slices, and says when it is asked for something. */
function attend(): void {
  let asked = 0;
  waiting.onPoll(() => {
    asked |= threads.takeAttention();
  });
  locks.acquire(lock, LockRank.ZONE);
  waiting.enqueue(queue, waiting.blockingWaiter, 0);
  locks.release(lock);
  say('waiting');
  while (asked === 0) waiting.sleepSlice(waiting.blockingWaiter, 10_000);
  locks.acquire(lock, LockRank.ZONE);
  waiting.remove(queue, waiting.blockingWaiter);
  locks.release(lock);
  say('asked', { asked });
}

/** Attaches and detaches for as long as there is a slot. */
function comeAndGo(): void {
  threads.release();
  passGate();
  let refused = 0;
  for (let round = 0; round < rounds; round++) {
    try {
      const again = joinParty(handle);
      const mark = party.at(Place.TURNS) + again.threads.slot;
      if (add(mark, 1) !== 0) throw new Error(`slot ${again.threads.slot} has two threads`);
      add(mark, -1);
      again.threads.release();
    } catch (error) {
      if (!(error instanceof MbumaError) || error.code !== 'TOO_MANY_THREADS') throw error;
      refused++;
    }
  }
  say('done', { refused });
}

const tasks: Record<string, (party: Party) => void | Promise<void>> = {
  count,
  countOn,
  hold,
  take,
  takeOver,
  wait,
  waitInLoop,
  giveUp,
  grant,
  attend,
  comeAndGo,
};

await (tasks[task] as (party: Party) => void | Promise<void>)(party);
