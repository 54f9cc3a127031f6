/**
 * Settings of the whole memory that may be changed while it runs: one word each, the same for all threads.
 *
 * A layer reads the word that it obeys at the moment when it acts; nobody is told of a change.
 */

import { array, struct, u32 } from '../record/index.js';
import type { Machine } from './machine.js';

/** The settings. Guard `A`: atomics only. */
export const Tunables = struct(
  'tunables',
  {
    zoneWarnings: u32('A', '1: who meets the limit of a zone that has a warning is told; 0: nobody is.'),
    warningSeconds: u32('A', 'A zone warns once in so many seconds.'),
    timerMs: u32('A', 'Milliseconds between two runs of the periodic timer; 0: it is off.'),
    noSleepWithLocks: u32('A', '1: a call that would sleep while a lock is held does not sleep instead.'),
    checkDivisor: u32('A', 'Every so-manieth item is checked by the debug layer: 1 all, 0 none.'),
    guardFrequency: u32('A', 'So many of 100,000 allocations of a guarded zone get pages of their own.'),
    guardSeed: u32('A', 'What the choice of the guarded allocations starts from, in every thread.'),
    spare: array(9, 'const', 'Zero.'),
  },
  { words: 16 },
);

/** A setting by its name. */
export type Tunable = Exclude<keyof typeof Tunables, 'spare'>;

/** What a setting is in a new memory, and the range of what it may be. */
export interface SettingRange {
  readonly initial: number;
  readonly least: number;
  readonly most: number;
}

export const SETTING_RANGES: Readonly<Record<Tunable, SettingRange>> = {
  zoneWarnings: { initial: 1, least: 0, most: 1 },
  warningSeconds: { initial: 300, least: 0, most: 86_400 },
  timerMs: { initial: 20_000, least: 0, most: 3_600_000 },
  noSleepWithLocks: { initial: 0, least: 0, most: 1 },
  checkDivisor: { initial: 1, least: 0, most: 1_000_000 },
  guardFrequency: { initial: 100_000, least: 0, most: 100_000 },
  guardSeed: { initial: 1, least: 0, most: 0x7fffffff },
};

const NAMES = Object.keys(SETTING_RANGES) as readonly Tunable[];

/** Reads and writes settings. The caller has checked what it writes. */
export interface Settings {
  read(name: Tunable): number;
  write(name: Tunable, value: number): void;
}

export function createSettings(machine: Pick<Machine, 'area' | 'atomics'>): Settings {
  const area = machine.area('tunables');
  const { load, store } = machine.atomics;
  return {
    read: (name) => load(area + Tunables[name]),
    write(name, value) {
      store(area + Tunables[name], value);
    },
  };
}

/** Gives every setting of a new memory its default. */
export function writeDefaults(settings: Settings): void {
  for (const name of NAMES) settings.write(name, SETTING_RANGES[name].initial);
}

/** Names of the settings that are out of their range. */
export function unsoundSettings(settings: Settings): readonly Tunable[] {
  return NAMES.filter((name) => {
    const { least, most } = SETTING_RANGES[name];
    const value = settings.read(name);
    return value < least || value > most;
  });
}
