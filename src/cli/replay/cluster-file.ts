/**
 * A file, read straight into clusters of the shared memory. None of its bytes is copied by us.
 *
 *   submitted   [ group 5 | group 6 | group 7 | group 8 ]
 *                   └─► next()
 *
 * A group is some clusters that one call to the system fills, in a thread of Node's pool. Several are under
 * way at a time; they are taken in order.
 *
 * Reading is what a replay spends most of its time on: copying from the system's cache. So this thread only
 * asks for it.
 */

import { closeSync, fstatSync, openSync, readv } from 'node:fs';
import { type Addr, Mbuf, type Mbufs, type Memory } from '../../index.js';
import { CaptureError, fileReason, InputError } from '../errors.js';

/** Groups that are read at a time: with two processors, more threads only get in each other's way. */
const GROUPS = 2;
/** Bytes of a group at most: a call to the system and a wake of a thread are little beside it. */
const GROUP_BYTES_MAX = 2 ** 20;
/** Clusters of a group at least, and what share of all clusters it may be. */
const GROUP_CLUSTERS_MIN = 4;
const GROUP_SHARE = 1 / 16;

/** Clusters that hold bytes of the file, one after the other. */
export interface Group {
  /** How many clusters. */
  readonly filled: number;
  /** Mbuf that has the `index`th cluster; it is the caller's then. */
  take(index: number): Addr;
  lengthOf(index: number): number;
}

export interface ClusterFile {
  /** Asks for as many groups as there are clusters for. False when not even one is being read. */
  submit(): boolean;
  /** The next bytes of the file; undefined at its end. Something must be being read. */
  next(): Promise<Group | undefined>;
  /** The group that `next` gave is used up: its clusters that were not taken go back. */
  finish(): void;
  /** Waits for what is being read, gives back the clusters that were not taken, and closes the file. */
  close(): Promise<void>;
}

class FileGroup implements Group {
  filled = 0;
  held = 0;
  bytesRead = 0;
  offset = 0;
  error: Error | undefined;
  isDone = true;
  /** Called when it is done, if somebody waits for it. */
  wake: (() => void) | undefined;
  readonly holders: Int32Array;
  readonly views: Uint8Array[] = [];

  constructor(
    readonly clusters: number,
    private readonly clusterBytes: number,
  ) {
    this.holders = new Int32Array(clusters);
  }

  take(index: number): Addr {
    const m = this.holders[index] as Addr;
    this.holders[index] = 0;
    return m;
  }

  lengthOf(index: number): number {
    return Math.min(this.clusterBytes, this.bytesRead - index * this.clusterBytes);
  }
}

/** @throws InputError when the file cannot be opened */
export function openClusterFile(memory: Memory, path: string, clusterBytes: number): ClusterFile {
  const { mbufs, words } = memory;
  const descriptor = openFile(path);
  const stats = fstatSync(descriptor);
  const { size } = stats;
  /** What has no places is read in order, one group at a time. */
  const isSeekable = stats.isFile();
  const groupClusters = groupClustersFor(clusterBytes, clusterLimitOf(mbufs, clusterBytes));
  const idle = Array.from(
    { length: isSeekable ? GROUPS : 1 },
    () => new FileGroup(groupClusters, clusterBytes),
  );
  /** In the order of the file. */
  const submitted: FileGroup[] = [];
  const known = new Map<number, Uint8Array>();
  let current: FileGroup | undefined;
  /** Where the next group begins. */
  let submitOffset = 0;

  /** Views of clusters, made once. */
  function viewOf(address: number): Uint8Array {
    let view = known.get(address);
    if (view === undefined) {
      view = memory.bytes.subarray(address, address + clusterBytes);
      known.set(address, view);
    }
    return view;
  }

  /**
   * Clusters that the rest of the file needs, as far as its size is known. Beyond that it is read a cluster
   * at a time until nothing comes: it may have grown.
   */
  function clustersWanted(): number {
    if (!isSeekable) return groupClusters;
    const rest = size - submitOffset;
    if (rest > 0) return Math.min(groupClusters, Math.ceil(rest / clusterBytes));
    return submitted.length === 0 ? 1 : 0;
  }

  function holdClusters(group: FileGroup, wanted: number): void {
    group.held = 0;
    group.views.length = 0;
    while (group.held < wanted) {
      const m = mbufs.tryGetjcl(clusterBytes);
      if (m === 0) return;
      group.holders[group.held++] = m;
      group.views.push(viewOf(words[(m >> 2) + Mbuf.data] as number));
    }
  }

  function release(group: FileGroup, from: number): void {
    for (let index = from; index < group.held; index++) {
      const m = group.take(index);
      if (m !== 0) mbufs.free(m);
    }
    group.held = Math.min(group.held, from);
  }

  function read(group: FileGroup): void {
    group.isDone = false;
    group.error = undefined;
    group.offset = submitOffset;
    readv(descriptor, group.views, isSeekable ? submitOffset : null, (error, bytesRead) => {
      group.isDone = true;
      group.bytesRead = bytesRead ?? 0;
      group.filled = Math.ceil(group.bytesRead / clusterBytes);
      if (error) group.error = new CaptureError(path, group.offset, fileReason(error));
      group.wake?.();
    });
    submitOffset += group.held * clusterBytes;
    submitted.push(group);
  }

  function submit(): boolean {
    while (idle.length > 0) {
      const wanted = clustersWanted();
      if (wanted === 0) break;
      const group = idle[idle.length - 1] as FileGroup;
      holdClusters(group, wanted);
      if (group.held === 0) break;
      idle.pop();
      read(group);
    }
    return submitted.length > 0;
  }

  async function waitFor(group: FileGroup): Promise<void> {
    if (group.isDone) return;
    await new Promise<void>((resolve) => {
      group.wake = resolve;
    });
    group.wake = undefined;
  }

  /**
   * Forgets the groups behind `group`, which was not filled: the file goes on where that ended, or nowhere.
   */
  async function resumeAfter(group: FileGroup): Promise<void> {
    for (const later of submitted.splice(0)) {
      await waitFor(later);
      release(later, 0);
      idle.push(later);
    }
    submitOffset = group.offset + group.bytesRead;
  }

  async function next(): Promise<Group | undefined> {
    const group = submitted.shift();
    if (group === undefined) return undefined;
    current = group;
    await waitFor(group);
    if (group.error !== undefined) throw group.error;
    if (group.bytesRead < group.held * clusterBytes) await resumeAfter(group);
    release(group, group.filled);
    return group.bytesRead === 0 ? undefined : group;
  }

  function finish(): void {
    if (current === undefined) return;
    release(current, 0);
    idle.push(current);
    current = undefined;
  }

  return {
    submit,
    next,
    finish,
    async close() {
      if (current !== undefined) submitted.unshift(current);
      for (const group of submitted.splice(0)) {
        await waitFor(group);
        release(group, 0);
      }
      closeSync(descriptor);
    },
  };
}

/** How many clusters of this size there may be; 0 is no limit. */
function clusterLimitOf({ zones }: Mbufs, clusterBytes: number): number {
  const all = [zones.cluster, zones.jumboPage, zones.jumbo9k, zones.jumbo16k];
  return all.find(({ size }) => size === clusterBytes)?.max ?? 0;
}

function groupClustersFor(clusterBytes: number, limit: number): number {
  const most = GROUP_BYTES_MAX / clusterBytes;
  const share = limit === 0 ? most : Math.floor(limit * GROUP_SHARE);
  return Math.max(GROUP_CLUSTERS_MIN, Math.min(most, share));
}

function openFile(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw new InputError(`${path}: ${fileReason(error)}`);
  }
}
