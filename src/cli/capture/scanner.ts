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
  const byte = (address: number): number => bytes[address] as number;
  if (bigEndian) {
    return {
      read16: (at) => (byte(at) << 8) | byte(at + 1),
      read32: (at) => ((byte(at) << 24) | (byte(at + 1) << 16) | (byte(at + 2) << 8) | byte(at + 3)) >>> 0,
    };
  }
  return {
    read16: (at) => (byte(at + 1) << 8) | byte(at),
    read32: (at) => ((byte(at + 3) << 24) | (byte(at + 2) << 16) | (byte(at + 1) << 8) | byte(at)) >>> 0,
  };
}
