// One row in a process of its own: what it does to memory and time is nobody else's. A message tells it what
// to run; it ends when its parent is gone.

import { readJsonOrNull, writeFileAtomically } from '../scripts/files.mjs';

const SAVE_EVERY_MS = 5000;

const ending = new AbortController();
process.on('disconnect', () => process.exit(1));
process.on('SIGINT', () => ending.abort());
process.on('SIGTERM', () => ending.abort());

process.once('message', async ({ module, level, seed, file }) => {
  const { run } = await import(module);
  const known = file === null ? null : readJsonOrNull(file);
  let saved = performance.now();
  let latest = null;
  const write = () => {
    saved = performance.now();
    if (file !== null && latest !== null)
      writeFileAtomically(file, `${JSON.stringify({ level, seed, state: latest })}\n`);
  };
  const row = await run({
    level,
    seed,
    state: known?.state,
    signal: ending.signal,
    progress: (done, of) => process.send({ done, of }),
    save(state) {
      latest = state;
      if (performance.now() - saved > SAVE_EVERY_MS) write();
    },
  });
  write();
  process.send({ row }, () => process.exit());
});
