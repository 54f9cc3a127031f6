/** The table of `vmstat -z` as FreeBSD 13 and later print it. */

import type { ZoneFigures } from './figures.js';

/** Column in which the size ends, unless the name is too long. */
const SIZE_COLUMN = 26;

const TITLES: readonly (readonly [title: string, width: number])[] = [
  ['SIZE', 7],
  ['LIMIT', 7],
  ['USED', 8],
  ['FREE', 8],
  ['REQ', 8],
  ['FAIL', 4],
  ['SLEEP', 4],
  ['XDOM', 4],
];

function zoneLine(zone: ZoneFigures): string {
  const size = String(zone.size).padStart(Math.max(1, SIZE_COLUMN - zone.name.length));
  const figures = [
    String(zone.limit).padStart(7),
    String(zone.used).padStart(8),
    String(zone.free).padStart(8),
    String(zone.requests).padStart(8),
    String(zone.failures).padStart(4),
    String(zone.sleeps).padStart(4),
    // Items freed from another memory domain: there is one.
    '0'.padStart(4),
  ];
  return `${zone.name}:${size},${figures.join(',')}`;
}

/** A header line, then one line a zone, without a newline at the end of the last. */
export function formatVmstatZ(zones: readonly ZoneFigures[]): string {
  const titles = TITLES.map(([title, width]) => title.padStart(width));
  return [['ITEM'.padEnd(19), ...titles].join(' '), ...zones.map(zoneLine)].join('\n');
}
