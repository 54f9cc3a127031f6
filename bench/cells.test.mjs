import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cellsOf, commandOf, suitesOf } from './cells.mjs';
import { readOptions, UsageError } from './options.mjs';
import { Results } from './results.mjs';
import { scoreRows } from './scorecard.mjs';
import { MALLOC_SIZES } from './suites.mjs';

const peer = { name: 'peer', suites: { mallocA: MALLOC_SIZES, a: [64], trace: [0] } };

function cellsFor(...args) {
  const options = readOptions(args);
  return cellsOf(suitesOf(options), options, [peer]);
}

const namesOf = (cells) => cells.map(({ suite, size }) => `${suite} ${size}`);

test('malloc is measured at 64 bytes, at all its sizes when asked, and a at its own', () => {
  assert.deepEqual(namesOf(cellsFor('--suite', 'mallocA,a')), ['a 64', 'a 256', 'a 2048', 'mallocA 64']);
  assert.deepEqual(namesOf(cellsFor('--suite', 'mallocA', '--size', 'all')), [
    ...MALLOC_SIZES.map((size) => `mallocA ${size}`),
  ]);
  assert.deepEqual(namesOf(cellsFor('--suite', 'mallocA', '--size', '16,4096')), [
    'mallocA 16',
    'mallocA 4096',
  ]);
  assert.deepEqual(namesOf(cellsFor('--suite', 'a,mallocA', '--quick')), ['a 64', 'mallocA 64']);
});

test('malloc as a suite stands for its four', () => {
  const suites = ['mallocA 64', 'mallocB 64', 'mallocC 64', 'mallocD 64'];
  assert.deepEqual(namesOf(cellsFor('--suite', 'malloc')), suites);
});

test('a trace is a cell of its own, named after its file, and its process gets the file', () => {
  const cells = cellsFor('--suite', 'trace', '--trace', '/tmp/one.trace,/tmp/two.trace');
  assert.deepEqual(namesOf(cells), ['trace:one 0', 'trace:two 0']);
  assert.deepEqual(cells[0].peers, [peer]);
  const command = commandOf({ command: (...args) => args }, cells[1]);
  assert.deepEqual(command, ['trace', 0, '/tmp/two.trace']);
});

test('suites of files run by themselves only where there is a file', () => {
  assert.ok(!suitesOf(readOptions([])).some((suite) => suite === 'trace' || suite === 'replay'));
  assert.ok(suitesOf(readOptions(['--trace', 'one.trace'])).includes('trace'));
  assert.ok(suitesOf(readOptions(['--capture', 'one.pcap'])).includes('replay'));
  assert.throws(() => readOptions(['--size', '65']), UsageError);
});

/** The rows of two traces in which the peer tells two figures. */
function traceRows() {
  const jemalloc = { name: 'jemalloc', inJavaScript: false };
  const cells = ['trace:one', 'trace:two'].map((suite) => ({ suite, size: 0, peers: [jemalloc] }));
  const results = new Results(cells);
  for (const [index, cell] of cells.entries()) {
    const mine = { median: 10, best: 9, peaks: { live: 900, used: 1000 + 200 * index } };
    const theirs = { median: 20, best: 18, peaks: { live: 900, active: 1000, resident: 4000 } };
    results.addProcess(cell, { name: 'ours' }, mine);
    results.addProcess(cell, jemalloc, theirs);
    results.addPair(cell, jemalloc, mine, theirs);
  }
  return results.rows();
}

test('bytes in use have rows of their own, one for each figure of a peer', () => {
  const rows = traceRows().map(({ suite, peer, ratio }) => `${suite} ${peer} ${ratio}`);
  assert.deepEqual(rows, [
    'trace:one jemalloc 0.5',
    'traceBytes:one jemalloc active 1',
    'traceBytes:one jemalloc resident 0.25',
    'trace:two jemalloc 0.5',
    'traceBytes:two jemalloc active 1.2',
    'traceBytes:two jemalloc resident 0.3',
  ]);
});

test('the worst of all traces decides how many bytes are too many', () => {
  const score = scoreRows(traceRows()).find(({ text }) => text.includes('bytes in use'));
  assert.equal(score.worst, 1.2);
  assert.equal(score.verdict, 'floor');
  assert.equal(score.details.length, 2);
});
