/** Rings in the tree of tunables and figures: `kern.ipc.rings.<ring>`. A new leaf is a line in the list. */

import { readText } from '../record/index.js';
import { type Branch, family, flag, integer, keyed, type Leaf } from '../sysctl/index.js';
import type { RingContext } from './context.js';
import { RING_CAPACITY_MAX, RING_NAME_WORDS, Ring, type RingRef } from './records.js';
import type { Registry } from './registry.js';

const WAITERS_MAX = 254 * 32;

export function ringBranches({ machine }: RingContext, registry: Registry): readonly Branch[] {
  const { words } = machine;
  const { load } = machine.atomics;
  const word = (field: number) => (ring: RingRef) => load(ring + field) >>> 0;
  const capacity = word(Ring.capacity);

  function* rings(): Generator<readonly [name: string, ring: RingRef]> {
    const count = registry.count();
    for (let index = 0; index < count; index++) {
      const ring = registry.at(index);
      yield [readText(words, ring + Ring.name, RING_NAME_WORDS), ring];
    }
  }

  const leaves: readonly Leaf<RingRef>[] = [
    integer('capacity', 'words', 'Words that it holds at most.', capacity, {
      least: 1,
      most: RING_CAPACITY_MAX,
    }),
    integer(
      'used',
      'words',
      'Words in it.',
      (ring) => {
        const head = load(ring + Ring.head);
        // The tail is read later than the head, and may have gone on.
        return Math.min((load(ring + Ring.tail) - head) | 0, capacity(ring));
      },
      { most: RING_CAPACITY_MAX },
    ),
    flag('closed', 'Whether it accepts no more words.', (ring) => load(ring + Ring.closed) !== 0),
    integer(
      'keg',
      '',
      'Number of the keg whose items it carries; 0: its words own nothing.',
      word(Ring.keg),
      {
        most: 0xffff,
      },
    ),
    integer('waiting.put', 'times', 'Calls that wait for room.', word(Ring.puttersWaiting), {
      most: WAITERS_MAX,
    }),
    integer('waiting.take', 'times', 'Calls that wait for a word.', word(Ring.takersWaiting), {
      most: WAITERS_MAX,
    }),
  ];
  return [family('kern.ipc.rings', () => keyed(rings()), leaves)];
}
