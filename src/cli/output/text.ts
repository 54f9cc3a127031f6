/** The report for people, of a replay of captures. */

import { formatNetstatM, formatVmstatZ } from '../../stat/index.js';
import type { JobFigures, ReplayResult } from '../replay/result.js';
import { type Column, formatColumns } from './columns.js';
import { formatCount, formatMebibytes, formatMilliseconds, formatScaled, formatSeconds } from './numbers.js';
import { gcText, plural, reportOf, type Section, tree, verdict } from './sections.js';

export function textOf(result: ReplayResult, compared: JobFigures | undefined): string {
  const sections: Section[] = [
    totals(result),
    ...(result.top.length > 0 ? [topConversations(result)] : []),
    ...(compared === undefined ? [] : [comparison(result, compared)]),
    ['Network buffers (netstat -m)', '', formatNetstatM(result.zones)],
    ['Zones (vmstat -z)', '', formatVmstatZ(result.zones)],
    ...(result.sysctl === undefined ? [] : [tree(result.sysctl)]),
    verdict(result.audit),
  ];
  return reportOf(sections);
}

function totals(job: JobFigures): string[] {
  const { tcp, udp, otherIp, nonIp, fragments, conversations } = job;
  return [
    `${plural(job.packets, 'packet')}, ${plural(job.bytes, 'byte')} on the wire, from ${plural(job.files, 'file')}`,
    `  TCP ${formatCount(tcp)}, UDP ${formatCount(udp)}, other IP ${formatCount(otherIp)}, not IP ${formatCount(nonIp)}` +
      (fragments > 0 ? `; ${plural(fragments, 'fragment')}` : ''),
    `  ${plural(conversations.tcp, 'TCP conversation')}, ${plural(conversations.udp, 'UDP conversation')}`,
    `  ${formatSeconds(job.seconds)} with ${plural(job.workers, 'worker')}: ` +
      `${formatScaled(job.packetsPerSecond)} packets/s, ${formatScaled(job.bytes / job.seconds)}B/s`,
    `  ${gcText(job.gc)}, peak RSS ${formatMebibytes(job.peakRss)}`,
  ];
}

const topColumns: readonly Column[] = [
  { title: '', align: 'left' },
  { title: 'A', align: 'left' },
  { title: 'B', align: 'left' },
  { title: 'packets', align: 'right' },
  { title: 'bytes', align: 'right' },
  { title: 'A to B', align: 'right' },
  { title: 'bytes', align: 'right' },
  { title: 'B to A', align: 'right' },
  { title: 'bytes', align: 'right' },
];

function topConversations({ top }: ReplayResult): string[] {
  const rows = top.map((row) => [
    row.protocol,
    row.a,
    row.b,
    formatCount(row.packets),
    formatCount(row.bytes),
    formatCount(row.packetsAB),
    formatCount(row.bytesAB),
    formatCount(row.packets - row.packetsAB),
    formatCount(row.bytes - row.bytesAB),
  ]);
  return ['Top conversations', '', ...formatColumns(topColumns, rows)];
}

function comparison(ours: JobFigures, theirs: JobFigures): string[] {
  const columns: readonly Column[] = [
    { title: '', align: 'left' },
    { title: 'mbuma', align: 'right' },
    { title: 'Buffers, Map, postMessage', align: 'right' },
    { title: 'ratio', align: 'right' },
  ];
  const row = (title: string, of: (job: JobFigures) => number, show: (value: number) => string): string[] => {
    const ratio = of(ours) / of(theirs);
    return [title, show(of(ours)), show(of(theirs)), Number.isFinite(ratio) ? ratio.toFixed(2) : '-'];
  };
  return [
    'Comparison',
    '',
    ...formatColumns(columns, [
      row('packets/s', (job) => job.packetsPerSecond, formatScaled),
      row('peak RSS', (job) => job.peakRss, formatMebibytes),
      row('GC pauses', (job) => job.gc.count, formatCount),
      row('GC time', (job) => job.gc.ms, formatMilliseconds),
      row('longest pause', (job) => job.gc.maxMs, formatMilliseconds),
    ]),
  ];
}

/** What the two sides must agree on and do not; empty when all is well. */
export function disagreements(ours: JobFigures, theirs: JobFigures): string[] {
  const figures: readonly (readonly [name: string, of: (job: JobFigures) => number])[] = [
    ['packets', (job) => job.packets],
    ['bytes', (job) => job.bytes],
    ['TCP packets', (job) => job.tcp],
    ['UDP packets', (job) => job.udp],
    ['TCP conversations', (job) => job.conversations.tcp],
    ['UDP conversations', (job) => job.conversations.udp],
  ];
  return figures
    .filter(([, of]) => of(ours) !== of(theirs))
    .map(([name, of]) => `${name}: ${of(ours)} and ${of(theirs)}`);
}
