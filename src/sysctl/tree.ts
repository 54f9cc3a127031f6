/** The tree: finds leaves by name, checks what is written, lists what there is. */

import { describeValue, MbumaError, requireInteger } from '../check/index.js';
import type { BoundLeaf, Branch } from './branch.js';
import type { SysctlUnit, SysctlValue } from './leaf.js';
import { compareNames, isUnder } from './names.js';

interface Told<Type extends string, Value extends SysctlValue, Limit> {
  /** Whole name. */
  readonly name: string;
  readonly type: Type;
  /** What it is now. */
  readonly value: Value;
  /** What an integer counts; '' for what has no unit. */
  readonly unit: SysctlUnit;
  /** Range of an integer, both included; null for other types. */
  readonly least: Limit;
  readonly most: Limit;
  /** Whether `set` may be called. */
  readonly writable: boolean;
  /** One sentence. */
  readonly description: string;
}

/** All that is told of one leaf. Plain data. */
export type SysctlLeaf =
  | Told<'integer', number, number>
  | Told<'boolean', boolean, null>
  | Told<'string', string, null>;

export interface SysctlTree {
  get(name: string): SysctlValue;
  set(name: string, value: SysctlValue): void;
  describe(name: string): SysctlLeaf;
  list(prefix?: string): SysctlLeaf[];
}

function requireText(value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  throw new MbumaError('BAD_ARGUMENT', `${what} must be a string, not ${describeValue(value)}`);
}

function tell({ name, leaf, subject }: BoundLeaf): SysctlLeaf {
  const { type, unit, least, most, description } = leaf;
  const value = leaf.read(subject);
  return { name, type, value, unit, least, most, writable: leaf.write !== null, description } as SysctlLeaf;
}

/** @param branches asked each time; which they are does not change */
export function createTree(branches: readonly Branch[]): SysctlTree {
  function unknown(name: string): MbumaError {
    const isBranch = name !== '' && !under(name).next().done;
    return new MbumaError(
      'NO_SUCH_SYSCTL',
      isBranch ? `${name} is a branch, not a leaf: list it` : `there is no sysctl ${describeValue(name)}`,
    );
  }

  function* under(prefix: string): Generator<BoundLeaf> {
    for (const each of branches) yield* each.under(prefix);
  }

  function find(given: unknown): BoundLeaf {
    const name = requireText(given, 'name');
    for (const each of branches) {
      const found = each.find(name);
      if (found !== undefined) return found;
    }
    throw unknown(name);
  }

  return {
    get(name) {
      const { leaf, subject } = find(name);
      return leaf.read(subject);
    },
    set(given, value) {
      const { name, leaf, subject } = find(given);
      if (leaf.write === null) throw new MbumaError('READ_ONLY', `${name} is for reading`);
      if (leaf.type === 'integer') {
        const { least, most } = leaf;
        leaf.write(subject, requireInteger(value, name, least as number, most as number));
      } else if (leaf.type === 'boolean') {
        if (typeof value !== 'boolean')
          throw new MbumaError('BAD_ARGUMENT', `${name} must be true or false, not ${describeValue(value)}`);
        leaf.write(subject, value);
      } else {
        leaf.write(subject, requireText(value, name));
      }
    },
    describe: (name) => tell(find(name)),
    list(given = '') {
      const prefix = requireText(given, 'prefix');
      const found = [...under(prefix)].sort((one, other) => compareNames(one.name, other.name));
      // A family without members is there all the same.
      if (found.length === 0 && !branches.some(({ at }) => isUnder(at, prefix))) throw unknown(prefix);
      return found.map(tell);
    },
  };
}
