/**
 * Branches: leaves that hang at one place, or once below each of its members, such as the zones. Nothing is
 * kept here of what is there; a member is looked for when it is asked for.
 */

import type { Leaf } from './leaf.js';
import { isUnder } from './names.js';

/** A leaf of something that is there, with its whole name. */
export interface BoundLeaf {
  readonly name: string;
  readonly leaf: Leaf<unknown>;
  readonly subject: unknown;
}

export interface Branch {
  /** Name of the place: `vm.uma`. */
  readonly at: string;
  /** The leaf of this whole name; undefined when this branch has none. */
  find(name: string): BoundLeaf | undefined;
  /** Every leaf whose name is `prefix` or begins with it and a dot; of all members for ''. */
  under(prefix: string): Iterable<BoundLeaf>;
}

const join = (at: string, name: string): string => (at === '' ? name : `${at}.${name}`);

/** Leaves that hang at `at`; at the root for ''. */
export function branch(at: string, leaves: readonly Leaf[]): Branch {
  const bound = new Map<string, BoundLeaf>();
  for (const leaf of leaves) {
    const name = join(at, leaf.name);
    bound.set(name, { name, leaf: leaf as Leaf<unknown>, subject: undefined });
  }
  return {
    at,
    find: (name) => bound.get(name),
    *under(prefix) {
      for (const each of bound.values()) if (isUnder(each.name, prefix)) yield each;
    },
  };
}

/**
 * The same leaves for each member of a family: `at.<key>.<leaf>`.
 *
 * @param members what there is now, with the key of each: see `keyed`. A key has no dot.
 */
export function family<Subject>(
  at: string,
  members: () => Iterable<readonly [key: string, subject: Subject]>,
  leaves: readonly Leaf<Subject>[],
): Branch {
  const byName = new Map(leaves.map((leaf) => [leaf.name, leaf as Leaf<unknown>]));

  function keyIn(name: string): string {
    const start = at.length + 1;
    const end = name.indexOf('.', start);
    return end < 0 ? name.slice(start) : name.slice(start, end);
  }

  return {
    at,
    find(name) {
      if (!name.startsWith(`${at}.`)) return undefined;
      const wanted = keyIn(name);
      const leaf = byName.get(name.slice(at.length + wanted.length + 2));
      if (leaf === undefined) return undefined;
      for (const [key, subject] of members()) if (key === wanted) return { name, leaf, subject };
      return undefined;
    },
    *under(prefix) {
      const all = isUnder(at, prefix);
      if (!all && !isUnder(prefix, at)) return;
      const wanted = all ? '' : keyIn(prefix);
      for (const [key, subject] of members()) {
        if (!all && key !== wanted) continue;
        for (const [leafName, leaf] of byName) {
          const name = `${at}.${key}.${leafName}`;
          if (isUnder(name, prefix)) yield { name, leaf, subject };
        }
      }
    },
  };
}
