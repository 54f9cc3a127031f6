/** The hooks of this thread that are running, one inside of the other: some things must not be done from one. */

import { MbumaError } from '../check/index.js';
import type { Machine } from '../machine/index.js';
import type { Hook, Hooks } from './hooks.js';

/** Hooks that call their own zone without end come to an error here, and not to the end of the stack. */
const NESTED_MAX = 64;

export interface RunningHooks {
  /** The same function, known while it runs. @throws HOOK_FAILED when too many run */
  watch<One, Two, Three, Answer>(
    zone: string,
    call: (one: One, two: Two, three: Three) => Answer,
  ): (one: One, two: Two, three?: Three) => Answer;
  watchAll(zone: string, hooks: Hooks): Hooks;
  /** @throws ZONE_BUSY when a hook is running */
  refuse(what: string): void;
}

export function createRunningHooks(machine: Machine): RunningHooks {
  /** Names of their zones. */
  const running: string[] = [];
  machine.onRewind(() => {
    running.length = 0;
  });

  function begin(zone: string): void {
    if (running.length >= NESTED_MAX)
      throw new MbumaError(
        'HOOK_FAILED',
        `${NESTED_MAX} hooks run one inside of the other: of zone ${zone}`,
        {
          zone,
        },
      );
    running.push(zone);
  }

  const watch: RunningHooks['watch'] = (zone, call) => (one, two, three) => {
    begin(zone);
    try {
      return call(one, two, three as Parameters<typeof call>[2]);
    } finally {
      running.pop();
    }
  };

  const watchOne = (zone: string, hook: Hook | null): Hook | null =>
    hook === null ? null : watch(zone, hook);

  return {
    watch,
    watchAll: (zone, { ctor, dtor, init, fini }) => ({
      ctor: watchOne(zone, ctor),
      dtor: watchOne(zone, dtor),
      init: watchOne(zone, init),
      fini: watchOne(zone, fini),
    }),
    refuse(what) {
      const zone = running.at(-1);
      if (zone === undefined) return;
      throw new MbumaError('ZONE_BUSY', `${what}: a hook of zone ${zone} is running`, { zone });
    },
  };
}
