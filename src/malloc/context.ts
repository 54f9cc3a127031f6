/** What malloc stands on, and its boot areas. */

import type { AreaPlanner } from '../machine/index.js';
import type { Uma, UmaContext } from '../uma/index.js';
import { MALLOC_STATE_WORDS, TYPE_WORDS, typesMax } from './records.js';

export interface MallocContext extends UmaContext {
  readonly uma: Uma;
}

export const planMalloc: AreaPlanner = ({ pageCount }) => [
  { name: 'malloc', words: MALLOC_STATE_WORDS },
  { name: 'malloc types', words: typesMax(pageCount) * TYPE_WORDS },
];
