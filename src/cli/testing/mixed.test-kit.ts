/** A capture with a little of everything, made the same each time. */

import {
  type Bytes,
  type CapturedPacket,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  type Extension,
  ethernet,
  filler,
  fragmentHeader,
  ipv4,
  ipv6,
  TCP_ACK,
  TCP_FIN,
  TCP_RST,
  TCP_SYN,
  tcp,
  udp,
} from './captures.test-kit.js';

/** Numbers that look random, from a seed. */
export function createChooser(seed: number): { below(limit: number): number; of<T>(all: readonly T[]): T } {
  let state = seed >>> 0;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor(((state >>> 8) / 2 ** 24) * limit);
  };
  return { below, of: (all) => all[below(all.length)] as (typeof all)[number] };
}

const ADDRESSES_4 = ['10.0.0.1', '10.0.0.2', '200.1.2.3'];
const ADDRESSES_6 = ['fe80::1', '2001:db8::2', '::1'];
const TAGS = [0x8100, 0x88a8, 0x9100];

/**
 * `count` packets of some hundred conversations over both versions of IP, with VLAN tags, IP options,
 * extension headers, fragments, packets that the capture has cut, packets of 0 bytes, jumbo packets up to 60
 * KB, other protocols, and ports that are used again.
 */
export function mixedPackets(count: number, seed: number): CapturedPacket[] {
  const choose = createChooser(seed);
  const oneIn = (n: number): boolean => choose.below(n) === 0;

  function payload(): Bytes {
    return filler(oneIn(40) ? choose.below(60_000) : choose.below(200));
  }

  function transport(): { protocol: number; bytes: Bytes } {
    const from = 1000 + choose.below(30);
    const to = choose.of([53, 80, from]);
    if (oneIn(30)) return { protocol: choose.of([1, 2, 50, 58, 132]), bytes: filler(40) };
    if (oneIn(3)) return { protocol: 17, bytes: udp({ from, to, payload: payload() }) };
    const flags = choose.of([
      TCP_SYN,
      TCP_SYN | TCP_ACK,
      TCP_ACK,
      TCP_ACK,
      TCP_ACK | TCP_FIN,
      TCP_RST,
      TCP_RST | TCP_ACK,
    ]);
    const numbers = { sequence: choose.below(4), acknowledgement: choose.below(4) };
    // Options that say nothing, so that there is nothing in them to disagree about.
    const options = new Uint8Array(4 * choose.below(11)).fill(1);
    return { protocol: 6, bytes: tcp({ from, to, flags, ...numbers, options, payload: payload() }) };
  }

  function extensions(): Extension[] {
    const all: Extension[] = [];
    while (oneIn(3) && all.length < 4) {
      const units = choose.below(3);
      const body = new Uint8Array(6 + 8 * units);
      body.set([1, body.length - 2]);
      if (oneIn(3)) all.push(fragmentHeader(oneIn(2) ? choose.below(50) : 0, oneIn(2)));
      else all.push({ type: choose.of([0, 60, 60]), body });
    }
    return all;
  }

  function frame(): Bytes {
    const { protocol, bytes } = transport();
    const tags: { type: number; id: number }[] = [];
    while (oneIn(4) && tags.length < 3) tags.push({ type: choose.of(TAGS), id: choose.below(4096) });
    if (oneIn(50)) return ethernet(ETHERTYPE_ARP, filler(28), tags);
    if (oneIn(3)) {
      const [from, to] = [choose.of(ADDRESSES_6), choose.of(ADDRESSES_6)];
      return ethernet(
        ETHERTYPE_IPV6,
        ipv6({ from, to, protocol, payload: bytes, extensions: extensions() }),
        tags,
      );
    }
    const [from, to] = [choose.of(ADDRESSES_4), choose.of(ADDRESSES_4)];
    const options = new Uint8Array(oneIn(5) ? 4 * choose.below(11) : 0).fill(1);
    const fragment = { moreFragments: oneIn(12), fragmentOffset: oneIn(12) ? choose.below(100) : 0 };
    return ethernet(ETHERTYPE_IPV4, ipv4({ from, to, protocol, payload: bytes, options, ...fragment }), tags);
  }

  return Array.from({ length: count }, () => {
    const data = frame();
    const cut = oneIn(10) ? choose.below(data.length + 1) : data.length;
    return { data: data.subarray(0, oneIn(60) ? 0 : cut), originalLength: data.length };
  });
}
