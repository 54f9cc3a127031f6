/**
 * Adoption: one thread looks after the end of another, and cleans up after it.
 *
 * Only what the platform does once a thread can write no more says that it has ended: the `exit` of a Worker
 * of Node, the `close` of a port whose other end it has, a Web Lock that it held for life and that is given
 * to the next. `terminate()` says nothing: the thread may go on writing for seconds.
 *
 * What is found then is found by the *agent*, a number in the slot that is written before anything else: so
 * a thread that ends halfway through attaching is found too. In Node it is the number of the thread; who
 * adopts by a port or a lock makes one up, below 0, and it travels in the handle.
 */

import { describeValue, MbumaError } from './check/index.js';
import { type Attachment, type MemoryHandle, Superblock } from './machine/index.js';
import { agentHere, agentOfThread, isNodeWorker, isPort, lockManager, pause } from './platform.js';
import type { Reaped, Reaping } from './reaping.js';

/** A handle by which a thread attaches that its adopter knows by a number, or by a lock of this name. */
export interface AdoptedHandle extends MemoryHandle {
  readonly agent?: number;
  readonly lock?: string;
}

/** One thread looks after the end of another. */
export interface Adoption {
  /** Send this to the thread, not the memory's own: by a port or a lock it is known by nothing else. */
  readonly handle: MemoryHandle;
  /**
   * Resolves once the thread has ended, with what this thread cleaned up after it: nothing when it had
   * detached, or when another thread was faster. Does not keep the process alive.
   */
  readonly ended: Promise<readonly Reaped[]>;
  /** Looks no more; `ended` stays open. */
  dispose(): void;
}

/** How a thread says, all its life, that it lives. */
export interface AttachOptions {
  /** The other end of the port that its adopter has. It is kept here: one that nobody keeps may be closed. */
  readonly port?: object;
}

/** What a thread must not lose as long as it lives, and what an adopter waits for. */
const kept = new Set<unknown>();

/** Numbers of agents that adopters have made up begin here and go down. */
const FIRST_ADOPTED = -2;

/** Between two looks for whether a thread holds its lock yet. */
const LOOK_MS = 20;
const LOOK_MOST_MS = 250;

/** Calls `listener` when what it looks at has ended; answers how to look no more. */
type Vigil = (listener: () => void, failed: (reason: unknown) => void) => () => void;

function refuse(value: unknown): never {
  throw new MbumaError(
    'BAD_ARGUMENT',
    `adopt takes a Worker of Node, a port that tells of its close, or 'lock', not ${describeValue(value)}`,
  );
}

function read<Type>(value: unknown, reader: () => Type): Type {
  try {
    return reader();
  } catch {
    return refuse(value);
  }
}

/** Waits until a thread holds the lock, then for the lock. */
function vigilByLock(name: string, goesOn: () => boolean): Vigil {
  const manager = lockManager();
  if (manager === null) throw new MbumaError('BAD_CONFIGURATION', 'there are no Web Locks here');
  return (listener, failed) => {
    let looks = true;
    async function watch(locks: NonNullable<typeof manager>): Promise<void> {
      for (let wait = LOOK_MS; looks && goesOn(); wait = Math.min(wait * 1.5, LOOK_MOST_MS)) {
        const { held } = await locks.query();
        if (held?.some((each) => each.name === name)) {
          await locks.request(name, () => undefined);
          if (looks) listener();
          return;
        }
        await pause(wait);
      }
    }
    watch(manager).catch(failed);
    return () => {
      looks = false;
    };
  };
}

export interface Adopting {
  adopt(thread: unknown): Adoption;
}

/** @param isAttached whether this thread still is: afterwards it cleans up after nobody */
export function createAdopting(
  attachment: Attachment,
  reaping: Reaping,
  isAttached: () => boolean,
): Adopting {
  const { machine, threads } = attachment;
  const adoptions = new WeakMap<object, Adoption>();

  function inherit(agent: number): readonly Reaped[] {
    if (!isAttached()) return [];
    const names = threads.byAgent(agent);
    for (const { slot, generation } of names) threads.declareDead(slot, generation);
    if (names.length === 0) return [];
    return reaping.reap().filter(({ thread }) => names.some(({ slot }) => slot === thread));
  }

  function begin(agent: number, handle: MemoryHandle, vigil: Vigil, forget: () => void): Adoption {
    let stop = (): void => {};
    const ended = new Promise<readonly Reaped[]>((resolve, reject) => {
      stop = vigil(() => {
        try {
          resolve(inherit(agent));
        } catch (reason) {
          reject(reason);
        }
      }, reject);
    });
    // Whoever does not look at it does not want to die of it.
    ended.catch(() => {});
    const dispose = (): void => {
      stop();
      forget();
    };
    return { handle, ended, dispose };
  }

  function makeAgent(): number {
    return (
      FIRST_ADOPTED - (machine.atomics.add(machine.layout.superblock + Superblock.adoptions, 1) & 0x3fffffff)
    );
  }

  function adoptObject(thread: object): Adoption {
    const forget = (): void => void adoptions.delete(thread);
    if (read(thread, () => isNodeWorker(thread)) && isNodeWorker(thread)) {
      const threadId = read(thread, () => thread.threadId);
      if (!Number.isInteger(threadId)) refuse(thread);
      if (threadId < 0) {
        throw new MbumaError(
          'BAD_ARGUMENT',
          'the Worker has ended, and its number is gone: adopt it when it is made',
        );
      }
      return begin(
        agentOfThread(threadId),
        machine.handle,
        (listener) => {
          read(thread, () => thread.once('exit', listener));
          return () => void thread.off('exit', listener);
        },
        forget,
      );
    }
    if (!read(thread, () => isPort(thread)) || !isPort(thread)) refuse(thread);
    const agent = makeAgent();
    const vigil: Vigil = (listener) => {
      const listen = (): void => {
        kept.delete(thread);
        listener();
      };
      read(thread, () => thread.addEventListener('close', listen));
      kept.add(thread);
      return () => {
        kept.delete(thread);
        thread.removeEventListener('close', listen);
      };
    };
    return begin(agent, { ...machine.handle, agent } as AdoptedHandle, vigil, forget);
  }

  return {
    adopt(thread) {
      if (thread === 'lock') {
        const agent = makeAgent();
        const unique = Array.from({ length: 4 }, () => Math.floor(Math.random() * 2 ** 32).toString(36));
        const lock = `mbuma ${unique.join('-')}`;
        const handle: AdoptedHandle = { ...machine.handle, agent, lock };
        return begin(agent, handle, vigilByLock(lock, isAttached), () => {});
      }
      if (typeof thread !== 'object' || thread === null) refuse(thread);
      const known = adoptions.get(thread);
      if (known !== undefined) return known;
      const adoption = adoptObject(thread);
      adoptions.set(thread, adoption);
      return adoption;
    },
  };
}

/**
 * The number by which the attaching thread is known. From now on, for life, it keeps what says that it lives.
 *
 * @throws BAD_HANDLE, BAD_ARGUMENT, BAD_CONFIGURATION
 */
export function answerAdopter(handle: AdoptedHandle, options: AttachOptions): number {
  const { agent, lock } = handle;
  if (agent === undefined) {
    if (options.port === undefined) return agentHere();
    throw new MbumaError('BAD_ARGUMENT', 'port goes with the handle of an adoption by the other port');
  }
  if (!Number.isInteger(agent) || agent > FIRST_ADOPTED || agent < -0x80000000) {
    throw new MbumaError('BAD_HANDLE', `the handle names ${describeValue(agent)} as its thread`);
  }
  if (options.port !== undefined) {
    if (!read(options.port, () => isPort(options.port))) {
      throw new MbumaError('BAD_ARGUMENT', `port must be a MessagePort, not ${describeValue(options.port)}`);
    }
    kept.add(options.port);
  }
  if (lock !== undefined) holdForLife(lock);
  return agent;
}

function holdForLife(lock: unknown): void {
  if (typeof lock !== 'string') {
    throw new MbumaError('BAD_HANDLE', `the handle names ${describeValue(lock)} as its lock`);
  }
  const manager = lockManager();
  if (manager === null) throw new MbumaError('BAD_CONFIGURATION', 'there are no Web Locks here');
  if (kept.has(lock)) return;
  kept.add(lock);
  // Refused, the adopter never sees it held, and waits for ever: as good as no adopter.
  manager.request(lock, () => new Promise(() => {})).catch(() => {});
}
