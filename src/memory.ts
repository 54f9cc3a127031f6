/**
 * The memory: all layers put together for one thread.
 *
 * `createMemory` makes the buffer and attaches the calling thread; `attachMemory` attaches another. What
 * a thread has of it is one `Memory` object; everything else is in the buffer.
 */

import { type AttachOptions, answerAdopter, createAdopting } from './adoption.js';
import { CheckLevel, MbumaError, requireFunction, requireInteger, requireObject } from './check/index.js';
import { LAYOUT_HASH, planners } from './layout.js';
import {
  type Attachment,
  auditMachine,
  createAttachment,
  createMachine,
  createSynchronising,
  type Fabric,
  joinMachine,
  type Machine,
  type MemoryHandle,
  openMachine,
  publishMachine,
  Superblock,
  type ThreadName,
  type Weave,
} from './machine/index.js';
import { machineBranches } from './machine-leaves.js';
import {
  createMalloc,
  MALLOC_CELLS,
  type Malloc,
  type MallocTypeStats,
  mallocBranches,
  withFreeName,
} from './malloc/index.js';
import { createMbufs, LAST_MBUF_ZONE, type Mbufs, mbufBranches } from './mbuf/index.js';
import type { Memory, Violation } from './memory-api.js';
import { type MemoryOptions, readOptions } from './memory-options.js';
import { createMutexes, type Mutexes } from './mutex/index.js';
import { createPages, pagesBranches, type Thresholds } from './phys/index.js';
import { agentHere, nativeThreads, warnPeople } from './platform.js';
import { createReaping } from './reaping.js';
import { isStruct, layoutOf, printRecord } from './record/index.js';
import { createRings } from './ring/index.js';
import { createTree } from './sysctl/index.js';
import { createSysctl } from './sysctl-api.js';
import { type Pulse, startTimer } from './timer.js';
import { createUma, makeKeg, type Uma, zoneOfKeg } from './uma/index.js';

type Move = (one: number, two: number, three: number) => void;

/** A function that moves bytes, called by users: what does not lie in the memory is their mistake. */
function asArguments(move: Move, describe: (one: number, two: number, three: number) => string): Move {
  return (one, two, three) => {
    try {
      move(one, two, three);
    } catch (cause) {
      throw new MbumaError('BAD_ARGUMENT', `${describe(one, two, three)} do not lie in this memory`, {
        cause,
      });
    }
  };
}

function assemble(
  machine: Machine,
  agent: number,
  initialise: boolean,
  mbufOptions: { max?: number },
  thresholds: Thresholds | null = null,
): Memory {
  const attachment = createAttachment(machine, agent, nativeThreads());
  const { threads, waiting, epochs } = attachment;
  const synchronising = createSynchronising(attachment);
  const pages = createPages(attachment, initialise);
  if (thresholds !== null) pages.setThresholds(thresholds);
  const context = { ...attachment, pages };
  const uma: Uma = createUma(context, initialise);
  const rings = createRings(context, uma.carry, (pagesWanted, attempt) =>
    uma.reclaimer.obtain(pagesWanted, null, attempt),
  );
  uma.onZoneEnd(({ kegState }, isDestroyed) => {
    const ring = isDestroyed ? rings.carrierOf(kegState.number) : '';
    return ring === '' ? '' : `has items that ring ${ring} carries`;
  });
  // Half of the zones are of no use to anybody, and the others may be impossible to make.
  const hasMbufs = (): boolean => uma.findRecord(LAST_MBUF_ZONE) !== 0;
  const hasMalloc = (): boolean => uma.findRecord(MALLOC_CELLS) !== 0;
  const mutexes: Mutexes = createMutexes(attachment);
  const reaping = createReaping(
    attachment,
    uma,
    [pages.line.reap, rings.leaveLines, mutexes.reap, (slot) => malloc?.reap(slot)],
    rings.inTransit,
    () => {
      if (hasMalloc()) openMalloc().prepare();
      if (hasMbufs()) openMbufs();
    },
  );
  const adopting = createAdopting(attachment, reaping, () => attached);
  let malloc: Malloc | null = null;
  let mbufs: Mbufs | null = null;
  let attached = true;

  function openMbufs(): Mbufs {
    mbufs ??= createMbufs({ ...context, uma }, mbufOptions);
    return mbufs;
  }

  function openMalloc(): Malloc {
    malloc ??= createMalloc({ ...context, uma });
    return malloc;
  }

  const mallocStats = (): readonly MallocTypeStats[] => (hasMalloc() ? openMalloc().stats() : []);

  function assertAttached(): void {
    if (!attached) throw new MbumaError('DETACHED', 'this thread has detached from the memory');
    threads.assertHere();
  }

  const growTree = () =>
    createTree([
      ...machineBranches(attachment),
      ...pagesBranches(pages),
      ...uma.branches(),
      ...rings.branches(),
      ...mallocBranches(mallocStats, (name, bytes) => openMalloc().setLimit(name, bytes)),
      ...mbufBranches({ machine, uma }, openMbufs, mbufOptions),
    ]);

  /** A ring can carry what this thread has open. */
  function refuseStranger(carried: unknown): void {
    if (carried === undefined || (mbufs !== null && carried === mbufs) || uma.hasOpen(carried)) return;
    throw new MbumaError('BAD_ARGUMENT', 'carries must be a zone of this memory that is open, or its mbufs');
  }

  const methods: Omit<Memory, 'mbufs'> = {
    handle: machine.handle,
    words: machine.words,
    bytes: machine.bytes,
    thread: threads.slot,
    name: { slot: threads.slot, generation: threads.generation },
    failpoints: machine.failpoints,
    sysctl: createSysctl(growTree, assertAttached),
    zone: ((options) => {
      assertAttached();
      return uma.zone(withFreeName(uma, options));
    }) as Memory['zone'],
    keg(options) {
      assertAttached();
      return makeKeg(uma.zone(withFreeName(uma, zoneOfKeg(options))));
    },
    foreignKeg(options) {
      assertAttached();
      return uma.foreignKeg(options);
    },
    backend(options) {
      assertAttached();
      return uma.backend(options);
    },
    mallocType(options) {
      assertAttached();
      return openMalloc().type(options);
    },
    onWarning(listener) {
      assertAttached();
      requireFunction(listener, 'listener');
      uma.alarms.onWarning(listener);
    },
    onLowMemory(name, handler) {
      assertAttached();
      return pages.lowMemory.register(name, handler);
    },
    ring(options) {
      assertAttached();
      refuseStranger(options?.carries);
      return rings.ring(options);
    },
    mutex(name, options) {
      assertAttached();
      return mutexes.mutex(name, options);
    },
    copyBytes: asArguments(machine.copyBytes, (to, from, n) => `${n} bytes from ${from} to ${to}`),
    fillBytes: asArguments(machine.fillBytes, (from, _, n) => `${n} bytes from ${from} on`),
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
      if (slot === threads.slot && generation === threads.generation)
        throw new MbumaError('BAD_ARGUMENT', 'a thread that can say that it is dead is not');
      return threads.declareDead(slot, generation);
    },
    adopt(thread) {
      assertAttached();
      return adopting.adopt(thread);
    },
    enter: epochs.enter,
    leave: epochs.leave,
    reading: epochs.reading,
    synchronize(timeoutMs) {
      assertAttached();
      uma.putAwayFreed();
      synchronising.synchronize(timeoutMs);
    },
    async synchronizeAsync(options) {
      assertAttached();
      uma.putAwayFreed();
      await synchronising.synchronizeAsync(options);
    },
    drain() {
      assertAttached();
      uma.reclaimer.reclaim('drain');
    },
    reclaim(level) {
      assertAttached();
      return uma.reclaimer.reclaim(level);
    },
    overdue() {
      assertAttached();
      return uma.reclaimer.overdue();
    },
    detach() {
      assertAttached();
      uma.refuseInHook('the thread stays attached');
      mutexes.detach();
      rings.detach();
      malloc?.detach();
      uma.reclaimer.leave();
      epochs.abandon();
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
      layer(() => auditMachine(machine, threads, LAYOUT_HASH, report));
      layer(() => attachment.sites.audit(report));
      layer(() => pages.audit(report));
      layer(() => uma.audit(report));
      layer(() => rings.audit(report));
      layer(() => mutexes.audit(report));
      layer(() => hasMalloc() && openMalloc().audit(report));
      layer(() => hasMbufs() && openMbufs().audit(report));
      return { clean: violations.length === 0, violations };
    },
    stats() {
      assertAttached();
      return {
        bytes: machine.bytes.length,
        threads: threads.attachedCount(),
        sleepsRefused: machine.atomics.load(machine.layout.superblock + Superblock.sleepsRefused) >>> 0,
        pages: pages.stats(),
        reclaimHandlers: pages.lowMemory.stats(),
        zones: uma.stats(),
        malloc: mallocStats(),
        guard: uma.guardStats(),
        epochs: { sequence: epochs.sequence(), overdue: epochs.overdue() },
      };
    },
    check(address, length) {
      assertAttached();
      uma.access.check(address, length);
    },
    print(declared, address) {
      assertAttached();
      if (!isStruct(declared))
        throw new MbumaError('BAD_ARGUMENT', 'the record must be one made by struct()');
      requireInteger(address, 'address', 0, machine.bytes.length - 4);
      const bytes = layoutOf(declared).words * 4;
      if (machine.checkLevel >= CheckLevel.TRASH) uma.access.check(address, bytes);
      return printRecord(machine.words, declared, address >>> 2);
    },
    leaks() {
      assertAttached();
      // The types name what lies in their zones.
      const runs = hasMalloc() ? openMalloc().leaks() : [];
      return [...uma.leaks(), ...runs].sort((one, other) => other.bytes - one.bytes);
    },
  };
  // A literal with an accessor in it would be an object of the slow kind: `enter` took five times as long.
  const memory = Object.defineProperty(methods, 'mbufs', {
    enumerable: true,
    get() {
      assertAttached();
      return openMbufs();
    },
  }) as Memory;
  uma.alarms.otherwise(warnPeople);
  attachments.set(memory, attachment);
  mallocs.set(memory, () => {
    assertAttached();
    return openMalloc();
  });
  const { settings } = attachment;
  pulses.set(memory, {
    period: () => settings.read('timerMs'),
    beat() {
      assertAttached();
      // In the middle of something it comes again; nothing is asked for that could not wait.
      if (attachment.locks.holdsAny()) return;
      waiting.poll();
      uma.reclaimer.tick(settings.read('timerMs'));
    },
    failed(error) {
      uma.alarms.warn(`the periodic timer of thread ${threads.slot}: ${(error as Error)?.message ?? error}`);
    },
  });
  return memory;
}

const attachments = new WeakMap<Memory, Attachment>();
/** Kept by the memory: the timer itself keeps nothing. */
const pulses = new WeakMap<Memory, Pulse>();

const mallocs = new WeakMap<Memory, () => Malloc>();

/**
 * Malloc of a memory object, which may be anything.
 *
 * @throws BAD_ARGUMENT for what is none, DETACHED
 */
export function mallocOf(memory: Memory): Malloc {
  const open = mallocs.get(memory);
  if (open !== undefined) return open();
  throw new MbumaError('BAD_ARGUMENT', 'memory must be what createMemory or attachMemory has answered');
}

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
  const { memory } = createMemoryOver(options);
  startTimer(pulses.get(memory) as Pulse);
  return memory;
}

/** As `createMemory`, over the fabric that `weave` makes; the machine is for `joinMemory`. */
export function createMemoryOver(
  options: MemoryOptions,
  weave?: Weave,
): { memory: Memory; machine: Machine } {
  const checked = readOptions(options, planners, weave !== undefined);
  const machine = createMachine(checked, planners, LAYOUT_HASH, weave);
  const memory = assemble(machine, agentHere(), true, checked.mbufs, checked.thresholds);
  attachmentOf(memory).settings.write('timerMs', checked.timerMs);
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
  const machine = openMachine(handle, planners, LAYOUT_HASH);
  const memory = assemble(machine, answerAdopter(handle, options), false, {});
  startTimer(pulses.get(memory) as Pulse);
  return memory;
}
