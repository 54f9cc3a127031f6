/**
 * The main thread's work: read, find the packets, hand them over. It never waits long in one place, so that
 * signals, progress and failing workers are seen; and it never loses a packet: without a free cluster, a free
 * mbuf or room in a ring it waits until the workers have caught up.
 */

import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import type { Addr, Memory } from '../../index.js';
import { type CaptureScanner, createCaptureScanner } from '../capture/capture.js';
import { CARRY_BYTES } from '../capture/feed.js';
import { Parts } from '../capture/parts.js';
import { InterruptedError } from '../errors.js';
import { memoryTooSmall } from '../memory-size.js';
import { type ClusterFile, type Group, openClusterFile } from './cluster-file.js';
import type { Crew } from './crew.js';
import { createDispatcher, type Dispatcher } from './dispatcher.js';
import type { ReplayHooks, ReplayOptions } from './result.js';

/** How long the event loop waits for its turn. */
const TURN_MS = 15;
/** Longest wait in one call. */
const WAIT_MS = 10;
/** Without memory and with nothing left for the workers to do for so long, the memory is too small. */
const PATIENCE_MS = 1000;

export interface Feeder {
  /** Feeds all files, `repeat` times. */
  feed(): Promise<void>;
  /** Frees what was not handed over, and the feeder's own buffers. */
  close(): Promise<void>;
}

export function createFeeder(
  memory: Memory,
  crew: Crew,
  options: ReplayOptions,
  hooks: ReplayHooks,
  clusterBytes: number,
  bytesTotal: number,
  seed: number,
): Feeder {
  const { mbufs } = memory;
  const parts = new Parts(clusterBytes);
  const dispatcher: Dispatcher = createDispatcher(memory, crew.rings, seed, parts.starts.length);
  const carry = mbufs.get(0, PATIENCE_MS);
  const carryAddress = mbufs.dataOf(carry);
  let turnEnds = 0;
  let bytesRead = 0;
  let starvedSince = 0;
  let file: ClusterFile | undefined;
  let holder: Addr | 0 = 0;

  /** Lets the event loop run, and sees what it brought. */
  async function takeTurn(): Promise<void> {
    hooks.onProgress?.({
      done: bytesRead,
      total: bytesTotal,
      count: dispatcher.packets,
      noun: 'packets',
    });
    await setImmediate();
    if (hooks.signal?.aborted) throw new InterruptedError();
    if (crew.failure !== undefined) throw crew.failure;
    turnEnds = performance.now() + TURN_MS;
  }

  /** Waits until a ring has taken what waits for it. */
  async function waitForRings(all: boolean): Promise<void> {
    while (!dispatcher.flush(all)) {
      dispatcher.waitForRoom(WAIT_MS);
      if (performance.now() > turnEnds) await takeTurn();
    }
  }

  /** Waits a little for `take` to have something to take: the workers must free it. */
  async function waitForMemory(take: () => Addr): Promise<void> {
    await waitForRings(true);
    try {
      mbufs.free(take());
      starvedSince = 0;
    } catch (error) {
      if ((error as { code?: string }).code !== 'TIMED_OUT') throw error;
      const now = performance.now();
      const idle = crew.rings.every((ring) => ring.length === 0);
      if (!idle || starvedSince === 0) starvedSince = now;
      else if (now - starvedSince > PATIENCE_MS) {
        throw memoryTooSmall(
          options.memoryBytes,
          'all is free that can be, and the next packet does not fit',
        );
      }
    }
    await takeTurn();
  }

  /**
   * Finds the packets in the cluster that is held and hands them over. False when it must wait in between;
   * then `finishCluster` goes on.
   */
  function feedCluster(scanner: CaptureScanner, length: number, pass: number): boolean {
    const held = holder as Addr;
    parts.clear();
    scanner.feed.offer(mbufs.dataOf(held), length);
    scanner.scan();
    if (!dispatcher.dispatch(parts, held, pass)) return false;
    mbufs.free(held);
    holder = 0;
    return dispatcher.flush(false);
  }

  async function finishCluster(pass: number): Promise<void> {
    if (holder !== 0) {
      const held = holder;
      while (!dispatcher.dispatch(parts, held, pass)) await waitForMemory(() => mbufs.get(0, WAIT_MS));
      mbufs.free(held);
      holder = 0;
    }
    await waitForRings(false);
  }

  /** Feeds the clusters of the group from `first` on. Which of them has to be finished, or -1. */
  function feedGroup(group: Group, first: number, scanner: CaptureScanner, pass: number): number {
    const { filled } = group;
    for (let index = first; index < filled; index++) {
      holder = group.take(index);
      const length = group.lengthOf(index);
      bytesRead += length;
      if (!feedCluster(scanner, length, pass)) return index;
    }
    return -1;
  }

  async function feedFile(path: string, pass: number): Promise<void> {
    const scanner = createCaptureScanner(path, memory.bytes, carryAddress, parts);
    const from = openClusterFile(memory, path, clusterBytes);
    file = from;
    for (;;) {
      while (!from.submit()) await waitForMemory(() => mbufs.getjcl(clusterBytes, 0, WAIT_MS));
      const group = await from.next();
      if (group === undefined) break;
      let waiting = feedGroup(group, 0, scanner, pass);
      while (waiting >= 0) {
        await finishCluster(pass);
        waiting = feedGroup(group, waiting + 1, scanner, pass);
      }
      from.finish();
      if (performance.now() > turnEnds) await takeTurn();
    }
    scanner.finish();
    file = undefined;
    await from.close();
  }

  async function feed(): Promise<void> {
    for (let pass = 0; pass < options.repeat; pass++) {
      for (const path of options.files) await feedFile(path, pass);
    }
    await waitForRings(true);
    await takeTurn();
  }

  async function close(): Promise<void> {
    await file?.close();
    file = undefined;
    if (holder !== 0) mbufs.free(holder);
    holder = 0;
    dispatcher.discard();
    mbufs.free(carry);
  }

  return { feed, close };
}

/** The carry is the data of one mbuf. */
const CARRY_FITS: boolean = CARRY_BYTES <= 224;
if (!CARRY_FITS) throw new Error('the carry does not fit an mbuf');
