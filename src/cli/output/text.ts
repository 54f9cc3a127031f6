/** The report for people. */

import type { SysctlLeaf } from '../../index.js';
import { formatNetstatM, formatVmstatZ } from '../../stat/index.js';
import type { JobFigures, ReplayResult } from '../replay/result.js';
import { formatLeaf } from '../sysctl/format.js';
import { type Column, formatColumns } from './columns.js';
import { formatCount, formatMebibytes, formatScaled, formatSeconds } from './numbers.js';

export function textOf(result: ReplayResult, compared: JobFigures | undefined): string {
  const sections = [
    totals(result),
    ...(result.top.length > 0 ? [topConversations(result)] : []),
    ...(compared === undefined ? [] : [comparison(result, compared)]),
    ['Network buffers (netstat -m)', '', formatNetstatM(result.zones)],
    ['Zones (vmstat -z)', '', formatVmstatZ(result.zones)],
    ...(result.sysctl === undefined ? [] : [tree(result.sysctl)]),
    verdict(result),
  ];
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
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
    `  ${gcText(job)}, peak RSS ${formatMebibytes(job.peakRss)}`,
  ];
}

function gcText({ gc }: JobFigures): string {
  if (gc.count === 0) return 'no garbage collection';
  return `${plural(gc.count, 'garbage collection')}, ${gc.ms.toFixed(1)} ms (longest ${gc.maxMs.toFixed(1)} ms)`;
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
  const milliseconds = (value: number): string => `${value.toFixed(1)} ms`;
  return [
    'Comparison',
    '',
    ...formatColumns(columns, [
      row('packets/s', (job) => job.packetsPerSecond, formatScaled),
      row('peak RSS', (job) => job.peakRss, formatMebibytes),
      row('GC pauses', (job) => job.gc.count, formatCount),
      row('GC time', (job) => job.gc.ms, milliseconds),
      row('longest pause', (job) => job.gc.maxMs, milliseconds),
    ]),
  ];
}

function tree(leaves: readonly SysctlLeaf[]): string[] {
  return ['Tunables and figures (sysctl)', '', ...leaves.map((leaf) => formatLeaf(leaf, 'value'))];
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

function verdict({ audit }: ReplayResult): string[] {
  if (audit.clean) return ['Audit: clean, every item accounted for'];
  return [
    `Audit: ${plural(audit.violations.length, 'violation')}`,
    ...audit.violations.map(({ rule, message }) => `  ${rule}: ${message}`),
  ];
}
