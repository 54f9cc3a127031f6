/**
 * From the first byte of a packet to its ports. Says of each packet the same as `../packet/parse.ts`, but
 * reads through a DataView (several times as fast as the methods of Buffer), and gives places instead of
 * numbers.
 */

import { LINK_ETHERNET, LINK_LINUX, LINK_LINUX_2, LINK_LOOPBACK, LINK_RAW } from '../capture/links.js';
import { CLASS_FRAGMENT, CLASS_NOT_IP, CLASS_OTHER_IP, CLASS_TCP, CLASS_UDP } from '../packet/fields.js';

/** Where the headers of a TCP or UDP packet stand. */
export class Headers {
  /** The source address; the destination's follows it. */
  addresses = 0;
  /** 4 or 16. */
  addressBytes = 0;
  /** The TCP or UDP header, which begins with the ports. */
  transport = 0;
}

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

/** IPv4 is 2 everywhere; IPv6 is 24, 28 or 30 on the BSDs; some write an EtherType. */
const loopbackFamilies = new Set([2, 24, 28, 30, ETHERTYPE_IPV4, ETHERTYPE_IPV6]);

const TCP = 6;
const UDP = 17;
const UDP_LITE = 136;
const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const DESTINATION_OPTIONS = 60;
const SHIM6 = 140;

/**
 * Decodes the packet of shape `link` in bytes `start` to before `end`. Gives its class, `CLASS_...`, without
 * CUT.
 */
export function decodePacket(
  view: DataView,
  start: number,
  end: number,
  link: number,
  headers: Headers,
): number {
  const length = end - start;
  switch (link) {
    case LINK_ETHERNET:
      if (length < 14) return CLASS_NOT_IP;
      return decodeType(view, start + 14, end, view.getUint16(start + 12), headers);
    case LINK_RAW:
      return decodeIp(view, start, end, headers);
    case LINK_LINUX:
      if (length < 16) return CLASS_NOT_IP;
      return decodeType(view, start + 16, end, view.getUint16(start + 14), headers);
    case LINK_LINUX_2:
      if (length < 20) return CLASS_NOT_IP;
      return decodeType(view, start + 20, end, view.getUint16(start), headers);
    case LINK_LOOPBACK: {
      if (length < 4) return CLASS_NOT_IP;
      // In the byte order of the host that captured.
      const isIp =
        loopbackFamilies.has(view.getUint32(start, true)) || loopbackFamilies.has(view.getUint32(start));
      return isIp ? decodeIp(view, start + 4, end, headers) : CLASS_NOT_IP;
    }
    default:
      return CLASS_NOT_IP;
  }
}

function isVlan(type: number): boolean {
  return type === ETHERTYPE_VLAN || type === ETHERTYPE_SERVICE_VLAN || type === ETHERTYPE_OLD_SERVICE_VLAN;
}

/** `linkType` is what the link says of the payload at `start`. */
function decodeType(view: DataView, start: number, end: number, linkType: number, headers: Headers): number {
  let at = start;
  let type = linkType;
  while (isVlan(type)) {
    if (end - at < 4) return CLASS_NOT_IP;
    type = view.getUint16(at + 2);
    at += 4;
  }
  if (type === ETHERTYPE_IPV4) return decodeIp(view, at, end, headers);
  if (type === ETHERTYPE_IPV6) return decodeIpv6(view, at, end, headers);
  if (type < ETHERTYPE_LEAST) return decodeLlc(view, at, Math.min(end, at + type), headers);
  return CLASS_NOT_IP;
}

function decodeLlc(view: DataView, at: number, end: number, headers: Headers): number {
  if (end - at < 3 || view.getUint8(at + 2) !== LLC_UNNUMBERED) return CLASS_NOT_IP;
  const destination = view.getUint8(at);
  if (destination === LLC_IP) return decodeIp(view, at + 3, end, headers);
  if (destination !== LLC_SNAP || view.getUint8(at + 1) !== LLC_SNAP) return CLASS_NOT_IP;
  if (end - at < 8) return CLASS_NOT_IP;
  const organisation = (view.getUint8(at + 3) << 16) | view.getUint16(at + 4);
  if (organisation !== SNAP_ETHERTYPE && organisation !== SNAP_BRIDGED_ETHERTYPE) return CLASS_NOT_IP;
  const type = view.getUint16(at + 6);
  return type < ETHERTYPE_LEAST ? CLASS_NOT_IP : decodeType(view, at + 8, end, type, headers);
}

function decodeIp(view: DataView, at: number, end: number, headers: Headers): number {
  if (end - at < 20) return CLASS_OTHER_IP;
  const first = view.getUint8(at);
  const version = first >> 4;
  if (version === 6) return decodeIpv6(view, at, end, headers);
  const headerBytes = (first & 15) * 4;
  if (version !== 4 || headerBytes < 20) return CLASS_OTHER_IP;
  const totalBytes = view.getUint16(at + 2);
  // 0 is left there by segmentation offload: then the packet goes to the end of the frame.
  if (totalBytes !== 0 && totalBytes < headerBytes) return CLASS_OTHER_IP;
  const packetEnd = totalBytes === 0 ? end : Math.min(end, at + totalBytes);
  const fragment = view.getUint16(at + 6) & 0x3fff;
  const fragmentBit = fragment === 0 ? 0 : CLASS_FRAGMENT;
  if ((fragment & 0x1fff) !== 0) return CLASS_OTHER_IP | fragmentBit;
  headers.addresses = at + 12;
  headers.addressBytes = 4;
  headers.transport = at + headerBytes;
  return decodeTransport(view, at + headerBytes, packetEnd, view.getUint8(at + 9), false) | fragmentBit;
}

function decodeIpv6(view: DataView, at: number, end: number, headers: Headers): number {
  if (end - at < 40 || view.getUint8(at) >> 4 !== 6) return CLASS_OTHER_IP;
  const payloadBytes = view.getUint16(at + 4);
  let next = view.getUint8(at + 6);
  // A jumbo payload tells its length in an option: then the packet goes to the end of the frame.
  const isJumbo = payloadBytes === 0 && next === HOP_BY_HOP;
  const packetEnd = isJumbo ? end : Math.min(end, at + 40 + payloadBytes);
  let position = at + 40;
  let fragmentBit = 0;
  while (isExtension(next)) {
    if (packetEnd - position < 8) return CLASS_OTHER_IP | fragmentBit;
    const type = next;
    next = view.getUint8(position);
    if (type === FRAGMENT) {
      const fragment = view.getUint16(position + 2) & 0xfff9;
      if (fragment !== 0) fragmentBit = CLASS_FRAGMENT;
      if ((fragment & 0xfff8) !== 0) return CLASS_OTHER_IP | fragmentBit;
      position += 8;
    } else if (type === AUTHENTICATION) {
      position += (view.getUint8(position + 1) + 2) * 4;
    } else {
      position += (view.getUint8(position + 1) + 1) * 8;
    }
  }
  headers.addresses = at + 8;
  headers.addressBytes = 16;
  headers.transport = position;
  return decodeTransport(view, position, packetEnd, next, true) | fragmentBit;
}

function isExtension(type: number): boolean {
  switch (type) {
    case HOP_BY_HOP:
    case ROUTING:
    case FRAGMENT:
    case AUTHENTICATION:
    case DESTINATION_OPTIONS:
    case SHIM6:
      return true;
    default:
      return false;
  }
}

/** A TCP packet needs its whole header, options too; a UDP packet its 8 bytes. */
function decodeTransport(view: DataView, at: number, end: number, protocol: number, isIpv6: boolean): number {
  if (protocol === TCP) {
    if (end - at < 20) return CLASS_OTHER_IP;
    const headerBytes = (view.getUint8(at + 12) >> 4) * 4;
    return headerBytes < 20 || end - at < headerBytes ? CLASS_OTHER_IP : CLASS_TCP;
  }
  if (protocol === UDP || protocol === UDP_LITE) {
    if (end - at < 8) return CLASS_OTHER_IP;
    const datagramBytes = view.getUint16(at + 4);
    // 0 is a jumbo datagram, which only IPv6 has, or a UDP-Lite datagram whose checksum covers all of it.
    const mayBeZero = isIpv6 || protocol === UDP_LITE;
    return datagramBytes >= 8 || (datagramBytes === 0 && mayBeZero) ? CLASS_UDP : CLASS_OTHER_IP;
  }
  return CLASS_OTHER_IP;
}

/** The same for both directions of a conversation. */
export function flowHash(view: DataView, headers: Headers): number {
  const { addresses, addressBytes, transport } = headers;
  let hash = view.getUint16(transport) ^ view.getUint16(transport + 2);
  for (let at = addresses; at < addresses + 2 * addressBytes; at += 4) hash ^= view.getInt32(at);
  hash = Math.imul(hash ^ (hash >>> 16), 0x9e3779b1);
  return (hash ^ (hash >>> 15)) >>> 0;
}
