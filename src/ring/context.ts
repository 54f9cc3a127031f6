/** What rings stand on, and where their boot area lies. */

import type { AreaPlanner, Attachment } from '../machine/index.js';
import type { Pages } from '../phys/index.js';
import { RING_REGISTRY_WORDS, RING_WORDS, RINGS_MAX } from './records.js';

/** The layers below. */
export interface RingContext extends Attachment {
  readonly pages: Pages;
}

/** Boot area: the registry, then the records of all rings. */
export const planRings: AreaPlanner = () => [
  { name: 'rings', words: RING_REGISTRY_WORDS + RINGS_MAX * RING_WORDS },
];
