/** What mutexes stand on, and where their boot areas lie. */

import type { AreaPlanner, Attachment } from '../machine/index.js';
import {
  MUTEX_CLASS_WORDS,
  MUTEX_ORDER_WORDS,
  MUTEX_REGISTRY_WORDS,
  MUTEX_WORDS,
  mutexesMax,
} from './records.js';

export type MutexContext = Attachment;

/** Boot areas: the registry, classes, mutexes, and a square of orders: held class by taken class. */
export const planMutexes: AreaPlanner = ({ pageCount }) => {
  const most = mutexesMax(pageCount);
  return [
    { name: 'mutex registry', words: MUTEX_REGISTRY_WORDS },
    { name: 'mutex classes', words: most * MUTEX_CLASS_WORDS },
    { name: 'mutexes', words: most * MUTEX_WORDS },
    { name: 'mutex orders', words: most * most * MUTEX_ORDER_WORDS },
  ];
};
