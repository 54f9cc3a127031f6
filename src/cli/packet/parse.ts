/**
 * From the first byte of a packet to the ports of its conversation.
 *
 *   link shape ─► type of the payload ─► IPv4 | IPv6 ─► extension headers ─► TCP | UDP ─► key and hash
 *
 * It reads bytes where they lie, allocates nothing, and never looks at or behind `end`. What it finds stands
 * in `fields`; what the packet is, is the answer. It agrees with tshark on what belongs to a conversation: a
 * TCP packet needs its whole header, options too; a UDP packet its 8 bytes; of a fragmented packet only the
 * first fragment has ports; nothing inside of ICMP errors or tunnels is counted.
 */

import { LINK_ETHERNET, LINK_LINUX, LINK_LINUX_2, LINK_LOOPBACK, LINK_RAW } from '../capture/links.js';
import {
  CLASS_CUT,
  CLASS_FRAGMENT,
  CLASS_NOT_IP,
  CLASS_OTHER_IP,
  CLASS_TCP,
  CLASS_UDP,
  FAMILY_IPV4,
  FAMILY_IPV6,
  FIELD_ACKNOWLEDGEMENT,
  FIELD_BACKWARD,
  FIELD_COUNT,
  FIELD_HASH,
  FIELD_HIGH,
  FIELD_KIND,
  FIELD_LOW,
  FIELD_PORTS,
  FIELD_SEQUENCE,
  FIELD_TCP_FLAGS,
  TCP_FRAGMENT,
} from './fields.js';

export interface PacketParser {
  /** See `fields.ts`. Valid after an answer of class TCP or UDP. */
  readonly fields: Int32Array;
  /**
   * Parses the packet of shape `link` whose captured bytes stand from `start` to before `end`. Gives
   * `CLASS_...`.
   */
  parse(start: number, end: number, link: number): number;
}

/** @param seed makes the hash another one in each run, so that no capture can be made to collide */
export function createPacketParser(bytes: Uint8Array, seed: number): PacketParser {
  const fields = new Int32Array(FIELD_COUNT);

  const ETHERTYPE_IPV4 = 0x0800;
  const ETHERTYPE_IPV6 = 0x86dd;
  const ETHERTYPE_VLAN = 0x8100;
  const ETHERTYPE_SERVICE_VLAN = 0x88a8;
  const ETHERTYPE_OLD_SERVICE_VLAN = 0x9100;
  /** Below this the field is a length, and an LLC header follows. */
  const ETHERTYPE_LEAST = 0x0600;

  const LLC_IP = 0x06;
  const LLC_SNAP = 0xaa;
  const LLC_UNNUMBERED = 3;
  const SNAP_ETHERTYPE = 0;
  const SNAP_BRIDGED_ETHERTYPE = 0xf8;

  const TCP = 6;
  const UDP = 17;
  const UDP_LITE = 136;
  const HOP_BY_HOP = 0;
  const ROUTING = 43;
  const FRAGMENT = 44;
  const AUTHENTICATION = 51;
  const DESTINATION_OPTIONS = 60;
  const SHIM6 = 140;

  const ETHERNET = LINK_ETHERNET;
  const RAW = LINK_RAW;
  const LINUX = LINK_LINUX;
  const LINUX_2 = LINK_LINUX_2;
  const LOOPBACK = LINK_LOOPBACK;
  const NOT_IP = CLASS_NOT_IP;
  const OTHER_IP = CLASS_OTHER_IP;
  const IS_TCP = CLASS_TCP;
  const IS_UDP = CLASS_UDP;
  const IS_FRAGMENT = CLASS_FRAGMENT;
  const CUT = CLASS_CUT;
  const HASH = FIELD_HASH;
  const KIND = FIELD_KIND;
  const PORTS = FIELD_PORTS;
  const LOW = FIELD_LOW;
  const HIGH = FIELD_HIGH;
  const BACKWARD = FIELD_BACKWARD;
  const TCP_FLAGS = FIELD_TCP_FLAGS;
  const FRAGMENT_FLAG = TCP_FRAGMENT;
  const SEQUENCE = FIELD_SEQUENCE;
  const ACKNOWLEDGEMENT = FIELD_ACKNOWLEDGEMENT;
  const IPV4_KIND = FAMILY_IPV4 << 8;
  const IPV6_KIND = FAMILY_IPV6 << 8;

  /** Stirs a word into a hash. */
  function mix(hash: number, word: number): number {
    const product = Math.imul(hash ^ word, 0x9e3779b1);
    return product ^ (product >>> 15);
  }

  function read16(at: number): number {
    return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  }

  function read32(at: number): number {
    return (
      ((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)
    );
  }

  function parse(start: number, end: number, link: number): number {
    if (link === ETHERNET) {
      if (end - start < 14) return NOT_IP | CUT;
      const type = read16(start + 12);
      if (type === ETHERTYPE_IPV4) return parseIp(start + 14, end);
      return parseType(start + 14, end, type);
    }
    return parseOtherLink(start, end, link);
  }

  function parseOtherLink(start: number, end: number, link: number): number {
    switch (link) {
      case RAW:
        return parseIp(start, end);
      case LINUX:
        if (end - start < 16) return NOT_IP | CUT;
        return parseType(start + 16, end, read16(start + 14));
      case LINUX_2:
        if (end - start < 20) return NOT_IP | CUT;
        return parseType(start + 20, end, read16(start));
      case LOOPBACK: {
        if (end - start < 4) return NOT_IP | CUT;
        // Stored by the host that captured, in one of the two orders.
        const family = read32(start);
        return isIpFamily(family) || isIpFamily(swap32(family)) ? parseIp(start + 4, end) : NOT_IP;
      }
      default:
        return NOT_IP;
    }
  }

  /** IPv4 is 2 everywhere; IPv6 is 24, 28 or 30 on the BSDs; some write an EtherType. */
  function isIpFamily(family: number): boolean {
    return (
      family === 2 ||
      family === 24 ||
      family === 28 ||
      family === 30 ||
      family === ETHERTYPE_IPV4 ||
      family === ETHERTYPE_IPV6
    );
  }

  function swap32(word: number): number {
    return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
  }

  /** `type` is what the link says of the payload at `at`; VLAN tags may stack to any depth. */
  function parseType(at: number, end: number, type: number): number {
    let position = at;
    let payloadType = type;
    while (
      payloadType === ETHERTYPE_VLAN ||
      payloadType === ETHERTYPE_SERVICE_VLAN ||
      payloadType === ETHERTYPE_OLD_SERVICE_VLAN
    ) {
      if (end - position < 4) return NOT_IP | CUT;
      payloadType = read16(position + 2);
      position += 4;
    }
    if (payloadType === ETHERTYPE_IPV4) return parseIp(position, end);
    if (payloadType === ETHERTYPE_IPV6) return parseIpv6(position, end);
    // Otherwise an IEEE 802.3 length, which says where the payload ends.
    if (payloadType < ETHERTYPE_LEAST) return parseLlc(position, Math.min(end, position + payloadType), end);
    return NOT_IP;
  }

  /** LLC of service access point IP, or with a SNAP header that tells an EtherType. */
  function parseLlc(at: number, payloadEnd: number, end: number): number {
    if (payloadEnd - at < 3) return NOT_IP | (payloadEnd === end ? CUT : 0);
    const destination = bytes[at] as number;
    if (destination === LLC_IP && bytes[at + 2] === LLC_UNNUMBERED) return parseIp(at + 3, payloadEnd);
    if (destination !== LLC_SNAP || bytes[at + 1] !== LLC_SNAP || bytes[at + 2] !== LLC_UNNUMBERED)
      return NOT_IP;
    if (payloadEnd - at < 8) return NOT_IP | (payloadEnd === end ? CUT : 0);
    const organisation = ((bytes[at + 3] as number) << 16) | read16(at + 4);
    if (organisation !== SNAP_ETHERTYPE && organisation !== SNAP_BRIDGED_ETHERTYPE) return NOT_IP;
    const type = read16(at + 6);
    // A second LLC header cannot follow.
    return type < ETHERTYPE_LEAST ? NOT_IP : parseType(at + 8, payloadEnd, type);
  }

  function parseIp(at: number, end: number): number {
    if (end - at < 20) return OTHER_IP | CUT;
    const first = bytes[at] as number;
    const version = first >>> 4;
    if (version === 6) return parseIpv6(at, end);
    const headerBytes = (first & 15) << 2;
    if (version !== 4 || headerBytes < 20) return OTHER_IP;
    const totalBytes = read16(at + 2);
    let packetEnd = end;
    if (totalBytes !== 0) {
      // 0 is what a card with segmentation offload leaves there: then the packet goes to the end of the
      // frame.
      if (totalBytes < headerBytes) return OTHER_IP;
      if (totalBytes < end - at) packetEnd = at + totalBytes;
    }
    const fragment = read16(at + 6) & 0x3fff;
    let fragmentBit = 0;
    if (fragment !== 0) {
      fragmentBit = IS_FRAGMENT;
      if ((fragment & 0x1fff) !== 0) return OTHER_IP | IS_FRAGMENT;
    }
    const protocol = bytes[at + 9] as number;
    const transport = at + headerBytes;
    const portsAndClass = parseTransport(transport, packetEnd, end, protocol, false);
    if (portsAndClass < IS_TCP || (portsAndClass & CUT) !== 0) return portsAndClass | fragmentBit;

    if (fragmentBit !== 0) fields[TCP_FLAGS] = (fields[TCP_FLAGS] as number) | FRAGMENT_FLAG;
    const source = read32(at + 12);
    const destination = read32(at + 16);
    const sourcePort = read16(transport);
    const destinationPort = read16(transport + 2);
    const backward = source > destination || (source === destination && sourcePort > destinationPort);
    const low = backward ? destination : source;
    const high = backward ? source : destination;
    const ports = backward ? (destinationPort << 16) | sourcePort : (sourcePort << 16) | destinationPort;
    fields[KIND] = IPV4_KIND | (portsAndClass === IS_TCP ? TCP : UDP);
    fields[PORTS] = ports;
    fields[LOW] = low;
    fields[HIGH] = high;
    fields[LOW + 1] = fields[LOW + 2] = fields[LOW + 3] = 0;
    fields[HIGH + 1] = fields[HIGH + 2] = fields[HIGH + 3] = 0;
    fields[BACKWARD] = backward ? 1 : 0;
    fields[HASH] = mix(mix(mix(seed ^ protocol, low), high), ports);
    return portsAndClass | fragmentBit;
  }

  /**
   * Class TCP or UDP when the header at `at` is there and whole; for TCP the flags and numbers go into
   * `fields`.
   */
  function parseTransport(
    at: number,
    packetEnd: number,
    end: number,
    protocol: number,
    isIpv6: boolean,
  ): number {
    if (protocol === TCP) {
      if (packetEnd - at < 20) return OTHER_IP | (packetEnd === end ? CUT : 0);
      const headerBytes = ((bytes[at + 12] as number) >>> 4) << 2;
      if (headerBytes < 20) return OTHER_IP;
      if (packetEnd - at < headerBytes) return OTHER_IP | (packetEnd === end ? CUT : 0);
      fields[TCP_FLAGS] = bytes[at + 13] as number;
      fields[SEQUENCE] = read32(at + 4);
      fields[ACKNOWLEDGEMENT] = read32(at + 8);
      return IS_TCP;
    }
    if (protocol === UDP || protocol === UDP_LITE) {
      if (packetEnd - at < 8) return OTHER_IP | (packetEnd === end ? CUT : 0);
      const datagramBytes = read16(at + 4);
      // 0 is a jumbo datagram, which only IPv6 has, or a UDP-Lite datagram whose checksum covers all of it.
      if (datagramBytes < 8 && (datagramBytes !== 0 || !(isIpv6 || protocol === UDP_LITE))) return OTHER_IP;
      return IS_UDP;
    }
    return OTHER_IP;
  }

  function parseIpv6(at: number, end: number): number {
    if (end - at < 40) return OTHER_IP | CUT;
    if ((bytes[at] as number) >>> 4 !== 6) return OTHER_IP;
    const payloadBytes = read16(at + 4);
    let packetEnd = end;
    // A jumbo payload tells its length in a hop-by-hop option; then the packet goes to the end of the frame.
    const isJumbo = payloadBytes === 0 && bytes[at + 6] === HOP_BY_HOP;
    if (!isJumbo && payloadBytes < end - at - 40) packetEnd = at + 40 + payloadBytes;
    const cut = packetEnd === end ? CUT : 0;
    let next = bytes[at + 6] as number;
    let position = at + 40;
    let fragmentBit = 0;
    for (;;) {
      switch (next) {
        case HOP_BY_HOP:
        case ROUTING:
        case DESTINATION_OPTIONS:
        case SHIM6:
          if (packetEnd - position < 8) return OTHER_IP | fragmentBit | cut;
          next = bytes[position] as number;
          position += ((bytes[position + 1] as number) + 1) << 3;
          continue;
        case AUTHENTICATION:
          if (packetEnd - position < 8) return OTHER_IP | fragmentBit | cut;
          next = bytes[position] as number;
          position += ((bytes[position + 1] as number) + 2) << 2;
          continue;
        case FRAGMENT: {
          if (packetEnd - position < 8) return OTHER_IP | fragmentBit | cut;
          const fragment = read16(position + 2) & 0xfff9;
          next = bytes[position] as number;
          position += 8;
          if (fragment !== 0) fragmentBit = IS_FRAGMENT;
          if ((fragment & 0xfff8) !== 0) return OTHER_IP | fragmentBit;
          continue;
        }
      }
      break;
    }
    if (position > packetEnd) return OTHER_IP | fragmentBit | cut;
    const portsAndClass = parseTransport(position, packetEnd, end, next, true);
    if (portsAndClass < IS_TCP || (portsAndClass & CUT) !== 0) return portsAndClass | fragmentBit;
    if (fragmentBit !== 0) fields[TCP_FLAGS] = (fields[TCP_FLAGS] as number) | FRAGMENT_FLAG;
    setIpv6Key(at, read16(position), read16(position + 2), portsAndClass === IS_TCP ? TCP : UDP);
    return portsAndClass | fragmentBit;
  }

  function setIpv6Key(at: number, sourcePort: number, destinationPort: number, protocol: number): void {
    let order = 0;
    for (let index = 0; index < 16 && order === 0; index++) {
      order = (bytes[at + 8 + index] as number) - (bytes[at + 24 + index] as number);
    }
    const backward = order > 0 || (order === 0 && sourcePort > destinationPort);
    const low = at + (backward ? 24 : 8);
    const high = at + (backward ? 8 : 24);
    let hash = seed ^ protocol;
    for (let word = 0; word < 4; word++) {
      const lowWord = read32(low + word * 4);
      const highWord = read32(high + word * 4);
      fields[LOW + word] = lowWord;
      fields[HIGH + word] = highWord;
      hash = mix(mix(hash, lowWord), highWord);
    }
    const ports = backward ? (destinationPort << 16) | sourcePort : (sourcePort << 16) | destinationPort;
    fields[KIND] = IPV6_KIND | protocol;
    fields[PORTS] = ports;
    fields[BACKWARD] = backward ? 1 : 0;
    fields[HASH] = mix(hash, ports);
  }

  return { fields, parse };
}
