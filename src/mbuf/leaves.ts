/**
 * Limits of the network buffers in the tree of tunables and figures: `kern.ipc.nmbclusters` and the like. The
 * figures of their zones are with those of all zones.
 *
 * Reading makes no zone: before the zones are there, it tells what limit they would be made with. Writing
 * makes them.
 */

import { PAGE_SIZE } from '../machine/index.js';
import { type Branch, branch, integer } from '../sysctl/index.js';
import { ZoneRecord } from '../uma/index.js';
import type { MbufContext, MbufOptions, Mbufs } from './types.js';
import { initialLimits, type Limited, MEMORY_SHARE, ZONE_NAMES } from './zones.js';

const LIMIT_MAX = 0x7fffffff;

const limits: readonly (readonly [leaf: string, kind: Limited, description: string])[] = [
  ['nmbclusters', 'cluster', 'Most clusters of 2048 bytes; 0: no limit.'],
  ['nmbufs', 'mbuf', 'Most mbufs, those of packets not counted; 0: no limit.'],
  ['nmbjumbop', 'jumboPage', 'Most clusters of 4096 bytes; 0: no limit.'],
  ['nmbjumbo9', 'jumbo9k', 'Most clusters of 9216 bytes; 0: no limit.'],
  ['nmbjumbo16', 'jumbo16k', 'Most clusters of 16384 bytes; 0: no limit.'],
];

function setLimit(mbufs: Mbufs, kind: Limited, limit: number): void {
  // That of packets goes with that of clusters.
  if (kind === 'cluster') mbufs.max = limit;
  else mbufs.zones[kind].max = limit;
}

/**
 * @param open makes the zones, or opens them in this thread
 * @param options what this thread makes them with
 */
export function mbufBranches(
  { machine, uma }: Pick<MbufContext, 'machine' | 'uma'>,
  open: () => Mbufs,
  options: MbufOptions,
): readonly Branch[] {
  const { words } = machine;
  const { pageCount, reservedPages } = machine.layout.parameters;
  const ownPages = pageCount - reservedPages;
  const initial = initialLimits(ownPages, options.max);

  function limitOf(kind: Limited): number {
    const record = uma.findRecord(ZONE_NAMES[kind]);
    return record === 0 ? initial[kind] : (words[record + ZoneRecord.limit] as number);
  }

  const leaves = limits.map(([leaf, kind, description]) =>
    integer(leaf, 'items', description, () => limitOf(kind), {
      most: LIMIT_MAX,
      write: (_, limit) => setLimit(open(), kind, limit),
    }),
  );
  const bytes = Math.floor(ownPages * MEMORY_SHARE) * PAGE_SIZE;
  return [
    branch('kern.ipc', [
      ...leaves,
      integer(
        'maxmbufmem',
        'bytes',
        'Bytes that clusters of one size may take, unless a limit says otherwise.',
        () => bytes,
        { most: 2 ** 31 },
      ),
    ]),
  ];
}
