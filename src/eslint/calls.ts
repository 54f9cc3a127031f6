/** What a call calls, as far as names say it. */

import type { AnyNode } from './syntax.js';

/**
 * The name of what is called; of `x.f.call(x)` and `x.f.apply(x)` that of `f`, and of `(0, x.f)()` that of
 * what is called in the end.
 */
export function nameOf(callee: AnyNode | undefined): string | undefined {
  if (callee === undefined) return undefined;
  if (callee.type === 'Identifier') return callee.name;
  // `(x?.f)()` and `x.f!()`.
  if (callee.type === 'ChainExpression' || callee.type === 'TSNonNullExpression')
    return nameOf(callee.expression);
  if (callee.type === 'SequenceExpression') return nameOf(callee.expressions?.at(-1));
  if (callee.type !== 'MemberExpression') return undefined;
  const name = propertyName(callee);
  return name === 'call' || name === 'apply' ? nameOf(callee.object) : name;
}

function propertyName({ computed, property }: AnyNode): string | undefined {
  if (!computed) return property?.type === 'Identifier' ? property.name : undefined;
  if (property?.type === 'Literal') return String(property.value);
  const isText = property?.type === 'TemplateLiteral' && property.expressions?.length === 0;
  return isText ? (property.quasis?.[0]?.value.cooked ?? undefined) : undefined;
}

/** Names that a rule goes by, as its options say. */
export interface NameOptions {
  /** More names: of functions of one's own that answer in the same way. */
  readonly methods?: readonly string[];
  /** Names that mean something else in this program. */
  readonly ignore?: readonly string[];
}

const names = { type: 'array', items: { type: 'string' }, uniqueItems: true };

/** Schema of these options. */
export const nameOptions: object[] = [
  { type: 'object', properties: { methods: names, ignore: names }, additionalProperties: false },
];

/** The names that a rule goes by: its own, with `methods` and without `ignore`. */
export function chosenNames(own: readonly string[], options: readonly unknown[]): Set<string> {
  const { methods = [], ignore = [] } = (options[0] ?? {}) as NameOptions;
  return new Set([...own, ...methods].filter((name) => !ignore.includes(name)));
}
