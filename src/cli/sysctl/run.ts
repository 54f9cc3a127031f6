/** `mbuma sysctl`: the tree of a fresh memory. */

import type { Memory, SysctlLeaf } from '../../index.js';
import { makeMemory, needingMemory } from '../memory-size.js';
import { askSysctl, assign, readAssignment } from './assignments.js';
import { type Detail, detailsOf, formatChange, formatLeaf } from './format.js';

export interface SysctlOptions {
  /** Names, prefixes, `name=value`; none: everything. */
  readonly wanted: readonly string[];
  readonly memoryBytes: number;
  readonly detail: Detail;
  readonly writableOnly: boolean;
  readonly json: boolean;
}

/** The prefix that stands for the whole tree; no name begins so. */
export const ALL = 'all';

/**
 * The leaves at and below the names, each once.
 *
 * @throws UsageError for a name that is not there
 */
export function leavesUnder({ sysctl }: Memory, prefixes: readonly string[]): SysctlLeaf[] {
  const lists = prefixes.map((prefix) => askSysctl(() => sysctl.list(prefix === ALL ? '' : prefix)));
  return [...new Map(lists.flat().map((leaf) => [leaf.name, leaf])).values()];
}

/** What there is of the names: threads have gone meanwhile. */
export function leavesLeft(memory: Memory, names: readonly string[] | undefined): SysctlLeaf[] | undefined {
  const left = names?.filter((name) => {
    try {
      leavesUnder(memory, [name]);
      return true;
    } catch {
      return false;
    }
  });
  return left && leavesUnder(memory, left);
}

/** A memory with its network buffers, so that there are zones to be told of. */
function makeMemoryWithMbufs(bytes: number): Memory {
  const memory = makeMemory({ bytes });
  needingMemory(bytes, () => memory.mbufs.stats());
  return memory;
}

/** The lines to be printed: all of them, or none and an error. */
export function runSysctl({ wanted, memoryBytes, detail, writableOnly, json }: SysctlOptions): string {
  const memory = makeMemoryWithMbufs(memoryBytes);
  const lines: string[] = [];
  const told: SysctlLeaf[] = [];
  for (const each of wanted.length === 0 ? [ALL] : wanted) {
    const assignment = readAssignment(each);
    if (assignment === null) {
      const leaves = leavesUnder(memory, [each]).filter(({ writable }) => writable || !writableOnly);
      told.push(...leaves);
      lines.push(...leaves.map((leaf) => formatLeaf(leaf, detail)));
    } else {
      const [before, after] = assign(memory, assignment);
      told.push(after);
      lines.push(detail === 'value' ? formatChange(before, after) : formatLeaf(after, detail));
    }
  }
  if (json) return `${JSON.stringify(detailsOf(told))}\n`;
  return lines.map((line) => `${line}\n`).join('');
}
