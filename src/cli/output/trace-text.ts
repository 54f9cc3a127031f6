/** The report for people, of a replay of traces. */

import { formatVmstatM, formatVmstatZ } from '../../stat/index.js';
import type { SpeedFigures, TraceResult } from '../trace/result.js';
import type { Compared } from '../trace/rivals.js';
import { type Column, formatColumns } from './columns.js';
import {
  formatCount,
  formatMebibytes,
  formatMilliseconds,
  formatScaled,
  formatSeconds,
  formatShare,
} from './numbers.js';
import { gcText, plural, reportOf, type Section, tree, verdict } from './sections.js';

export function traceTextOf(result: TraceResult, compared: readonly Compared[] | undefined): string {
  const sections: Section[] = [
    totals(result),
    space(result),
    ...(compared === undefined ? [] : [comparison(result, compared)]),
    ['Malloc types (vmstat -m)', '', formatVmstatM(result.types)],
    ['Zones (vmstat -z)', '', formatVmstatZ(result.zones)],
    ...(result.sysctl === undefined ? [] : [tree(result.sysctl)]),
    verdict(result.audit),
  ];
  return reportOf(sections);
}

function totals(result: TraceResult): string[] {
  const { ops, files, threads, seconds, workers, opsPerSecond, gc, peakRss } = result;
  return [
    `${plural(ops, 'operation')} of ${plural(threads, 'thread')}, from ${plural(files, 'trace')}`,
    `  ${formatSeconds(seconds)} with ${plural(workers, 'worker')}: ${formatScaled(opsPerSecond)} operations/s`,
    `  ${gcText(gc)}, peak RSS ${formatMebibytes(peakRss)}`,
  ];
}

const spaceColumns: readonly Column[] = [
  { title: '', align: 'left' },
  { title: 'bytes', align: 'right' },
  { title: 'of used', align: 'right' },
];

function space({ peakLive, peakUsed, live, waste, internalShare }: TraceResult): string[] {
  const row = (title: string, bytes: number): string[] => [
    title,
    formatCount(bytes),
    peakUsed === 0 ? '-' : formatShare(bytes / peakUsed),
  ];
  return [
    'Memory when most of it was used',
    '',
    ...formatColumns(spaceColumns, [
      row('asked for', live),
      row('wasted inside items', waste.internal),
      row('wasted in slabs', waste.slab),
      row('wasted in caches', waste.cached),
      row('used', peakUsed),
    ]),
    '',
    `Most that was live at one time: ${plural(peakLive, 'byte')}`,
    `Of the bytes of blocks nobody asked for ${formatShare(internalShare.atPeak)}, and ` +
      `${formatShare(internalShare.overall)} over all blocks there ever were`,
  ];
}

const comparisonColumns: readonly Column[] = [
  { title: '', align: 'left' },
  { title: 'operations/s', align: 'right' },
  { title: 'time', align: 'right' },
  { title: 'ours to it', align: 'right' },
  { title: 'GC pauses', align: 'right' },
  { title: 'GC time', align: 'right' },
  { title: 'peak RSS', align: 'right' },
];

function comparison(ours: TraceResult, compared: readonly Compared[]): string[] {
  const row = (name: string, figures: SpeedFigures, ratio: string): string[] => [
    name,
    formatScaled(figures.opsPerSecond),
    formatSeconds(figures.seconds),
    ratio,
    formatCount(figures.gc.count),
    formatMilliseconds(figures.gc.ms),
    formatMebibytes(figures.peakRss),
  ];
  const rows = [row(`mbuma, ${plural(ours.workers, 'worker')}`, ours, '')];
  const leftOut: string[] = [];
  for (const { name, result } of compared) {
    if ('leftOut' in result) leftOut.push(`${name} is left out: ${result.leftOut}`);
    else rows.push(row(name, result, (ours.seconds / result.seconds).toFixed(3)));
  }
  return [
    'Comparison; the others have one thread each',
    '',
    ...formatColumns(comparisonColumns, rows),
    ...leftOut,
  ];
}
