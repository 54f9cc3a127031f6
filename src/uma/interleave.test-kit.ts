/**
 * Two threads in one: at a chosen step of one thread's call, another thread's call runs as a whole. Steps
 * are where the first takes or releases a lock, or looks at its place in the line, and holds no lock then:
 * what another thread could do while a lock is held it could do before or after as well.
 */

import type { Party } from './uma.test-kit.js';

type Method = (...args: unknown[]) => unknown;

const watched: readonly (readonly ['locks' | 'waiting' | 'threads' | 'intents' | 'hands', string])[] = [
  ['locks', 'acquire'],
  ['locks', 'release'],
  ['waiting', 'isGranted'],
  ['waiting', 'takeGrant'],
  ['waiting', 'sleepSlice'],
  ['waiting', 'assertMayBlock'],
  ['threads', 'beat'],
  ['intents', 'commit'],
  ['hands', 'open'],
  ['hands', 'close'],
];

/**
 * Runs `call`, and `other` before the step `step` of `party` (counted from 0). When there are fewer steps,
 * `other` has not run. Says how many steps there were.
 */
export function interleave(party: Party, step: number, call: () => void, other: () => void): number {
  let steps = 0;
  let inside = false;
  const restore: (() => void)[] = [];
  for (const [part, name] of watched) {
    const owner = party[part] as unknown as Record<string, Method>;
    const original = owner[name] as Method;
    const pause = (): void => {
      if (inside || party.locks.holdsAny()) return;
      inside = true;
      try {
        if (steps === step) other();
      } finally {
        inside = false;
      }
      steps++;
    };
    owner[name] = (...args) => {
      if (name === 'release') {
        const result = original(...args);
        pause();
        return result;
      }
      pause();
      return original(...args);
    };
    restore.push(() => {
      owner[name] = original;
    });
  }
  try {
    call();
  } finally {
    for (const each of restore) each();
  }
  return steps;
}

/** Runs a scenario with the other call at each step in turn, until it has no more. How many steps. */
export function atEachStep(scenario: (step: number) => number): number {
  let step = 0;
  for (let steps = 1; step <= steps; step++) steps = scenario(step);
  return step;
}
