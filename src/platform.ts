/**
 * What platforms say of threads and of their end: found at run time, for none of these names is everywhere.
 */

import type { NativeThreads } from './machine/index.js';

/** A Worker of Node. */
export interface NodeWorker {
  /** Unique in the process; -1 once it has ended. */
  readonly threadId: number;
  once(event: 'exit', listener: () => void): unknown;
  off(event: 'exit', listener: () => void): unknown;
}

/** A MessagePort, as far as its end goes. */
export interface Port {
  addEventListener(event: 'close', listener: () => void): void;
  removeEventListener(event: 'close', listener: () => void): void;
}

/** Web Locks. */
export interface LockManager {
  request(name: string, callback: () => Promise<void> | undefined): Promise<void>;
  query(): Promise<{ readonly held?: readonly { readonly name?: string }[] }>;
}

interface WorkerThreads {
  readonly threadId: number;
  readonly Worker: new () => NodeWorker;
}

interface Files {
  existsSync(path: string): boolean;
  readlinkSync(path: string): string;
}

interface Platform {
  readonly process?: {
    readonly platform?: string;
    getBuiltinModule?<Module = WorkerThreads>(name: string): Module | undefined;
  };
  readonly navigator?: { readonly locks?: LockManager };
  readonly MessagePort?: new () => Port;
  readonly console?: { warn(message: string): void };
  setTimeout(callback: () => void, milliseconds: number): number | { unref(): void };
}

const platform = globalThis as unknown as Platform;

/** Number of a thread that nobody can find by it. */
const UNKNOWN_AGENT = -1;

// Not imported: a bundler for browsers would look for it.
const workerThreads = platform.process?.getBuiltinModule?.('node:worker_threads');

/** The number by which a thread of Node is known to whoever made it. It is not 0. */
export const agentOfThread = (threadId: number): number => threadId + 1;

/** The number of this thread. */
export function agentHere(): number {
  return workerThreads === undefined ? UNKNOWN_AGENT : agentOfThread(workerThreads.threadId);
}

/** Undefined: nobody has asked yet. */
let native: NativeThreads | null | undefined;

/** What the operating system knows of threads: found once, for a thread keeps its number. */
export function nativeThreads(): NativeThreads | null {
  if (native === undefined) native = findNativeThreads();
  return native;
}

/**
 * Linux tells it in files; others cannot be asked from here.
 * A number may be another thread's later: then nobody is found gone that is, which only costs time.
 */
function findNativeThreads(): NativeThreads | null {
  if (platform.process?.platform !== 'linux') return null;
  try {
    const files = platform.process.getBuiltinModule?.<Files>('node:fs');
    const here = files?.readlinkSync('/proc/thread-self').split('/');
    const id = Number(here?.[2]);
    const tasks = `/proc/${here?.[0]}/task`;
    if (files === undefined || !(id > 0) || !files.existsSync(`${tasks}/${id}`)) return null;
    // Without the folder nothing can be said of what is in it.
    return {
      id,
      isGone: (other) => !files.existsSync(`${tasks}/${other}`) && files.existsSync(`${tasks}/${id}`),
    };
  } catch {
    return null;
  }
}

export function isNodeWorker(value: unknown): value is NodeWorker {
  return workerThreads !== undefined && value instanceof workerThreads.Worker;
}

/** Whether it is a port, and one that tells when its other end is gone: in old browsers they do not. */
export function isPort(value: unknown): value is Port {
  const { MessagePort } = platform;
  if (typeof MessagePort !== 'function' || !(value instanceof MessagePort)) return false;
  return workerThreads !== undefined || 'onclose' in value;
}

/**
 * Web Locks, which browsers have in secure contexts. Not those of Node: it has them since 24, and does not
 * give on what a terminated thread held.
 */
export function lockManager(): LockManager | null {
  return workerThreads === undefined ? (platform.navigator?.locks ?? null) : null;
}

/** Tells a warning where people see it. */
export function warnPeople(message: string): void {
  platform.console?.warn(message);
}

/** A pause that does not keep the process alive. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = platform.setTimeout(resolve, milliseconds);
    if (typeof timer === 'object') timer.unref();
  });
}
