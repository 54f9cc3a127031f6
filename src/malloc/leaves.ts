/** Malloc types in the tree of tunables and figures: `vm.malloc.<type>`. Read without locks. */

import { type Branch, family, integer, keyed, type Leaf } from '../sysctl/index.js';
import type { MallocTypeStats } from './types.js';

const COUNT_MAX = 2 ** 53 - 1;
const BYTES_MAX = 2 ** 31;

type Figure = Exclude<keyof MallocTypeStats, 'name' | 'description' | 'sizes' | 'limit'>;

/**
 * @param stats of all types; of none, while nobody uses malloc
 * @param setLimit of the type of this name, in bytes
 */
export function mallocBranches(
  stats: () => readonly MallocTypeStats[],
  setLimit: (name: string, bytes: number) => void,
): readonly Branch[] {
  const count = (name: string, of: Figure, description: string): Leaf<MallocTypeStats> =>
    integer(name, 'items', description, (type) => type[of], { most: COUNT_MAX });
  const bytes = (name: string, of: Figure, description: string): Leaf<MallocTypeStats> =>
    integer(name, 'bytes', description, (type) => type[of], { most: BYTES_MAX });
  const leaves = [
    count('in_use', 'used', 'Blocks in use.'),
    bytes('mem_use', 'bytes', 'Bytes of these blocks, rounded sizes.'),
    bytes('high_use', 'bytesHigh', 'Most bytes that were in use.'),
    count('requests', 'requests', 'Blocks allocated.'),
    count('failures', 'failures', 'Requests that got nothing.'),
    count('blocked', 'blocked', 'Times that a request found the limit reached.'),
    integer<MallocTypeStats>(
      'limit',
      'bytes',
      'Most bytes that may be in use; 0: no limit.',
      ({ limit }) => limit,
      {
        most: BYTES_MAX - 1,
        write: ({ name }, limit) => setLimit(name, limit),
      },
    ),
  ];
  return [family('vm.malloc', () => keyed(stats().map((type) => [type.name, type] as const)), leaves)];
}
