/**
 * Link types: what stands in front of the IP header. Capture files tell theirs by a number of the tcpdump
 * registry; the parser knows five shapes.
 */

/** Nothing we look into: such packets count as not IP. */
export const LINK_OTHER = 0;
export const LINK_ETHERNET = 1;
/** The packet begins with its IP header. */
export const LINK_RAW = 2;
/** Linux "any" device: 16 bytes, the protocol in the last two. */
export const LINK_LINUX = 3;
/** Linux "any" device, second form: 20 bytes, the protocol in the first two. */
export const LINK_LINUX_2 = 4;
/** BSD loopback: the address family in 4 bytes, in either byte order. */
export const LINK_LOOPBACK = 5;

const shapes = new Map<number, number>([
  [0, LINK_LOOPBACK], // NULL
  [1, LINK_ETHERNET],
  [12, LINK_RAW], // RAW as some systems number it
  [14, LINK_RAW], // RAW on OpenBSD
  [101, LINK_RAW],
  [108, LINK_LOOPBACK], // LOOP
  [113, LINK_LINUX],
  [228, LINK_RAW], // IPV4
  [229, LINK_RAW], // IPV6
  [276, LINK_LINUX_2],
]);

/** The shape of the tcpdump link type `type`. */
export function linkOf(type: number): number {
  return shapes.get(type) ?? LINK_OTHER;
}
