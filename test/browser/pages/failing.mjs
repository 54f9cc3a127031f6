// Pages that must be found failing, each in the way that ?how names.

import { check, equal, finish } from './checks.mjs';
import { startWorker } from './crew.mjs';

const ways = {
  assertion: () => check('deliberately wrong', () => equal(1 + 1, 3, 'the sum')),
  worker: () => check('a Worker that is not there', () => startWorker('./nothing.mjs').call('attach')),
  async command() {
    const worker = startWorker('./worker.mjs');
    await check('a Worker that refuses', () => worker.call('attach', { kind: 'nothing' }));
  },
  async rejection() {
    await check('well', () => {});
    Promise.reject(new Error('nobody waits for this'));
    await new Promise((resolve) => setTimeout(resolve, 50));
  },
  nothing: () => {},
  import: () => import('./nothing.mjs'),
  hang: () =>
    check('a loop without end', () => {
      for (;;);
    }),
};

await ways[new URLSearchParams(location.search).get('how')]();
await finish();
