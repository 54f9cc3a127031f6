/**
 * Captures made in the tests: frames from the inside out, then a pcap or pcapng file around them. Everything
 * returns plain byte arrays, so a test can cut, lengthen or spoil them as it likes.
 */

export type Bytes = Uint8Array;

/**
 * A packet as a capture file tells of it. `originalLength` is what was on the wire; the data may be shorter.
 */
export interface CapturedPacket {
  readonly data: Bytes;
  readonly originalLength?: number;
  readonly seconds?: number;
  readonly fraction?: number;
}

export function concat(...parts: readonly (Bytes | readonly number[])[]): Bytes {
  return concatAll(parts);
}

/** The same for any number of parts. */
export function concatAll(parts: readonly (Bytes | readonly number[])[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export function u16be(value: number): number[] {
  return [(value >>> 8) & 255, value & 255];
}

export function u32be(value: number): number[] {
  return [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

/** `count` bytes that are not all the same. */
export function filler(count: number): Bytes {
  const out = new Uint8Array(count);
  for (let index = 0; index < count; index++) out[index] = (index * 7 + 3) & 255;
  return out;
}

export const TCP_FIN = 1;
export const TCP_SYN = 2;
export const TCP_RST = 4;
export const TCP_ACK = 16;

export interface TcpFields {
  readonly from: number;
  readonly to: number;
  readonly flags?: number;
  readonly sequence?: number;
  readonly acknowledgement?: number;
  /** Whole 32-bit words of options, as bytes. */
  readonly options?: Bytes;
  /** Header length in words as told, where it shall be a lie. */
  readonly headerWords?: number;
  readonly payload?: Bytes;
}

export function tcp(fields: TcpFields): Bytes {
  const options = fields.options ?? new Uint8Array(0);
  const headerWords = fields.headerWords ?? 5 + options.length / 4;
  return concat(
    u16be(fields.from),
    u16be(fields.to),
    u32be(fields.sequence ?? 1),
    u32be(fields.acknowledgement ?? 1),
    [(headerWords << 4) & 0xf0, fields.flags ?? TCP_ACK],
    u16be(4096),
    [0, 0, 0, 0],
    options,
    fields.payload ?? [],
  );
}

export function udp(fields: { from: number; to: number; payload?: Bytes; length?: number }): Bytes {
  const payload = fields.payload ?? new Uint8Array(0);
  return concat(
    u16be(fields.from),
    u16be(fields.to),
    u16be(fields.length ?? 8 + payload.length),
    [0, 0],
    payload,
  );
}

export interface Ipv4Fields {
  readonly from: string;
  readonly to: string;
  readonly protocol: number;
  readonly payload: Bytes;
  /** Whole 32-bit words of options, as bytes. */
  readonly options?: Bytes;
  readonly moreFragments?: boolean;
  /** In units of 8 bytes. */
  readonly fragmentOffset?: number;
  readonly id?: number;
  readonly version?: number;
  readonly headerWords?: number;
  readonly totalLength?: number;
}

export function ipv4Address(text: string): number[] {
  return text.split('.').map(Number);
}

export function ipv4(fields: Ipv4Fields): Bytes {
  const options = fields.options ?? new Uint8Array(0);
  const headerWords = fields.headerWords ?? 5 + options.length / 4;
  const totalLength = fields.totalLength ?? 20 + options.length + fields.payload.length;
  return concat(
    [((fields.version ?? 4) << 4) | headerWords, 0],
    u16be(totalLength & 0xffff),
    u16be(fields.id ?? 1),
    u16be((fields.moreFragments ? 0x2000 : 0) | (fields.fragmentOffset ?? 0)),
    [64, fields.protocol, 0, 0],
    ipv4Address(fields.from),
    ipv4Address(fields.to),
    options,
    fields.payload,
  );
}

/** Full form or one `::`. */
export function ipv6Address(text: string): number[] {
  const [head = '', tail] = text.split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((g) => Number.parseInt(g, 16));
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const middle = new Array<number>(8 - left.length - right.length).fill(0);
  return [...left, ...middle, ...right].flatMap((group) => u16be(group));
}

/** An extension header: its own type, and its body without the two leading bytes (6 + 8n bytes). */
export interface Extension {
  readonly type: number;
  readonly body: Bytes;
  /** The length byte, where it is not the count of further 8-byte units (AH, fragment header). */
  readonly lengthByte?: number;
}

export interface Ipv6Fields {
  readonly from: string;
  readonly to: string;
  readonly protocol: number;
  readonly payload: Bytes;
  readonly extensions?: readonly Extension[];
  readonly payloadLength?: number;
}

export function ipv6(fields: Ipv6Fields): Bytes {
  const extensions = fields.extensions ?? [];
  const chain: Bytes[] = extensions.map((extension, index) => {
    const next = extensions[index + 1]?.type ?? fields.protocol;
    const lengthByte = extension.lengthByte ?? (extension.body.length + 2) / 8 - 1;
    return concat([next, lengthByte & 255], extension.body);
  });
  const payload = concat(...chain, fields.payload);
  return concat(
    [0x60, 0, 0, 0],
    u16be((fields.payloadLength ?? payload.length) & 0xffff),
    [extensions[0]?.type ?? fields.protocol, 64],
    ipv6Address(fields.from),
    ipv6Address(fields.to),
    payload,
  );
}

/** The fragment header; the offset is in units of 8 bytes. */
export function fragmentHeader(fragmentOffset: number, moreFragments: boolean, id = 7): Extension {
  return {
    type: 44,
    lengthByte: 0,
    body: concat(u16be((fragmentOffset << 3) | (moreFragments ? 1 : 0)), u32be(id)),
  };
}

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_IPV6 = 0x86dd;
export const ETHERTYPE_ARP = 0x0806;

/** Tags stand from the outside in: `{ type: 0x88a8, id: 5 }, { type: 0x8100, id: 7 }`. */
export function ethernet(
  type: number,
  payload: Bytes,
  tags: readonly { type: number; id: number }[] = [],
): Bytes {
  return concat(
    [2, 0, 0, 0, 0, 1],
    [2, 0, 0, 0, 0, 2],
    ...tags.map((tag) => concat(u16be(tag.type), u16be(tag.id))),
    u16be(type),
    payload,
  );
}

/** Ethernet + IPv4 + TCP in one go. */
export function tcpFrame(from: string, to: string, fields: TcpFields): Bytes {
  return ethernet(ETHERTYPE_IPV4, ipv4({ from, to, protocol: 6, payload: tcp(fields) }));
}

/** Ethernet + IPv4 + UDP in one go. */
export function udpFrame(
  from: string,
  to: string,
  ports: { from: number; to: number; payload?: Bytes },
): Bytes {
  return ethernet(ETHERTYPE_IPV4, ipv4({ from, to, protocol: 17, payload: udp(ports) }));
}

class Writer {
  readonly parts: Bytes[] = [];
  constructor(readonly bigEndian: boolean) {}
  u16(value: number): this {
    const bytes = u16be(value);
    this.parts.push(Uint8Array.from(this.bigEndian ? bytes : bytes.reverse()));
    return this;
  }
  u32(value: number): this {
    const bytes = u32be(value);
    this.parts.push(Uint8Array.from(this.bigEndian ? bytes : bytes.reverse()));
    return this;
  }
  raw(bytes: Bytes | readonly number[]): this {
    this.parts.push(Uint8Array.from(bytes));
    return this;
  }
  padTo4(length: number): this {
    return this.raw(new Uint8Array((4 - (length & 3)) & 3));
  }
  done(): Bytes {
    return concatAll(this.parts);
  }
}

export interface PcapOptions {
  readonly bigEndian?: boolean;
  readonly nanoseconds?: boolean;
  readonly link?: number;
  readonly snapLength?: number;
  readonly version?: readonly [number, number];
}

export function pcap(packets: readonly CapturedPacket[], options: PcapOptions = {}): Bytes {
  const writer = new Writer(options.bigEndian ?? false);
  const [major, minor] = options.version ?? [2, 4];
  writer
    .u32(options.nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4)
    .u16(major)
    .u16(minor)
    .u32(0)
    .u32(0);
  writer.u32(options.snapLength ?? 262144).u32(options.link ?? 1);
  for (const packet of packets) {
    writer.u32(packet.seconds ?? 1_700_000_000).u32(packet.fraction ?? 0);
    writer
      .u32(packet.data.length)
      .u32(packet.originalLength ?? packet.data.length)
      .raw(packet.data);
  }
  return writer.done();
}

/** One block of a pcapng file; a section header may change the byte order of what follows. */
export type Block =
  | { readonly kind: 'section'; readonly bigEndian?: boolean; readonly version?: readonly [number, number] }
  | {
      readonly kind: 'interface';
      readonly link?: number;
      readonly snapLength?: number;
      readonly options?: Bytes;
    }
  | {
      readonly kind: 'packet';
      readonly interface?: number;
      readonly packet: CapturedPacket;
      readonly options?: Bytes;
    }
  | { readonly kind: 'simple'; readonly packet: CapturedPacket }
  | { readonly kind: 'obsolete'; readonly interface?: number; readonly packet: CapturedPacket }
  | { readonly kind: 'unknown'; readonly type: number; readonly body: Bytes };

export function pcapng(blocks: readonly Block[]): Bytes {
  const parts: Bytes[] = [];
  let bigEndian = false;
  for (const block of blocks) {
    if (block.kind === 'section') bigEndian = block.bigEndian ?? false;
    parts.push(pcapngBlock(block, bigEndian));
  }
  return concatAll(parts);
}

export function pcapngBlock(block: Block, bigEndian: boolean): Bytes {
  const body = new Writer(bigEndian);
  let type = 0;
  switch (block.kind) {
    case 'section': {
      type = 0x0a0d0d0a;
      const [major, minor] = block.version ?? [1, 0];
      body.u32(0x1a2b3c4d).u16(major).u16(minor).u32(0xffffffff).u32(0xffffffff);
      break;
    }
    case 'interface':
      type = 1;
      body
        .u16(block.link ?? 1)
        .u16(0)
        .u32(block.snapLength ?? 0);
      if (block.options) body.raw(block.options).padTo4(block.options.length);
      break;
    case 'packet': {
      type = 6;
      const { data, originalLength, seconds, fraction } = block.packet;
      body
        .u32(block.interface ?? 0)
        .u32(seconds ?? 0)
        .u32(fraction ?? 0);
      body
        .u32(data.length)
        .u32(originalLength ?? data.length)
        .raw(data)
        .padTo4(data.length);
      if (block.options) body.raw(block.options).padTo4(block.options.length);
      break;
    }
    case 'simple': {
      type = 3;
      const { data, originalLength } = block.packet;
      body
        .u32(originalLength ?? data.length)
        .raw(data)
        .padTo4(data.length);
      break;
    }
    case 'obsolete': {
      type = 2;
      const { data, originalLength, seconds, fraction } = block.packet;
      body
        .u16(block.interface ?? 0)
        .u16(0xffff)
        .u32(seconds ?? 0)
        .u32(fraction ?? 0);
      body
        .u32(data.length)
        .u32(originalLength ?? data.length)
        .raw(data)
        .padTo4(data.length);
      break;
    }
    case 'unknown':
      type = block.type;
      body.raw(block.body).padTo4(block.body.length);
      break;
  }
  const bytes = body.done();
  return new Writer(bigEndian)
    .u32(type)
    .u32(bytes.length + 12)
    .raw(bytes)
    .u32(bytes.length + 12)
    .done();
}
