// A request is freed to the zone of the responses: both zones have items of one size.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const requests = memory.zone({ name: 'requests', size: 256 });
const responses = memory.zone({ name: 'responses', size: 256 });

export function misuse() {
  const request = requests.alloc();
  responses.free(request);
}

export const refusal = {
  code: 'FREE_WRONG_ZONE',
  message: 'uma: Freed item 0x9de00 did not belong to zone responses: it belongs to zone requests',
  zone: 'responses',
  address: 0x9de00,
  owner: 1,
  details: ['zone      requests, items of 256 bytes'],
};
