/** Addresses as text: IPv4 dotted, IPv6 by RFC 5952, in brackets where a port follows. */

/** @param address one word for IPv4, four for IPv6 */
export function formatEndpoint(address: Int32Array, port: number): string {
  return address.length === 1
    ? `${formatIpv4(address[0] as number)}:${port}`
    : `[${formatIpv6(address)}]:${port}`;
}

export function formatIpv4(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
}

export function formatIpv6(address: Int32Array): string {
  const [first = 0, second = 0, third = 0, fourth = 0] = address;
  // IPv4 addresses that are written as IPv6 keep their dots.
  if (first === 0 && second === 0 && third === 0xffff) return `::ffff:${formatIpv4(fourth)}`;
  if (first === 0 && second === 0 && third === 0 && fourth >>> 16 !== 0) return `::${formatIpv4(fourth)}`;
  const groups = [first, second, third, fourth].flatMap((word) => [word >>> 16, word & 0xffff]);
  const [start, length] = longestZeroRun(groups);
  const hex = groups.map((group) => group.toString(16));
  if (length < 2) return hex.join(':');
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`;
}

/** Where the longest run of zero groups begins, the first of equals, and how long it is. */
function longestZeroRun(groups: readonly number[]): [start: number, length: number] {
  let best: [number, number] = [0, 0];
  let start = 0;
  groups.forEach((group, index) => {
    if (group !== 0) start = index + 1;
    else if (index + 1 - start > best[1]) best = [start, index + 1 - start];
  });
  return best;
}
