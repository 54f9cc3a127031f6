/**
 * Names of malloc's zones: blocks lie in `malloc-64` and its like, which all types share, and in
 * `malloc-64#3`, the third type's own; what threads count, in `malloc cells`.
 */

import { MbumaError } from '../check/index.js';
import type { Uma } from '../uma/index.js';

const NAME = /^malloc-\d+(?:#(\d+))?$/;

/** The zone of the cells of all types: where it is, somebody uses malloc. */
export const MALLOC_CELLS = 'malloc cells';

/** @param owner number of the type, from 1; 0: all types share the zone */
export function blockZoneName(size: number, owner: number): string {
  return owner === 0 ? `malloc-${size}` : `malloc-${size}#${owner}`;
}

/** A zone of blocks, of whatever class and whosever. */
export function isBlockZone(name: string): boolean {
  return NAME.test(name);
}

const isReserved = (name: string): boolean => name === MALLOC_CELLS || isBlockZone(name);

/** Number of the type whose own zone it is, from 1; 0: of none. */
export function ownerOfBlockZone(name: string): number {
  return Number(NAME.exec(name)?.[1] ?? 0);
}

/**
 * Options of a zone as they came, whose name is free to take: a zone of malloc may be opened by its name, but
 * who made it before malloc does would make it otherwise.
 *
 * @throws BAD_ARGUMENT
 */
export function withFreeName<Options>(uma: Uma, options: Options): Options {
  const name: unknown = (options as { name?: unknown } | null | undefined)?.name;
  if (typeof name !== 'string' || !isReserved(name) || uma.findRecord(name) !== 0) return options;
  throw new MbumaError('BAD_ARGUMENT', `zone ${name}: malloc makes the zones of that name`, { zone: name });
}
