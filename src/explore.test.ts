import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exploreMemory, type MemoryScenario } from './explore.js';
import type { Zone } from './uma/index.js';

const small = { bytes: 1 << 20, maxZones: 16 };

/** Two threads that take an item and give it back, each from an empty cache. */
const allocFree: MemoryScenario<Zone[]> = {
  name: 'alloc and free',
  memory: small,
  preemptions: 1,
  setup: (memories) => memories.map((memory) => memory.zone({ name: 'items', size: 64 })),
  threads: [0, 1].map((id) => (_, zones) => {
    const zone = zones[id] as Zone;
    const item = zone.tryAlloc();
    if (item === 0) throw new Error('there is memory enough');
    zone.free(item);
  }),
};

test('two threads of a memory take and give back an item', () => {
  const report = exploreMemory(allocFree);
  assert.equal(report.failure, null, `${report.failure?.message} ${report.failure?.schedule}`);
  assert(report.exhausted);
});
