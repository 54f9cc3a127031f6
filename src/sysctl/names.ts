/** Names of the tree: parts separated by dots, as in sysctl(8). */

/** Whether `name` is `prefix` or lies below it. Everything lies below ''. */
export function isUnder(name: string, prefix: string): boolean {
  return prefix === '' || name === prefix || (name.startsWith(prefix) && name[prefix.length] === '.');
}

/** Depth first: part by part; parts that are numbers by their value. */
export function compareNames(one: string, other: string): number {
  const ours = one.split('.');
  const theirs = other.split('.');
  for (let at = 0; at < ours.length && at < theirs.length; at++) {
    const [a, b] = [ours[at] as string, theirs[at] as string];
    if (a === b) continue;
    const difference = isNumber.test(a) && isNumber.test(b) ? Number(a) - Number(b) : 0;
    if (difference !== 0) return difference;
    return a < b ? -1 : 1;
  }
  return ours.length - theirs.length;
}

const isNumber = /^\d{1,15}$/;

/** What a name of sysctl(8) must not hold; after the = comes a value. */
const unfit = /[./\\\-= ]/g;

/**
 * A key for each thing by its own name: `. / \ - =` and blanks become `_`; a key that is taken by a thing
 * before gets `_1`, `_2` and so on. So a key stays as it is when things are added at the end.
 */
export function* keyed<Subject>(
  named: Iterable<readonly [name: string, subject: Subject]>,
): Generator<readonly [key: string, subject: Subject]> {
  const taken = new Set<string>();
  const last = new Map<string, number>();
  for (const [name, subject] of named) {
    const plain = name.replace(unfit, '_');
    let key = plain;
    if (taken.has(key)) {
      let number = (last.get(plain) ?? 0) + 1;
      while (taken.has(`${plain}_${number}`)) number++;
      last.set(plain, number);
      key = `${plain}_${number}`;
    }
    taken.add(key);
    yield [key, subject];
  }
}
