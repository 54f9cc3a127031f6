/**
 * The four hooks of a zone, and what their answers mean.
 *
 * `init` runs when an item enters the zone's cache (for a primary zone: when its slab is made), `fini`
 * when it leaves; `ctor` on every allocation, `dtor` on every free. The item must be in the state that
 * `init` left when `dtor` is done. Any of them may fail:
 *
 *   nothing, or 0   all is well
 *   NO_MEMORY       the allocation has no memory: 0 from `tryAlloc`, sleeping in `alloc`
 *   an Error, or a throw   the allocation ends with that error
 *   another number  the allocation ends with HOOK_FAILED
 */

import { hex, MbumaError } from '../check/index.js';
import type { Addr } from '../record/index.js';

/** Whether the hook may sleep. */
export const How = { NOWAIT: 1, WAITOK: 2 } as const;
export type How = (typeof How)[keyof typeof How];

/** A hook's answer: "I lack memory". */
export const NO_MEMORY = 1;

// biome-ignore lint/suspicious/noConfusingVoidType: a hook that returns nothing is the usual one
export type HookAnswer = void | number | Error;
export type Hook = (item: Addr, how: How) => HookAnswer;

/** The hooks of a zone; null where there is none. */
export interface Hooks {
  readonly ctor: Hook | null;
  readonly dtor: Hook | null;
  readonly init: Hook | null;
  readonly fini: Hook | null;
}

/** Runs a hook. 0: well; NO_MEMORY: lacks memory; anything else is thrown. */
export function runHook(hook: Hook, kind: string, zone: string, item: number, how: How): 0 | 1 {
  const answer = hook(item as Addr, how);
  if (answer === undefined || answer === 0) return 0;
  if (answer === NO_MEMORY) return NO_MEMORY;
  if (answer instanceof Error) throw answer;
  // A promise is what an async function answers, and comes too late.
  const what =
    (answer as unknown) instanceof Promise
      ? 'a promise: a hook must not be async'
      : `${String(answer)} for ${hex(item)}`;
  throw new MbumaError('HOOK_FAILED', `${kind} of zone ${zone} answered ${what}`, { address: item, zone });
}

const ERRORS_KEPT = 16;

/** Runs hooks that must not stop what goes on; the first error is kept and thrown at the end. */
export class HookErrors {
  /** What was thrown, in order; the first few of them. */
  readonly all: unknown[] = [];

  run(hook: Hook | null, kind: string, zone: string, item: number, how: How): void {
    if (hook !== null) this.attempt(() => runHook(hook, kind, zone, item, how));
  }

  attempt(call: () => void): void {
    try {
      call();
    } catch (error) {
      if (this.all.length < ERRORS_KEPT) this.all.push(error);
    }
  }

  throwFirst(): void {
    if (this.all.length > 0) throw this.all[0];
  }
}
