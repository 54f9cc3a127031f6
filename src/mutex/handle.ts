/** Makes a mutex's handle and its tokens: checks arguments, and asks the witness. */

import {
  CheckLevel,
  describeValue,
  MbumaError,
  requireObject,
  requireSignal,
  requireTimeout,
} from '../check/index.js';
import { siteHere, WaitQueue } from '../machine/index.js';
import type { MutexContext } from './context.js';
import { type HandOver, slotOfOwner } from './hand-over.js';
import type { LockAsyncOptions, Mutex, UnlockToken } from './mutex.js';
import type { HeldLock, Order } from './order.js';
import { Mutex as MutexRecord, type MutexRef } from './records.js';
import type { Registry } from './registry.js';
import type { Waits } from './waits.js';

/** A lock that this thread has or waits for, as order and witness know it. */
interface Taken extends HeldLock {
  readonly mutex: MutexRef;
  /** By `lockAsync`: it belongs to a task that the witness cannot tell from others of this thread. */
  readonly isAsync: boolean;
}

/** What never changes of a mutex. */
type MutexParts = Pick<Taken, 'mutex' | 'name' | 'classNumber'>;

export interface Handles {
  handleOf(mutex: MutexRef): Mutex;
  /** This thread detaches: what it has is released, with the mark that it did not unlock. */
  leave(): void;
}

export function createHandles(
  context: MutexContext,
  registry: Registry,
  order: Order,
  handOver: HandOver,
  waits: Waits,
): Handles {
  const { machine, sites, threads } = context;
  const { words, witness, atomics } = machine;
  const { owner: OWNER, site: SITE, waiters: WAITERS } = MutexRecord;
  const witnessed = machine.checkLevel >= CheckLevel.WITNESS;
  const busy = machine.failpoints.site('mutex.lock', '`tryLock`: as if the mutex were locked; by its name');
  /** What this thread has. */
  const held = new Set<Token>();
  /** What asynchronous calls of this thread wait for: any of it may become the thread's at any time. */
  const awaited = new Set<Taken>();
  let left = false;
  const handles = new Map<MutexRef, Mutex>();
  machine.onRewind(() => {
    held.clear();
    awaited.clear();
    handles.clear();
    left = false;
  });

  function assertHere(): void {
    if (left) throw new MbumaError('DETACHED', 'this thread has detached from the memory');
    threads.assertHere();
  }

  function takenFor(of: MutexParts, isAsync: boolean, below: unknown): Taken {
    const { mutex, name, classNumber } = of;
    const site = witnessed ? siteHere(below) : '';
    return { mutex, isAsync, name, classNumber, site, siteNumber: witnessed ? sites.intern(site) : 0 };
  }

  const asked = ({ site }: Taken): string => (site === '' ? '' : `, asked for at ${site},`);
  const since = (site: string): string => (site === '' ? '' : `, taken at ${site}`);

  function refuse(message: string): never {
    throw new MbumaError('LOCK_ORDER', message, { owner: threads.slot });
  }

  function foreign({ mutex, name }: Taken): MbumaError {
    const owner = slotOfOwner(handOver.ownerOf(mutex));
    const who = owner === 0 ? 'nobody' : `thread ${owner}`;
    return new MbumaError('LOCK_ORDER', `mutex ${name} is not this token's: ${who} has it`, { owner });
  }

  class Token implements UnlockToken {
    readonly taken: Taken;
    readonly ownerDied: boolean;
    declare [Symbol.dispose]: () => void;

    constructor(taken: Taken) {
      this.taken = taken;
      this.ownerDied = handOver.isAbandoned(taken.mutex);
    }

    get locked(): boolean {
      return held.has(this);
    }

    unlock(): boolean {
      if (!held.has(this)) return false;
      if (!handOver.release(this.taken.mutex, false)) throw foreign(this.taken);
      forget(this);
      return true;
    }
  }

  /** Looked for with each token, and not once: a program may bring what its platform lacks. */
  function makeDisposable(): void {
    const dispose = (Symbol as { readonly dispose?: symbol }).dispose;
    if (dispose === undefined || dispose in Token.prototype) return;
    Object.defineProperty(Token.prototype, dispose, {
      value(this: Token) {
        this.unlock();
      },
    });
  }

  function forget(token: Token): void {
    held.delete(token);
    witness.drop(token.taken);
  }

  /** The mutex is this thread's: from now on the witness knows of it. */
  function tokenFor(taken: Taken): UnlockToken {
    makeDisposable();
    const token = new Token(taken);
    if (witnessed) atomics.store(taken.mutex + SITE, taken.siteNumber);
    held.add(token);
    witness.hold(taken);
    return token;
  }

  /** Blocking, this thread would wait for itself. */
  function refuseRecursion(taken: Taken): void {
    const { mutex, name } = taken;
    for (const { taken: each } of held)
      if (each.mutex === mutex)
        refuse(`mutex ${name}${asked(taken)} is this thread's already${since(each.site)}`);
    for (const each of awaited) {
      if (each.mutex !== mutex) continue;
      refuse(`mutex ${name}${asked(taken)} is awaited by this thread, which would wait for itself`);
    }
  }

  function timedOut(mutex: MutexRef, timeoutMs: number): MbumaError {
    const owner = slotOfOwner(handOver.ownerOf(mutex));
    const site = sites.textOf(atomics.load(mutex + SITE));
    const who = owner === 0 ? '' : `: thread ${owner} has it${since(site)}`;
    return new MbumaError(
      'TIMED_OUT',
      `mutex ${registry.nameOf(mutex)} could not be taken within ${timeoutMs} ms${who}`,
      { owner },
    );
  }

  const allHeld = (): Taken[] => [...held].map(({ taken }) => taken);

  /** What the options name as held, and what was taken by `lock`: it is held all the while. */
  function heldByTask(taken: Taken, { holding }: LockAsyncOptions): Taken[] {
    const tokens = holding === undefined ? [] : Array.isArray(holding) ? [...holding] : [holding];
    const named = tokens.map((token: unknown) => {
      if (token instanceof Token && held.has(token)) return token.taken;
      throw new MbumaError(
        'BAD_ARGUMENT',
        `holding must be tokens of this thread that are locked, not ${describeValue(token)}`,
      );
    });
    const all = new Set([...named, ...allHeld().filter(({ isAsync }) => !isAsync)]);
    for (const each of all) {
      if (each.mutex !== taken.mutex) continue;
      refuse(`mutex ${taken.name}${asked(taken)} is this task's already${since(each.site)}`);
    }
    return [...all];
  }

  function makeHandle(mutex: MutexRef): Mutex {
    const name = registry.nameOf(mutex);
    const what = `lock of mutex ${name}`;
    const parts = { mutex, name, classNumber: registry.classOf(mutex) };
    const handle: Mutex = {
      name,
      get owner() {
        assertHere();
        return slotOfOwner(atomics.load(mutex + OWNER));
      },
      get locked() {
        assertHere();
        return atomics.load(mutex + OWNER) !== 0;
      },
      get sleepers() {
        assertHere();
        return words[mutex + WAITERS + WaitQueue.count] as number;
      },
      lock(timeoutMs) {
        assertHere();
        const limit = requireTimeout(timeoutMs);
        const taken = takenFor(parts, false, handle.lock);
        refuseRecursion(taken);
        if (witnessed) order.check([...allHeld(), ...awaited], taken);
        if (!waits.takeBlocking(mutex, limit, what)) throw timedOut(mutex, limit);
        return tokenFor(taken);
      },
      tryLock() {
        assertHere();
        if (busy.fails(name) || !handOver.tryTake(mutex)) return null;
        return tokenFor(takenFor(parts, false, handle.tryLock));
      },
      async lockAsync(options = {}) {
        assertHere();
        requireObject(options, 'options');
        const signal = requireSignal(options.signal);
        const taken = takenFor(parts, true, handle.lockAsync);
        const holds = heldByTask(taken, options);
        if (witnessed) order.check(holds, taken);
        awaited.add(taken);
        try {
          return await waits.takeAsync(mutex, `lockAsync of mutex ${name}`, signal, () => tokenFor(taken));
        } finally {
          awaited.delete(taken);
        }
      },
    };
    return handle;
  }

  return {
    handleOf(mutex) {
      const known = handles.get(mutex);
      if (known !== undefined) return known;
      const handle = makeHandle(mutex);
      handles.set(mutex, handle);
      return handle;
    },
    leave() {
      left = true;
      for (const token of [...held]) {
        handOver.release(token.taken.mutex, true);
        forget(token);
      }
    },
  };
}
