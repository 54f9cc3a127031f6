// npm run bench: ours and every peer, interleaved. README.md tells the method.
import { existsSync } from 'node:fs';
import { cellsOf, commandOf, preparePeers, runProcess, suitesOf, traceName } from './cells.mjs';
import { ours, reasonAgainst } from './competitors.mjs';
import { HELP, readOptions, UsageError } from './options.mjs';
import { startProgress } from './progress.mjs';
import { measureReplay } from './replay.mjs';
import { Results } from './results.mjs';
import { scoreRows } from './scorecard.mjs';
import { interleave, rotate } from './statistics.mjs';
import { loadText, machineLine, printScores, printTables } from './table.mjs';
import { readTrace } from './trace.mjs';

/** A process that fails is tried in no later round: its competitor is out of this cell. */
async function runOne(competitor, cell, results, progress) {
  if (results.hasFailed(cell, competitor)) return null;
  progress.show(`${cell.suite} ${cell.size} ${competitor.name}`);
  try {
    const figures = await runProcess(commandOf(competitor, cell));
    results.addProcess(cell, competitor, figures);
    return figures;
  } catch (error) {
    results.addFailure(cell, competitor);
    progress.say(`${cell.suite} ${cell.size} ${competitor.name}: left out: ${error.message}`);
    return null;
  }
}

async function runRound(cell, round, oursReady, results, progress) {
  const { order, pairs } = interleave(rotate(cell.peers, round));
  const figures = [];
  for (const peer of order) {
    if (peer === null && !oursReady) figures.push(null);
    else figures.push(await runOne(peer ?? ours, cell, results, progress));
  }
  for (const { peer, oursAt, theirsAt } of pairs) {
    results.addPair(cell, peer, figures[oursAt], figures[theirsAt]);
  }
}

function countProcesses(cells, rounds, oursReady) {
  let count = 0;
  for (const { peers } of cells) {
    count += oursReady ? interleave(peers).order.length : peers.length;
  }
  return count * rounds;
}

async function measure(options, progress) {
  const oursReason = ours.prepare();
  if (oursReason !== null) progress.say(`ours: left out: ${oursReason}`);
  const prepared = preparePeers(options, oursReason === null);
  for (const { peer, reason } of prepared) {
    if (reason !== null) progress.say(`${peer.name}: left out: ${reason}`);
  }
  const ready = prepared.filter(({ reason }) => reason === null).map(({ peer }) => peer);
  const suites = suitesOf(options).filter((suite) => {
    const reason = reasonAgainst(suite);
    if (reason !== null) progress.say(`${suite}: left out: ${reason}`);
    return reason === null;
  });
  if (suites.includes('trace') && options.traces.length === 0)
    progress.say('trace: left out: no --trace FILE');
  const cells = cellsOf(suites, options, ready);
  const results = new Results(cells);
  progress.expect(countProcesses(cells, options.rounds, oursReason === null));
  // Round by round, not cell by cell: the processes of one cell are spread over the whole run.
  for (let round = 0; round < options.rounds; round++) {
    for (const cell of cells) await runRound(cell, round, oursReason === null, results, progress);
  }
  if (suites.includes('replay')) {
    await measureReplay(options, results, progress);
  }
  return results;
}

/** A peer in C takes every file for a trace: what is none is refused before anything runs. */
function requireTraces(files) {
  for (const file of files) {
    if (!existsSync(file)) throw new UsageError(`--trace ${file}: no such file`);
    try {
      readTrace(file);
    } catch (error) {
      throw new UsageError(`--trace ${error.message}`);
    }
  }
  if (new Set(files.map(traceName)).size < files.length)
    throw new UsageError('--trace: two files have the same name, which their cells would have');
}

async function main(args) {
  const options = readOptions(args);
  if (options.help) {
    process.stdout.write(HELP);
    return;
  }
  if (options.capture !== null && !existsSync(options.capture)) {
    throw new UsageError(`--capture ${options.capture}: no such file`);
  }
  requireTraces(options.traces);
  const loadBefore = loadText();
  const progress = startProgress();
  const results = await measure(options, progress);
  progress.end();
  if (!results.oursComplete) process.exitCode = 1;
  const rows = results.rows();
  if (options.json) {
    process.stdout.write(`[\n${rows.map((row) => JSON.stringify(row)).join(',\n')}\n]\n`);
    return;
  }
  process.stdout.write(`${machineLine(options, loadBefore)}\n\n`);
  printTables(rows);
  printScores(scoreRows(rows));
}

// A reader that had enough (`| head`) is no error.
process.stdout.on('error', (error) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`bench: ${error.message}\nbench: --help tells the options\n`);
  process.exitCode = 2;
}
