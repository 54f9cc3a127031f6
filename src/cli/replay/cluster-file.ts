/** A file, read straight into clusters of the shared memory: several with one call to the system, none copied. */

import { closeSync, openSync, readvSync } from 'node:fs';
import type { Addr, Memory } from '../../index.js';
import { CaptureError, InputError } from '../errors.js';

/** Clusters that one call fills at most: 256 KiB of jumbo clusters. */
const READ_AHEAD = 16;

export interface ClusterFile {
  /**
   * Reads on. `filled` then says how many clusters hold bytes; none at the end of the file.
   * @returns false when there was no cluster to read into
   */
  fill(): boolean;
  readonly filled: number;
  readonly atEnd: boolean;
  /** Mbuf whose cluster is the `index`th that was filled, and how many bytes are in it. Free it when done. */
  take(index: number): Addr;
  lengthOf(index: number): number;
  /** Gives back the clusters that were not taken, and closes the file. */
  close(): void;
}

/** @throws InputError when the file cannot be opened */
export function openClusterFile(memory: Memory, path: string, clusterBytes: number): ClusterFile {
  const { mbufs } = memory;
  const descriptor = openFile(path);
  const holders = new Int32Array(READ_AHEAD);
  const lengths = new Int32Array(READ_AHEAD);
  const views: Uint8Array[] = [];
  /** Views of clusters by address, made once. */
  const known = new Map<number, Uint8Array>();
  let held = 0;
  let filled = 0;
  let atEnd = false;
  let offset = 0;

  function holderAt(index: number): Addr {
    return holders[index] as Addr;
  }

  /** Takes as many clusters as there are, up to a whole group. */
  function holdClusters(): void {
    while (held < READ_AHEAD) {
      const m = mbufs.tryGetjcl(clusterBytes);
      if (m === 0) return;
      holders[held++] = m;
    }
  }

  function viewOf(address: number): Uint8Array {
    let view = known.get(address);
    if (view === undefined) {
      view = memory.bytes.subarray(address, address + clusterBytes);
      known.set(address, view);
    }
    return view;
  }

  function readGroup(): number {
    views.length = held;
    for (let index = 0; index < held; index++) views[index] = viewOf(mbufs.dataOf(holderAt(index)));
    try {
      return readvSync(descriptor, views);
    } catch (error) {
      throw new CaptureError(path, offset, reasonOf(error));
    }
  }

  function releaseFrom(first: number): void {
    for (let index = first; index < held; index++) {
      const m = holderAt(index);
      if (m !== 0) mbufs.free(m);
    }
    held = first;
  }

  function fill(): boolean {
    releaseFrom(0);
    filled = 0;
    holdClusters();
    if (held === 0) return false;
    let rest = readGroup();
    atEnd = rest === 0;
    offset += rest;
    while (rest > 0) {
      lengths[filled] = Math.min(rest, clusterBytes);
      rest -= lengths[filled] as number;
      filled++;
    }
    releaseFrom(filled);
    return true;
  }

  return {
    fill,
    get filled() {
      return filled;
    },
    get atEnd() {
      return atEnd;
    },
    take(index) {
      const m = holderAt(index);
      holders[index] = 0;
      return m;
    },
    lengthOf: (index) => lengths[index] as number,
    close() {
      releaseFrom(0);
      closeSync(descriptor);
    },
  };
}

function openFile(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw new InputError(`${path}: ${reasonOf(error)}`);
  }
}

const reasons = new Map([
  ['ENOENT', 'no such file'],
  ['EACCES', 'permission denied'],
  ['EISDIR', 'is a directory'],
  ['ENOTDIR', 'a part of the path is not a directory'],
  ['EMFILE', 'too many open files'],
  ['ELOOP', 'too many symbolic links'],
]);

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return reasons.get(code ?? '') ?? message;
}
