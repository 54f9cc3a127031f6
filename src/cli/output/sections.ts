/** What the reports of captures and of traces have in common. */

import type { SysctlLeaf } from '../../index.js';
import type { GcFigures } from '../replay/gc-watch.js';
import type { AuditFigures } from '../replay/result.js';
import { formatLeaf } from '../sysctl/format.js';
import { formatCount, formatMilliseconds } from './numbers.js';

/** A title and its lines. */
export type Section = readonly string[];

/** Sections, parted by an empty line. */
export function reportOf(sections: readonly Section[]): string {
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

export function gcText(gc: GcFigures): string {
  if (gc.count === 0) return 'no garbage collection';
  return `${plural(gc.count, 'garbage collection')}, ${formatMilliseconds(gc.ms)} (longest ${formatMilliseconds(gc.maxMs)})`;
}

export function tree(leaves: readonly SysctlLeaf[]): string[] {
  return ['Tunables and figures (sysctl)', '', ...leaves.map((leaf) => formatLeaf(leaf, 'value'))];
}

export function verdict(audit: AuditFigures): string[] {
  if (audit.clean) return ['Audit: clean, every item accounted for'];
  return [
    `Audit: ${plural(audit.violations.length, 'violation')}`,
    ...audit.violations.map(({ rule, message }) => `  ${rule}: ${message}`),
  ];
}
