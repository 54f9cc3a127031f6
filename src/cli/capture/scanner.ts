/** What both formats have in common: a scanner, how it fails, how it reads numbers. */

import { CaptureError } from '../errors.js';

/** Finds the packets of a capture file in the clusters that it is offered. */
export interface Scanner {
  /** Uses up the cluster in the feed, and adds the parts of packets that lie in it. */
  scan(): void;
  /** The file ended here. Throws when that is in the middle of something. */
  finish(): void;
}

/** Refuses the file: what begins at `offset` cannot be, for `reason`. */
export type Refuse = (offset: number, reason: string) => never;

export function refuser(file: string): Refuse {
  return (offset, reason) => {
    throw new CaptureError(file, offset, reason);
  };
}

export interface ByteOrder {
  read16(address: number): number;
  /** Unsigned. */
  read32(address: number): number;
}

/** Numbers in the order in which the file's author stored them. */
export function createByteOrder(bytes: Uint8Array, bigEndian: boolean): ByteOrder {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    read16: (address) => view.getUint16(address, !bigEndian),
    read32: (address) => view.getUint32(address, !bigEndian),
  };
}
