// The suite replay: the command itself, which runs the same job its own way and the way of plain Node.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runProcess } from './cells.mjs';
import { ours } from './competitors.mjs';

const PROGRAM = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

/** The side of --compare, as a peer of one cell. */
const plainNode = { name: 'plainNode', inJavaScript: true };
const cell = { suite: 'replay', size: 0, peers: [plainNode] };

const figuresOf = ({ packetsPerSecond, gc }) => {
  const ns = 1e9 / packetsPerSecond;
  return { median: ns, best: ns, gc: { count: gc?.count ?? 0, maxMs: gc?.maxMs ?? 0 } };
};

export async function measureReplay({ capture, repeat, rounds }, results, progress) {
  if (capture === null) return progress.say('replay: left out: no --capture FILE');
  if (!existsSync(PROGRAM)) return progress.say('replay: left out: dist/cli/main.js is not built');
  const args = [
    PROGRAM,
    'replay',
    capture,
    '--repeat',
    String(repeat),
    '--workers',
    '1',
    '--compare',
    '--json',
  ];
  results.addCell(cell);
  for (let round = 0; round < rounds; round++) {
    progress.show(`replay ${repeat} x ${capture}`);
    try {
      const report = await runProcess({ file: process.execPath, args, env: {}, timeout: 3_600_000 });
      const mine = figuresOf(report);
      const theirs = figuresOf(report.compare);
      results.addProcess(cell, ours, mine);
      results.addProcess(cell, plainNode, theirs);
      results.addPair(cell, plainNode, mine, theirs);
    } catch (error) {
      return progress.say(`replay: left out: ${error.message}`);
    }
  }
}
