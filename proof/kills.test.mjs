// The killer in small, and that it finds what it is for.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from './kills.mjs';

test('thirty deaths leave nothing behind', async () => {
  const { ok, figures, findings } = await run({ seed: 1, kills: 30 });
  assert.deepEqual(findings, []);
  assert.equal(ok, true);
  assert.ok(figures.kills >= 30 && figures.audits >= 2, JSON.stringify(figures));
});

// Where nothing is repaired (`--sabotage forget`) anything may happen, in the harness too: not in a test.
test('when nobody is adopted, the killer says so', async () => {
  const { ok, findings } = await run({ seed: 2, kills: 120, sabotage: 'abandon', findingsMost: 1 });
  assert.equal(ok, false);
  assert.match(
    findings[0].what,
    /do not go on|in use|audit|did not attach|do not park|failed|counts wrong|changed/,
  );
  assert.ok(findings[0].seed > 0);
});
