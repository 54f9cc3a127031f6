// A few scenarios with every site failing; and what is planted is found.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allScenarios, registeredSites, run } from './failures.mjs';

const named = (pattern) => allScenarios.filter(({ name }) => pattern.test(name));

test('failures', async () => {
  const scenarios = named(/^the first slab, header in line|^ring: two putters|^mbufs: an external/);
  const sites = [
    'uma.slab',
    'uma.alloc',
    'uma.zone',
    'ring.put',
    'mbuf.attach',
    'mbuf.counter',
    'mbuf.function',
  ];
  const row = await run({ scenarios, sites });
  assert.deepEqual(row.findings, []);
  assert.equal(row.controls, 4);
  assert.equal(row.ok && row.complete, true);
  assert.equal(row.figures['sites hit'], sites.length);
  assert.ok(row.figures.failures > 30, JSON.stringify(row.figures));
});

test('a site that no scenario hits is told', async () => {
  const row = await run({
    scenarios: named(/^ring: two takers/),
    sites: ['uma.alloc', 'ring.create', 'ring.take'],
  });
  assert.equal(row.ok, false);
  assert.ok(
    row.findings.some((text) => /no scenario hits .*ring\.create/.test(text)),
    row.findings.join(),
  );
});

test('memories of every size', async () => {
  const row = await run({
    level: 'nightly',
    scenarios: named(/^both open the same new ring|^many at once/),
    sites: ['uma.alloc'],
  });
  assert.ok(row.figures['memory sizes'] >= 6, JSON.stringify(row.figures));
  assert.deepEqual(row.findings, []);
});

test('the sites are those of the sources', () => {
  assert.equal(new Set(registeredSites()).size, 30);
});
