import { cpus, loadavg, totalmem } from 'node:os';
import { textOf } from './suites.mjs';

/** The load tells who else was running: with two threads a cell needs two processors for itself. */
export const loadText = () => loadavg()[0].toFixed(2);

/** Where and how the figures were taken, in one line. */
export function machineLine({ rounds }, loadBefore) {
  const [first] = cpus();
  const model = first?.model.trim() ?? 'unknown processor';
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const date = new Date().toISOString().slice(0, 16).replace('T', ' ');
  return `${date} UTC, ${cpus().length} x ${model}, ${memory}, Node ${process.version}, ${rounds} rounds, load before ${loadBefore}`;
}

function nanoseconds(value) {
  if (value === null || value === undefined) return '-';
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2);
}

export function ratioText(value) {
  if (value === null || value === undefined) return '-';
  return value < 0.01 ? value.toPrecision(2) : value.toFixed(2);
}

const gcText = (gc) => (gc === null ? '' : gc.count === 0 ? '0' : `${gc.count}, ${gc.maxMs.toFixed(1)} ms`);

/** Columns as wide as their widest text; the first column stands left, the others right. */
function formatTable(header, lines) {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...lines.map((line) => line[column].length)),
  );
  const pad = (text, column) => (column === 0 ? text.padEnd(widths[column]) : text.padStart(widths[column]));
  const rule = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [header, rule, ...lines].map((line) => `| ${line.map(pad).join(' | ')} |`).join('\n');
}

const HEADER = ['peer', 'ours ns', 'theirs ns', 'ratio', 'ours best', 'theirs best', 'theirs GC, longest'];

function tableLine(row) {
  return [
    row.peer ?? '(no peer)',
    nanoseconds(row.ours),
    nanoseconds(row.theirs),
    ratioText(row.ratio),
    nanoseconds(row.oursBest),
    nanoseconds(row.theirsBest),
    gcText(row.theirsGc),
  ];
}

const kibibytes = (bytes) => (bytes === null ? '-' : (bytes / 1024).toFixed(0));

const BYTES_HEADER = ['peer', 'ours KiB', 'theirs KiB', 'ratio'];

function printBytes(key, group) {
  const lines = group.map((row) => [
    row.peer ?? '(no peer)',
    kibibytes(row.ours),
    kibibytes(row.theirs),
    ratioText(row.ratio),
  ]);
  const live = `${kibibytes(group[0].live)} KiB were alive at most`;
  process.stdout.write(`${key}: most memory in use; ${live}\n${formatTable(BYTES_HEADER, lines)}\n\n`);
}

/** One table for each suite and size: medians of the processes' medians, paired ratios, bests. */
export function printTables(rows) {
  for (const [key, group] of groupBy(rows, cellKey)) {
    const [{ suite, size, oursGc, unit }] = group;
    if (unit === 'bytes') {
      printBytes(key, group);
      continue;
    }
    const collected =
      oursGc === null || oursGc.count === 0 ? '' : ` (ours: ${oursGc.count} garbage collections)`;
    process.stdout.write(`${key}: ${textOf(suite)}${size >= 16 ? `, ${size} B` : ''}${collected}\n`);
    process.stdout.write(`${formatTable(HEADER, group.map(tableLine))}\n\n`);
  }
}

const cellKey = (row) => (row.size >= 16 ? `${row.suite} ${row.size}` : row.suite);

/** As Map.groupBy, which came with Node 21. */
function groupBy(values, keyOf) {
  const groups = new Map();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}

const MOST_DETAILS = 6;

export function printScores(scores) {
  const lines = scores.map((score) => [
    score.text,
    `<= ${ratioText(score.aim)}`,
    `<= ${ratioText(score.floor)}`,
    ratioText(score.worst),
    score.verdict,
  ]);
  process.stdout.write(`${formatTable(['what', 'aim', 'floor', 'worst', 'reached'], lines)}\n\n`);
  for (const { text, details } of scores) {
    if (details.length < 2) continue;
    const shown = details.slice(0, MOST_DETAILS);
    const figures = shown.map(
      ({ row, figure }) => `${cellKey(row)}${row.peer === null ? '' : ` ${row.peer}`} ${ratioText(figure)}`,
    );
    const more = details.length > shown.length ? `, and ${details.length - shown.length} better ones` : '';
    process.stdout.write(`${text}: ${figures.join(', ')}${more}\n`);
  }
}
