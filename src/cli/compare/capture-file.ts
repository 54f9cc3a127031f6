/** Reads a capture file chunk by chunk, and finds the packets in each. */

import { closeSync, openSync, readSync } from 'node:fs';
import { CaptureError, InputError } from '../errors.js';
import type { Chunk } from './chunk.js';
import { type CaptureFormat, FILE_HEADER_BYTES } from './format.js';
import { isPcap, PcapFormat } from './pcap.js';
import { isPcapng, PcapngFormat } from './pcapng.js';

export class CaptureFile {
  private readonly descriptor: number;
  private format: CaptureFormat | undefined;
  /** Begin of a record whose rest is in the next chunk. */
  private leftover: Buffer = Buffer.alloc(0);
  /** Bytes of the next chunk to pass over. */
  private skip = 0;
  /** Of the next byte to be read. */
  private offset = 0;

  constructor(private readonly path: string) {
    this.descriptor = this.reading(() => openSync(path, 'r'));
  }

  /** Fills `into` with the next chunk and finds the packets in it. False at the end of the file. */
  fill(into: Chunk): boolean {
    const chunk = Buffer.from(into.bytes);
    const kept = this.leftover.copy(chunk);
    const length = this.reading(() => readSync(this.descriptor, chunk, kept, chunk.length - kept, null));
    into.count = 0;
    if (length === 0) {
      this.checkEnd();
      return false;
    }
    const end = kept + length;
    const next = this.findPackets(new DataView(into.bytes), end, into);
    this.offset += length;
    this.skip = Math.max(0, next - end);
    // A copy: the chunk goes to another thread.
    this.leftover = Buffer.from(chunk.subarray(next, end));
    return true;
  }

  close(): void {
    closeSync(this.descriptor);
  }

  private findPackets(chunk: DataView, end: number, into: Chunk): number {
    const chunkOffset = this.offset - this.leftover.length;
    if (this.format === undefined) {
      if (end < FILE_HEADER_BYTES) return 0;
      this.format = this.recognise(chunk);
    }
    if (this.skip >= end) return this.skip;
    return this.format.findPackets(chunk, this.skip, end, chunkOffset, into);
  }

  private recognise(header: DataView): CaptureFormat {
    if (isPcap(header)) return new PcapFormat(this.path, header);
    if (isPcapng(header)) return new PcapngFormat(this.path);
    throw new CaptureError(this.path, 0, 'not a pcap or pcapng capture');
  }

  private checkEnd(): void {
    if (this.offset === 0) throw new CaptureError(this.path, 0, 'the file is empty');
    if (this.format === undefined) {
      throw new CaptureError(this.path, this.offset, 'the file is too short to be a capture');
    }
    if (this.leftover.length > 0 || this.skip > 0) {
      throw new CaptureError(this.path, this.offset, 'the file ends inside a record');
    }
  }

  private reading(call: () => number): number {
    try {
      return call();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new InputError(`${this.path}: ${reason}`);
    }
  }
}
