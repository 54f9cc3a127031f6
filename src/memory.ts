/**
 * The memory: all layers put together for one thread.
 *
 * `createMemory` makes the buffer and attaches the calling thread; `attachMemory` attaches another. What
 * a thread has of it is one `Memory` object; everything else is in the buffer.
 */

import { type Adoption, type AttachOptions, answerAdopter, createAdopting } from './adoption.js';
import {
  CHECK_LEVEL_MAX,
  type CheckLevel,
  describeValue,
  type Failpoints,
  MbumaError,
  optionalInteger,
  requireInteger,
  requireObject,
} from './check/index.js';
import {
  type AreaPlanner,
  type Attachment,
  auditMachine,
  createAttachment,
  createMachine,
  type Fabric,
  joinMachine,
  type Machine,
  type MemoryHandle,
  openMachine,
  PAGE_SIZE,
  planLayout,
  planThreads,
  publishMachine,
  Superblock,
  THREADS_MAX,
  type ThreadName,
  ThreadSlot,
  Waiter,
  WaitQueue,
  type Weave,
} from './machine/index.js';
import { createMbufs, type Mbufs, mbufRecords, planMbufs } from './mbuf/index.js';
import { createPages, Page, type PagesStats, Phys, planPages } from './phys/index.js';
import { agentHere, nativeThreads } from './platform.js';
import { createReaping, type Reaped, type ReapListener } from './reaping.js';
import { alignUp, layoutHash } from './record/index.js';
import {
  createRings,
  planRings,
  type Ring,
  type RingOptions,
  RingRecord,
  RingRegistry,
} from './ring/index.js';
import {
  createUma,
  Keg,
  planUma,
  Slab,
  ThreadCache,
  type Uma,
  UmaState,
  type Zone,
  type ZoneOptions,
  ZoneRecord,
  type ZoneStats,
} from './uma/index.js';

/** How a memory is made. */
export interface MemoryOptions {
  /** Size of the whole memory, 1 MiB to 2 GiB; rounded up to 64 KiB. Committed lazily by the platform. */
  readonly bytes: number;
  /** Threads that can be attached at one time, 1 to 254. Default 32. */
  readonly maxThreads?: number;
  /** Zones that can exist at one time, 16 to 1024. Default 128. */
  readonly maxZones?: number;
  /** How much is checked beyond what always is: 0 nothing, 1 lock order, 2 trash in free items. Default 0. */
  readonly checkLevel?: CheckLevel;
  /** false: never use WebAssembly; true: refuse to do without it. Default: use it where it is allowed. */
  readonly wasm?: boolean;
  /** Limits of the network buffers. `max`: clusters, 0 for no limit. Default: from the memory's size. */
  readonly mbufs?: { readonly max?: number };
}

/** One broken invariant that the audit found. */
export interface Violation {
  /** Number of the invariant, as in the README of its layer. */
  readonly rule: string;
  readonly message: string;
}

export interface AuditReport {
  readonly clean: boolean;
  readonly violations: readonly Violation[];
}

/** A snapshot of the whole memory. Plain data. */
export interface MemoryStats {
  readonly bytes: number;
  readonly threads: number;
  readonly pages: PagesStats;
  readonly zones: readonly ZoneStats[];
}

/** One thread's attachment to a memory. */
export interface Memory {
  /** Send this through `workerData` or `postMessage`, and attach to it there. */
  readonly handle: MemoryHandle;
  /** The memory as 32-bit words: word `address >> 2`. */
  readonly words: Int32Array;
  /** The memory as bytes. */
  readonly bytes: Uint8Array;
  /** Slot of this thread, 1 to 254: what the owner bytes say. */
  readonly thread: number;
  /** Slot and generation of this thread: what `declareDead` is told. */
  readonly name: ThreadName;
  /** Named places that can be made to fail, for this thread. */
  readonly failpoints: Failpoints;
  /** Makes a zone, or attaches to the zone of this name when the layout agrees. */
  zone(options: ZoneOptions): Zone;
  /** Network buffers. The zones are made, or opened, at the first use. */
  readonly mbufs: Mbufs;
  /** Makes a ring, or finds the one of this name. */
  ring(options: RingOptions): Ring;
  /** Copies bytes inside the memory; ranges may overlap. Not checked: the caller owns both ranges. */
  copyBytes(target: number, source: number, length: number): void;
  /** Fills bytes. Not checked: the caller owns the range. */
  fillBytes(address: number, value: number, length: number): void;
  /** Does what other threads ask of this one, such as giving back cached items. Call it when idle. */
  poll(): void;
  /**
   * Cleans up after threads that have been declared dead; what became of what they had. Every thread is
   * asked to, and does it at its next slow path, sleep or `poll`; one of them gets it. So there is hardly
   * ever a need to call it.
   */
  reap(): Reaped[];
  /** Calls `listener` after each thread that this one has cleaned up after. */
  onReaped(listener: ReapListener): void;
  /**
   * Says that a thread has ended without having detached. Only who knows that it has ended, and can write
   * no more, may say so: `terminate()` having been called is not enough. False: it was not attached, or this
   * has been said.
   */
  declareDead(thread: ThreadName): boolean;
  /**
   * Looks after the end of a thread, and cleans up after it then, wherever it was. It does not matter
   * whether it has attached yet, and it may detach as usual. Who adopts must not block for good: it is told
   * by an event.
   *
   * @param thread a Worker of Node; or a MessagePort, or 'lock' for a Web Lock: then send the adoption's
   *   `handle` to the thread, and to no other; a port's other end goes into `attachMemory(handle, { port })`
   * @throws BAD_ARGUMENT for anything else, and for a Worker that has ended; BAD_CONFIGURATION where there
   *   are no Web Locks that can be relied on
   */
  adopt(thread: object | 'lock'): Adoption;
  /** Gives back all that is cached and not needed now: buckets, empty slabs, pages. */
  drain(): void;
  /** Gives the thread slot back. Items that this thread still holds stay allocated. */
  detach(): void;
  /** Checks every invariant. The memory must be quiet: no other thread may work on it meanwhile. */
  audit(): AuditReport;
  stats(): MemoryStats;
}

const BYTES_MIN = 1 << 20;
const BYTES_MAX = 2 ** 31;
/** The explorer audits a memory after every schedule: the smaller the better. */
const MODEL_BYTES_MIN = 1 << 18;
const UNIT = 65536;

const planners: readonly AreaPlanner[] = [planThreads, planPages, planUma, planRings, planMbufs];
const records = [
  Superblock,
  ThreadSlot,
  Waiter,
  WaitQueue,
  Page,
  Phys,
  UmaState,
  Keg,
  Slab,
  ZoneRecord,
  ThreadCache,
  RingRecord,
  RingRegistry,
  ...mbufRecords,
];

const hash = layoutHash(records);

/** All reasons why the options cannot be, at once. */
function readOptions(
  options: MemoryOptions,
  bytesMin: number,
): {
  pageCount: number;
  maxThreads: number;
  maxZones: number;
  checkLevel: CheckLevel;
  wasm: boolean | undefined;
  mbufs: { max?: number };
} {
  requireObject(options, 'options');
  const reasons: string[] = [];
  const attempt = (read: () => number, fallback: number): number => {
    try {
      return read();
    } catch (error) {
      reasons.push((error as Error).message);
      return fallback;
    }
  };
  const bytes = attempt(() => requireInteger(options.bytes, 'bytes', bytesMin, BYTES_MAX), bytesMin);
  const maxThreads = attempt(() => optionalInteger(options.maxThreads, 'maxThreads', 1, THREADS_MAX, 32), 32);
  const maxZones = attempt(() => optionalInteger(options.maxZones, 'maxZones', 16, 1024, 128), 128);
  const checkLevel = attempt(
    () => optionalInteger(options.checkLevel, 'checkLevel', 0, CHECK_LEVEL_MAX, 0),
    0,
  );
  const { wasm } = options;
  if (wasm !== undefined && typeof wasm !== 'boolean')
    reasons.push(`wasm must be true or false, not ${describeValue(wasm)}`);
  const mbufs = options.mbufs ?? {};
  attempt(() => {
    requireObject(mbufs, 'mbufs');
    return optionalInteger(mbufs.max, 'mbufs.max', 0, 0x7fffffff, 0);
  }, 0);
  const pageCount = alignUp(bytes, UNIT) / PAGE_SIZE;
  const { firstPage } = planLayout({ pageCount, maxThreads, maxZones }, planners);
  if (reasons.length === 0 && pageCount - firstPage < 16) {
    reasons.push(
      `bytes: ${bytes} leave no room beside the ${firstPage * PAGE_SIZE} that ${maxThreads} threads and ${maxZones} zones need`,
    );
  }
  if (reasons.length > 0) {
    throw new MbumaError(reasons.length === 1 ? 'BAD_ARGUMENT' : 'BAD_CONFIGURATION', reasons.join('; '));
  }
  return { pageCount, maxThreads, maxZones, checkLevel: checkLevel as CheckLevel, wasm, mbufs };
}

function assemble(
  machine: Machine,
  agent: number,
  initialise: boolean,
  mbufOptions: { max?: number },
): Memory {
  const attachment = createAttachment(machine, agent, nativeThreads());
  const { threads, waiting } = attachment;
  const pages = createPages(attachment, initialise);
  const context = { ...attachment, pages };
  const uma: Uma = createUma(context, initialise);
  const rings = createRings(context, uma.carry);
  const reaping = createReaping(attachment, uma, rings, () => {
    if (uma.zoneNames().includes('mbuf')) openMbufs();
  });
  const adopting = createAdopting(attachment, reaping, () => attached);
  let mbufs: Mbufs | null = null;
  let attached = true;

  function openMbufs(): Mbufs {
    mbufs ??= createMbufs({ ...context, uma }, mbufOptions);
    return mbufs;
  }

  function assertAttached(): void {
    if (!attached) throw new MbumaError('DETACHED', 'this thread has detached from the memory');
    threads.assertHere();
  }

  const memory: Memory = {
    handle: machine.handle,
    words: machine.words,
    bytes: machine.bytes,
    thread: threads.slot,
    name: { slot: threads.slot, generation: threads.generation },
    failpoints: machine.failpoints,
    zone(options) {
      assertAttached();
      return uma.zone(options);
    },
    get mbufs() {
      assertAttached();
      return openMbufs();
    },
    ring(options) {
      assertAttached();
      return rings.ring(options);
    },
    copyBytes: machine.copyBytes,
    fillBytes: machine.fillBytes,
    poll() {
      assertAttached();
      waiting.poll();
    },
    reap() {
      assertAttached();
      return reaping.reap();
    },
    onReaped: reaping.onReaped,
    declareDead(name) {
      assertAttached();
      const { slot, generation } = requireObject(name, 'name') as ThreadName;
      requireInteger(slot, 'slot', 1, threads.maxThreads);
      requireInteger(generation, 'generation', 0, Number.MAX_SAFE_INTEGER);
      return threads.declareDead(slot, generation);
    },
    adopt(thread) {
      assertAttached();
      return adopting.adopt(thread);
    },
    drain() {
      assertAttached();
      uma.drain();
    },
    detach() {
      assertAttached();
      rings.detach();
      uma.reclaimer.leave();
      attached = false;
      threads.release();
    },
    audit() {
      assertAttached();
      const violations: Violation[] = [];
      const report = (rule: string, message: string): void => {
        violations.push({ rule, message });
      };
      // A layer that is damaged beyond being looked at must not keep the others from being told of.
      const layer = (audit: () => void): void => {
        try {
          audit();
        } catch (error) {
          report('A4', `an audit came to no end: ${(error as Error).message}`);
        }
      };
      layer(() => auditMachine(machine, threads, hash, report));
      layer(() => pages.audit(report));
      layer(() => uma.audit(report));
      layer(() => rings.audit(report));
      layer(() => uma.zoneNames().includes('mbuf') && this.mbufs.audit(report));
      return { clean: violations.length === 0, violations };
    },
    stats() {
      assertAttached();
      return {
        bytes: machine.bytes.length,
        threads: threads.attachedCount(),
        pages: pages.stats(),
        zones: uma.stats(),
      };
    },
  };
  attachments.set(memory, attachment);
  return memory;
}

const attachments = new WeakMap<Memory, Attachment>();

/** What a memory object is an attachment by. */
export function attachmentOf(memory: Memory): Attachment {
  return attachments.get(memory) as Attachment;
}

/**
 * Makes a memory and attaches this thread to it.
 *
 * @throws BAD_ARGUMENT or BAD_CONFIGURATION with every reason; OUT_OF_MEMORY when the platform refuses
 */
export function createMemory(options: MemoryOptions): Memory {
  return createMemoryOver(options).memory;
}

/** As `createMemory`, over the fabric that `weave` makes; the machine is for `joinMemory`. */
export function createMemoryOver(
  options: MemoryOptions,
  weave?: Weave,
): { memory: Memory; machine: Machine } {
  const checked = readOptions(options, weave === undefined ? BYTES_MIN : MODEL_BYTES_MIN);
  const machine = createMachine(checked, planners, hash, weave);
  const memory = assemble(machine, agentHere(), true, checked.mbufs);
  publishMachine(machine);
  return { memory, machine };
}

/** As `attachMemory`, over another fabric of the memory that `machine` made. */
export function joinMemory(machine: Machine, fabric: Fabric, agent: number = agentHere()): Memory {
  return assemble(joinMachine(machine, fabric), agent, false, {});
}

/**
 * Attaches this thread to a memory that another has made.
 *
 * @param handle what `memory.handle` was there
 * @throws BAD_HANDLE when it is no handle, or of another build; TOO_MANY_THREADS
 */
export function attachMemory(handle: MemoryHandle, options: AttachOptions = {}): Memory {
  requireObject(options, 'options');
  const machine = openMachine(handle, planners, hash);
  return assemble(machine, answerAdopter(handle, options), false, {});
}
