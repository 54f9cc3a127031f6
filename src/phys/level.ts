/**
 * How full the memory is: what each class leaves, when it is low, whose sleep ends as pages come free.
 * Under the layer's lock, but for the hints.
 */

import type { Machine } from '../machine/index.js';
import { PageClass, THRESHOLD_NAMES, type Thresholds } from './classes.js';
import { Phys, Starving } from './records.js';

export interface Level {
  /** Free pages that requests of a class leave. */
  floorOf(pageClass: PageClass): number;
  /** Free pages above which requests of all classes are alike. */
  reserved(): number;
  /** A request was met from the reserves. */
  noteReserveTaken(): void;
  reserveTaken(): number;
  /** Pages were taken. */
  noteTaken(): void;
  /** Pages came free. */
  noteFreed(): void;
  /** The memory is low. */
  beLow(): void;
  /** A hint. */
  isLow(): boolean;
  /** Times that the memory has become low; wraps. A hint. */
  episodes(): number;
  /** A hint. */
  freeTarget(): number;
  /** Somebody who asks in this class sleeps until pages come free. */
  starve(pageClass: PageClass): void;
  /** Whether there is one whose sleep ends now; nobody waits for it any more then. */
  takeStarving(): boolean;
  setThresholds(thresholds: Thresholds): void;
  /** Hints. */
  thresholds(): Thresholds;
}

export function createLevel(machine: Machine): Level {
  const { words, floats } = machine;
  const phys = machine.area('phys');
  const FREE_PAGES = phys + Phys.freePages;
  const INTERRUPT_FREE_MIN = phys + Phys.interruptFreeMin;
  const FREE_RESERVED = phys + Phys.freeReserved;
  const FREE_MIN = phys + Phys.freeMin;
  const FREE_TARGET = phys + Phys.freeTarget;
  const IS_LOW = phys + Phys.isLow;
  const EPISODES = phys + Phys.episodes;
  const STARVING = phys + Phys.starving;
  const RESERVE_TAKEN = (phys + Phys.reserveTaken) >> 1;

  const read = (index: number): number => words[index] as number;

  function beLow(): void {
    if (read(IS_LOW) !== 0) return;
    words[IS_LOW] = 1;
    words[EPISODES] = (read(EPISODES) + 1) | 0;
  }

  function noteTaken(): void {
    if (read(FREE_PAGES) < read(FREE_MIN)) beLow();
  }

  function noteFreed(): void {
    if (read(FREE_PAGES) >= read(FREE_TARGET)) words[IS_LOW] = 0;
  }

  return {
    floorOf(pageClass) {
      if (pageClass === PageClass.NORMAL) return read(FREE_RESERVED);
      return pageClass === PageClass.SYSTEM ? read(INTERRUPT_FREE_MIN) : 0;
    },
    reserved: () => read(FREE_RESERVED),
    noteReserveTaken() {
      floats[RESERVE_TAKEN] = (floats[RESERVE_TAKEN] as number) + 1;
    },
    reserveTaken: () => floats[RESERVE_TAKEN] as number,
    noteTaken,
    noteFreed,
    beLow,
    isLow: () => read(IS_LOW) !== 0,
    episodes: () => read(EPISODES),
    freeTarget: () => read(FREE_TARGET),
    starve(pageClass) {
      const more = pageClass === PageClass.NORMAL ? Starving.NORMAL : Starving.RESERVE;
      words[STARVING] = Math.max(read(STARVING), more);
    },
    takeStarving() {
      const starving = read(STARVING);
      if (starving === 0) return false;
      if (starving === Starving.NORMAL && read(FREE_PAGES) < read(FREE_MIN)) return false;
      words[STARVING] = 0;
      return true;
    },
    setThresholds(thresholds) {
      for (const name of THRESHOLD_NAMES) words[phys + Phys[name]] = thresholds[name];
      // What was enough may be little now, and the other way round.
      noteTaken();
      noteFreed();
    },
    thresholds() {
      const found = THRESHOLD_NAMES.map((name) => [name, read(phys + Phys[name])]);
      return Object.fromEntries(found) as unknown as Thresholds;
    },
  };
}
