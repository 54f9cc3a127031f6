/** What `memory.mbufs` offers. */

import type { Attachment } from '../machine/index.js';
import type { Pages } from '../phys/index.js';
import type { Addr } from '../record/index.js';
import type { Uma, Zone, ZoneStats } from '../uma/index.js';

/** The layers below. */
export interface MbufContext extends Attachment {
  readonly pages: Pages;
  readonly uma: Uma;
}

export interface MbufOptions {
  /** Most clusters of 2048 bytes; 0 is no limit. Only the thread that makes the memory says it. */
  readonly max?: number | undefined;
}

/** A part of a chain that lies in one buffer. One object for all parts: copy what you want to keep. */
export interface Segment {
  /** The whole buffer. The same view each time for the same buffer. */
  readonly view: Uint8Array;
  /** First byte of data in `view`. */
  readonly start: number;
  /** Byte after the last. */
  readonly end: number;
}

/** Bytes of the memory that are not from a zone of mbufs. */
export type ExternalBuffer = Uint8Array | { readonly address: number; readonly length: number };

/** Called in the thread that drops the last reference, after its mbuf is gone. */
export type FreeFunction = (address: number, length: number, argument: number) => void;

export interface WaitOptions {
  readonly signal?: AbortSignal;
}

/** The zones, by what they hold. Their names are FreeBSD's. */
export interface MbufZones {
  readonly mbuf: Zone;
  readonly cluster: Zone;
  readonly packet: Zone;
  readonly jumboPage: Zone;
  readonly jumbo9k: Zone;
  readonly jumbo16k: Zone;
  /** Reference counters of external buffers, taken when one is shared for the first time. */
  readonly externalCounter: Zone;
}

/** The numbers behind `netstat -m`. */
export interface MbufStats {
  readonly zones: { readonly [Name in keyof MbufZones]: ZoneStats };
  readonly mbufs: { readonly current: number; readonly cache: number; readonly total: number };
  readonly clusters: {
    readonly current: number;
    readonly cache: number;
    readonly total: number;
    readonly max: number;
  };
  readonly packets: { readonly current: number; readonly cache: number };
  readonly bytes: { readonly current: number; readonly cache: number; readonly total: number };
}

export type Report = (rule: string, message: string) => void;

/**
 * Network buffers. `m` is the address of an mbuf in use that this thread holds; anything else is a
 * `MbumaError`, with the memory as it was. A call that fails leaves the chain as it was, and yours.
 *
 * `try...` gives 0 when there is no memory; `get...` blocks; `...Async` waits without blocking.
 */
export interface Mbufs {
  /** A bare mbuf: 224 bytes of its own. */
  tryGet(): Addr | 0;
  get(flags?: number, timeoutMs?: number): Addr;
  getAsync(flags?: number, options?: WaitOptions): Promise<Addr>;
  /** An mbuf with packet header: 168 bytes of its own. */
  tryGethdr(): Addr | 0;
  gethdr(flags?: number, timeoutMs?: number): Addr;
  gethdrAsync(flags?: number, options?: WaitOptions): Promise<Addr>;
  /** A packet: an mbuf with packet header and a cluster of 2048 bytes. */
  tryGetcl(): Addr | 0;
  getcl(flags?: number, timeoutMs?: number): Addr;
  getclAsync(flags?: number, options?: WaitOptions): Promise<Addr>;
  /** An mbuf with packet header and a cluster of 2048, 4096, 9216 or 16384 bytes. */
  tryGetjcl(size: number): Addr | 0;
  getjcl(size: number, flags?: number, timeoutMs?: number): Addr;
  getjclAsync(size: number, flags?: number, options?: WaitOptions): Promise<Addr>;
  /** Up to `n` of them into `out`; says how many. */
  tryGetMany(out: Int32Array, n: number): number;
  tryGethdrMany(out: Int32Array, n: number): number;
  tryGetclMany(out: Int32Array, n: number): number;

  /** Number of the keg of mbufs: `memory.ring({ carries: memory.mbufs })`. */
  readonly keg: number;
  /**
   * Makes every mbuf of a chain that was handed over this thread's; a ring that carries mbufs does it by
   * itself. An mbuf belongs to the thread that took it or claimed it last: when that one dies, the mbuf is
   * freed, whoever uses it.
   *
   * @throws NOT_AN_MBUF when one is free already, CHAIN_CYCLE
   */
  claim(m: Addr): void;

  /** Frees one mbuf and gives the next of its chain. */
  free(m: Addr): Addr | 0;
  /** Frees a chain. */
  freeChain(m: Addr): void;
  /** Frees `n` chains. All are looked at before the first is freed. */
  freeMany(packets: Int32Array, n: number): void;

  /** Another mbuf with the same bytes. It shares the buffer; an mbuf's own data are copied. */
  reference(m: Addr): Addr | 0;
  /** Up to `n` mbufs with packet header that share m's buffer, data at its start, length 0. */
  tryReferenceMany(m: Addr, out: Int32Array, n: number): number;
  /** Names a free function for this thread. The name stands for the same in every thread. */
  registerFree(name: string, freeFunction: FreeFunction): void;
  /** Makes `buffer` the buffer of an mbuf that has no data and no other buffer. */
  attach(m: Addr, buffer: ExternalBuffer, freeFunction: string | FreeFunction, argument?: number): void;

  /** Adds bytes at the end of a chain, and to its packet length: all of them (true) or none (false). */
  append(m: Addr, source: Uint8Array, offset?: number, length?: number): boolean;
  /** Copies `length` bytes of a chain, from its byte `offset` on. CHAIN_TOO_SHORT if there are fewer. */
  copyOut(m: Addr, offset: number, length: number, target: Uint8Array, targetOffset?: number): void;
  /** The parts of a chain that hold bytes, in order. */
  segments(m: Addr): Iterable<Segment>;
  /** Just the data of one mbuf. */
  view(m: Addr): Uint8Array;

  dataOf(m: Addr): Addr;
  lengthOf(m: Addr): number;
  /** Sets the number of bytes in use, from `data` on. */
  setLength(m: Addr, length: number): void;
  /** Moves the start of the data inside the buffer; the length stays. */
  setData(m: Addr, address: number): void;
  /** Sets both at once. */
  setRange(m: Addr, address: number, length: number): void;
  nextOf(m: Addr): Addr | 0;
  setNext(m: Addr, next: Addr | 0): void;
  /** What the packet header says. */
  packetLength(m: Addr): number;
  setPacketLength(m: Addr, length: number): void;
  /** Bytes of the whole chain, counted. */
  chainLength(m: Addr): number;
  capacityOf(m: Addr): number;
  /** Bytes after the data that `append` may fill; 0 when the buffer is shared or read-only. */
  trailingSpace(m: Addr): number;
  /** Bytes before the data; 0 when the buffer is shared or read-only. */
  leadingSpace(m: Addr): number;
  /** Whether the buffer is this mbuf's alone and not read-only. */
  isWritable(m: Addr): boolean;

  /** Most clusters of 2048 bytes; 0 is no limit. Waiters are served when it rises. */
  max: number;
  readonly zones: MbufZones;
  stats(): MbufStats;
  /** Checks the invariants of README.md. The memory must be at rest. */
  audit(report: Report): void;
}
