/** Foreign kegs in the tree of tunables and figures: `vm.uma_foreign.<keg>`. Read without locks. */

import { type Branch, family, integer, keyed, type Leaf } from '../sysctl/index.js';
import type { UmaContext } from './context.js';
import { FOREIGN_KEG_WORDS, FOREIGN_KEGS_MAX, ForeignKegRecord, foreignNameOf } from './foreign-records.js';

const ITEMS_MAX = 2 ** 32;

export function foreignBranch({ machine }: UmaContext): Branch {
  const { words } = machine;
  const area = machine.area('foreign kegs');
  const word = (field: number) => (record: number) => (words[record + field] as number) >>> 0;
  const itemsPerRun = word(ForeignKegRecord.itemsPerRun);
  const runs = word(ForeignKegRecord.runCount);
  const free = word(ForeignKegRecord.freeItems);

  function* kegs(): Generator<readonly [name: string, record: number]> {
    for (let index = 0; index < FOREIGN_KEGS_MAX; index++) {
      const record = area + index * FOREIGN_KEG_WORDS;
      if (word(ForeignKegRecord.itemSize)(record) !== 0) yield [foreignNameOf(words, record), record];
    }
  }

  const leaves: readonly Leaf<number>[] = [
    integer('size', 'bytes', 'Bytes of an item, as asked for.', word(ForeignKegRecord.size)),
    integer('rsize', 'bytes', 'Bytes from one item to the next.', word(ForeignKegRecord.itemSize)),
    integer('run_bytes', 'bytes', 'Bytes that are asked for at a time.', word(ForeignKegRecord.runBytes)),
    integer('ipers', 'items', 'Items of a run.', itemsPerRun),
    integer('runs', 'slabs', 'Runs that it has of the other memory: its slabs.', runs),
    integer('free', 'items', 'Items free in them.', free, { most: ITEMS_MAX }),
    integer(
      'used',
      'items',
      'Items in use.',
      (record) => Math.max(0, runs(record) * itemsPerRun(record) - free(record)),
      { most: ITEMS_MAX },
    ),
  ];
  return family('vm.uma_foreign', () => keyed(kegs()), leaves);
}
