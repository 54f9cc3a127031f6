/**
 * Producers and consumers: items go from the one to the other through rings, at limits, while buckets are
 * drained, timers beat and limits change. Works in phases, between which everybody stands still.
 */

import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { Memory } from '../memory-api.js';
import type { Addr } from '../record/index.js';
import type { Ring } from '../ring/index.js';
import type { Zone } from './index.js';
import { turn } from './uma.test-kit.js';
import { Board } from './workers.test-kit.js';

/** Words of the board that belong to traffic; those of the zones follow each other. */
export const Traffic = {
  /** Number of the phase that has begun; whoever is done with one waits here. Negative: it is over. */
  PHASE: Board.GO,
  /** Producers, and all, who are done with the phase. */
  PRODUCED: Board.INSIDE,
  STANDING: Board.DONE,
  /** Items that producers have got, by zone. */
  MADE: Board.MAILBOX,
} as const;

export const ZONES = ['cargo', 'packed', 'read'] as const;

/** Most items of each zone; the caller changes them meanwhile. */
export const LIMIT = 24;

const INITIALISED = 0x1417;
/** How long a producer waits for an item before something is wrong. */
const PATIENCE_MS = 60_000;

/** A primary zone, a secondary one on its keg with hooks, and one whose items wait for readers. */
export function openRoads(memory: Memory): { zones: Zone[]; rings: Ring[] } {
  const { words } = memory;
  const cargo = memory.zone({ name: 'cargo', size: 128, max: LIMIT });
  const packed = memory.zone({
    name: 'packed',
    primary: cargo,
    max: LIMIT,
    init(item) {
      words[item >>> 2] = INITIALISED;
    },
    fini(item) {
      assert.equal(words[item >>> 2], INITIALISED, 'fini without init');
      words[item >>> 2] = 0;
    },
  });
  const read = memory.zone({ name: 'read', size: 96, max: LIMIT, epoch: true });
  const zones = [cargo, packed, read];
  const rings = zones.map((zone) =>
    memory.ring({ name: `road of ${zone.name}`, capacity: 8, carries: zone }),
  );
  return { zones, rings };
}

/** One worker, and what it works with. */
export interface Driver {
  readonly memory: Memory;
  readonly board: Int32Array;
  readonly rounds: number;
  random(bound: number): number;
}

function label(item: Addr, index: number): number {
  return Math.imul(item + index, 0x9e3779b1) | 1;
}

/** The first word belongs to `init` of the secondary zone. */
function load({ words }: Memory, zone: Zone, item: Addr): void {
  if (zone.name === 'packed') assert.equal(words[item >>> 2], INITIALISED);
  for (let index = 1; index < zone.size >> 2; index++) words[(item >>> 2) + index] = label(item, index);
}

function unload({ words }: Memory, zone: Zone, item: Addr): void {
  for (let index = 1; index < zone.size >> 2; index++)
    assert.equal(words[(item >>> 2) + index], label(item, index), `${zone.name}: word ${index} of ${item}`);
}

/** Drains of every kind, and a turn of the event loop, in which the timer beats. */
async function disturb({ memory, random }: Driver, zone: Zone): Promise<void> {
  const choice = random(60);
  if (choice === 0) memory.reclaim('trim');
  else if (choice === 1) memory.reclaim('threads');
  else if (choice === 2) zone.drain();
  else if (choice < 6) await turn();
  else if (choice < 9) memory.poll();
}

/** Stands still, without an event loop, until the next phase begins. Its number. */
function standStill(board: Int32Array, phase: number): number {
  Atomics.add(board, Traffic.STANDING, 1);
  while (Atomics.load(board, Traffic.PHASE) === phase) Atomics.wait(board, Traffic.PHASE, phase, 1000);
  return Atomics.load(board, Traffic.PHASE);
}

/** Works in every phase, and stands still before, between and after them. */
async function eachPhase({ board }: Driver, work: () => Promise<void>): Promise<void> {
  for (let phase = standStill(board, 0); phase > 0; phase = standStill(board, phase)) await work();
}

/** Makes items and sends them. How often it had to sleep for one. */
export async function produce(driver: Driver): Promise<number> {
  const { memory, board, rounds, random } = driver;
  const { zones, rings } = openRoads(memory);
  const make = async (zone: Zone): Promise<Addr | 0> => {
    const choice = random(4);
    if (choice === 0) return zone.tryAlloc();
    return choice === 1 ? await zone.allocAsync() : zone.alloc(0, PATIENCE_MS);
  };
  await eachPhase(driver, async () => {
    for (let round = 0; round < rounds; round++) {
      const at = random(zones.length);
      const zone = zones[at] as Zone;
      await disturb(driver, zone);
      const item = await make(zone);
      if (item === 0) continue;
      Atomics.add(board, Traffic.MADE + at, 1);
      load(memory, zone, item);
      (rings[at] as Ring).put(item);
    }
    Atomics.add(board, Traffic.PRODUCED, 1);
  });
  return zones.reduce((sum, zone) => sum + zone.stats().sleeps, 0);
}

/** Takes items and frees them, until all that a phase has made is gone. */
export async function consume(driver: Driver, producers: number): Promise<number> {
  const { memory, board, random } = driver;
  const { zones, rings } = openRoads(memory);
  const out = new Int32Array(8);
  const takeSome = (at: number): number => {
    const zone = zones[at] as Zone;
    const taken = (rings[at] as Ring).tryTakeMany(out, 1 + random(8));
    for (const item of out.subarray(0, taken)) unload(memory, zone, item as Addr);
    if (random(2) === 0) zone.freeMany(out, taken);
    else for (const item of out.subarray(0, taken)) zone.free(item as Addr);
    return taken;
  };
  await eachPhase(driver, async () => {
    for (;;) {
      // Asked before the rings are looked at: after that nothing comes into them.
      const isLast = Atomics.load(board, Traffic.PRODUCED) === producers;
      const taken = zones.reduce((sum, _, at) => sum + takeSome(at), 0);
      await disturb(driver, zones[random(zones.length)] as Zone);
      if (taken > 0) continue;
      if (isLast) return;
      await pause(1);
    }
  });
  return 0;
}
