/** Figures of a type. Read without locks: each is right, together they may be of different moments. */

import { GRANULE_SHIFT } from '../uma/index.js';
import type { Accounts } from './accounts.js';
import { CLASS_SIZES } from './classes.js';
import type { MallocContext } from './context.js';
import { MallocType, TypeCell, type TypeRef } from './records.js';
import type { Registry } from './registry.js';
import type { MallocTypeStats } from './types.js';

export function typeStats(
  { machine, threads }: MallocContext,
  registry: Registry,
  accounts: Accounts,
  type: TypeRef,
): MallocTypeStats {
  const { words, floats } = machine;
  const read = (index: number): number => words[index] as number;
  let used = 0;
  let requests = 0;
  let failures = 0;
  const bits = [0, 0];
  for (let slot = 1; slot <= threads.maxThreads; slot++) {
    const cell = registry.cellOf(type, slot);
    used = (used + read(cell + TypeCell.allocations) - read(cell + TypeCell.frees)) | 0;
    requests += (read(cell + TypeCell.allocations) >>> 0) + read(cell + TypeCell.allocationsHigh) * 2 ** 32;
    failures += read(cell + TypeCell.failures) >>> 0;
    for (const half of [0, 1]) bits[half] = (bits[half] as number) | read(cell + TypeCell.sizes + half);
  }
  const hasBit = (index: number): boolean => ((bits[index >>> 5] as number) & (1 << (index & 31))) !== 0;
  const granules = Math.max(0, accounts.inUse(type));
  return {
    name: registry.nameOf(type),
    description: registry.descriptionOf(type),
    used: Math.max(0, used),
    bytes: granules * 2 ** GRANULE_SHIFT,
    bytesHigh: Math.max(granules, read(type + MallocType.high)) * 2 ** GRANULE_SHIFT,
    limit: accounts.limitOf(type) * 2 ** GRANULE_SHIFT,
    requests,
    failures,
    blocked: floats[(type + MallocType.blocked) >> 1] as number,
    sizes: [...CLASS_SIZES, Number.POSITIVE_INFINITY].filter((_, index) => hasBit(index)),
  };
}
