/**
 * What a trace needs of the memory: a second replay, on one thread and not timed, in the order of the trace.
 *
 * Every worker has an attachment of its own here too, so each has its caches, and a block is freed where the
 * trace frees it. But one thread uses them all, record by record: so the figures are exact after each of
 * them, and the same at each run.
 */

import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { type Addr, attachMemory, type MallocType, type Memory } from '../../index.js';
import { InterruptedError } from '../errors.js';
import type { AuditFigures, Progress, ReplayHooks } from '../replay/result.js';
import { noRoom } from './crew.js';
import { auditTraceMemory, makeTraceMemory, typeNameOf } from './memory.js';
import { workerOf } from './plan.js';
import { createPlayer, NO_MEMORY, type Player } from './player.js';
import type { SpaceFigures, TraceOptions, Waste } from './result.js';
import { OP_FREE, type Trace } from './trace-file.js';

/** How long the event loop waits for its turn. */
const TURN_MS = 15;
/** Records between two looks at the clock. */
const LOOK_RECORDS = 256;

/** Zones of malloc's size classes. */
const CLASS_ZONE = /^malloc-\d+$/;

export interface Account extends SpaceFigures {
  readonly violations: AuditFigures['violations'];
}

interface Hand {
  readonly memory: Memory;
  readonly type: MallocType;
  readonly player: Player;
}

/** Follows what is live and what is used, and keeps what was when most was used. */
class Ledger {
  live = 0;
  /** Bytes of the blocks of what is live. */
  usable = 0;
  peakUsed = 0;
  atPeak: { live: number; usable: number; waste: Waste } = {
    live: 0,
    usable: 0,
    waste: { internal: 0, slab: 0, cached: 0 },
  };
  /** Of all blocks that there ever were. */
  askedEver = 0;
  usableEver = 0;
  private readonly memory: Memory;
  private readonly pageSize: number;
  private readonly freeAtStart: number;

  constructor(memory: Memory) {
    this.memory = memory;
    this.pageSize = memory.sysctl.get('hw.pagesize');
    this.freeAtStart = this.freePages();
  }

  private freePages(): number {
    return this.memory.sysctl.get('vm.stats.vm.v_free_count');
  }

  /** A block has come: what was asked for, and what it has. */
  add(asked: number, usable: number): void {
    this.live += asked;
    this.usable += usable;
    this.askedEver += asked;
    this.usableEver += usable;
    const used = (this.freeAtStart - this.freePages()) * this.pageSize;
    if (used <= this.peakUsed) return;
    this.peakUsed = used;
    this.atPeak = { live: this.live, usable: this.usable, waste: this.wasteOf(used) };
  }

  /** Everything is free. */
  clear(): void {
    this.live = 0;
    this.usable = 0;
  }

  remove(asked: number, usable: number): void {
    this.live -= asked;
    this.usable -= usable;
  }

  /**
   * Pages are slabs', runs', or buckets'. Items in use are blocks; the other blocks are runs; and what is
   * neither a slab's nor a run's is a bucket's.
   */
  private wasteOf(used: number): Waste {
    const { zones } = this.memory.stats();
    let slabs = 0;
    let inUse = 0;
    let inCaches = 0;
    for (const zone of zones) {
      slabs += zone.pages * this.pageSize;
      if (!CLASS_ZONE.test(zone.name)) continue;
      inUse += zone.used * zone.size;
      inCaches += zone.cached * zone.size;
    }
    const runs = this.usable - inUse;
    const buckets = used - slabs - runs;
    return { internal: this.usable - this.live, slab: slabs - inUse - inCaches, cached: inCaches + buckets };
  }
}

/** @throws InputError when a record finds no memory */
export async function accountFor(
  traces: readonly Trace[],
  options: TraceOptions,
  workers: number,
  hooks: ReplayHooks,
  progress: (records: number) => Progress,
): Promise<Account> {
  const memory = makeTraceMemory(options, [], workers);
  const memories = [memory];
  while (memories.length < workers) memories.push(attachMemory(memory.handle));
  const ledger = new Ledger(memory);
  let done = 0;
  let turnEnds = performance.now() + TURN_MS;

  async function takeTurn(records: number): Promise<void> {
    if (performance.now() < turnEnds) return;
    hooks.onProgress?.(progress(done + records));
    await setImmediate();
    if (hooks.signal?.aborted) throw new InterruptedError();
    turnEnds = performance.now() + TURN_MS;
  }

  for (const trace of traces) {
    const addresses = new Int32Array(trace.objectMax + 1);
    const hands = memories.map((memory): Hand => {
      const { words, bytes } = memory;
      const type = memory.mallocType({ name: typeNameOf(trace) });
      return { memory, type, player: createPlayer(type, { words, bytes, addresses }, false) };
    });
    await playInOrder(trace, options, hands, addresses, ledger, takeTurn);
    for (const block of addresses) hands[0]?.type.free(block as Addr | 0);
    ledger.clear();
    done += trace.records;
  }

  for (const each of memories.slice(1)) each.detach();
  const violations = auditTraceMemory(memory);
  memory.detach();
  const { peakUsed, atPeak } = ledger;
  const share = (asked: number, usable: number): number => (usable === 0 ? 0 : (usable - asked) / usable);
  return {
    peakLive: Math.max(...traces.map(({ peakLive }) => peakLive)),
    peakUsed,
    live: atPeak.live,
    waste: atPeak.waste,
    internalShare: {
      atPeak: share(atPeak.live, atPeak.usable),
      overall: share(ledger.askedEver, ledger.usableEver),
    },
    violations,
  };
}

async function playInOrder(
  trace: Trace,
  { memoryBytes }: TraceOptions,
  hands: readonly Hand[],
  addresses: Int32Array,
  ledger: Ledger,
  takeTurn: (records: number) => Promise<void>,
): Promise<void> {
  const { records, operations, objects, sizes, befores } = trace;
  for (let record = 0; record < records; record++) {
    if (record % LOOK_RECORDS === 0) await takeTurn(record);
    const { type, player } = hands[workerOf(trace, record, hands.length)] as Hand;
    const operation = operations[record] as number;
    const object = objects[record] as number;
    const size = sizes[record] as number;
    const before = befores[record] as number;
    const had = addresses[object] as Addr | 0;
    const usableBefore = had === 0 ? 0 : type.usableSize(had);
    if (player.play(operation, object, size, before) === NO_MEMORY) {
      // What the others cache may do: they are all here.
      for (const { memory } of hands) memory.reclaim('drain');
      if (player.play(operation, object, size, before) === NO_MEMORY)
        throw noRoom(trace, record + 1, memoryBytes);
    }
    ledger.remove(before, usableBefore);
    if (operation !== OP_FREE) ledger.add(size, type.usableSize(addresses[object] as Addr));
  }
}
