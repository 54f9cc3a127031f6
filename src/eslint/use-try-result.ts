/**
 * The rule: whoever calls a `try...` looks at what it answers. What is thrown away was a block, an item or a
 * place in a lock that nobody can give back any more, or a word that is in no ring.
 *
 * It goes by names, and needs no types: from a call of one of the names it goes outwards, for as long as
 * the value is only handed on, and sees whether somebody takes it.
 */

import { TRY_METHODS } from './methods.js';
import type { AnyNode, Rule } from './syntax.js';

export interface UseTryResultOptions {
  /** More names: of functions of one's own that answer in the same way. */
  readonly methods?: readonly string[];
  /** Names that mean something else in this program. */
  readonly ignore?: readonly string[];
}

/** What hands on the value of the expression inside it. */
const HANDS_ON = new Set([
  'ChainExpression',
  'AwaitExpression',
  'UnaryExpression',
  'BinaryExpression',
  'TSNonNullExpression',
  'TSAsExpression',
  'TSSatisfiesExpression',
  'TSTypeAssertion',
]);

/** Whether nobody gets the value of the node. */
function isThrownAway(node: AnyNode): boolean {
  const { parent } = node;
  if (parent === undefined) return false;
  switch (parent.type) {
    case 'ExpressionStatement':
      return true;
    case 'ForStatement':
      return node === parent.init || node === parent.update;
    case 'SequenceExpression':
      return node !== parent.expressions?.at(-1) || isThrownAway(parent);
    case 'LogicalExpression':
      // The left one is tested.
      return node !== parent.left && isThrownAway(parent);
    case 'ConditionalExpression':
      return node !== parent.test && isThrownAway(parent);
  }
  if (parent.type === 'UnaryExpression' && parent.operator === 'void') return true;
  return HANDS_ON.has(parent.type) && isThrownAway(parent);
}

/** The name of what is called; of `x.f.call(x)` and `x.f.apply(x)` that of `f`. */
function nameOf(callee: AnyNode | undefined): string | undefined {
  if (callee === undefined) return undefined;
  if (callee.type === 'Identifier') return callee.name;
  // `(x?.f)()` and `x.f!()`.
  if (callee.type === 'ChainExpression' || callee.type === 'TSNonNullExpression')
    return nameOf(callee.expression);
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

const names = { type: 'array', items: { type: 'string' }, uniqueItems: true };

export const useTryResult: Rule = {
  meta: {
    type: 'problem',
    docs: { description: 'Demand that the result of mbuma’s try… functions is used' },
    schema: [{ type: 'object', properties: { methods: names, ignore: names }, additionalProperties: false }],
    defaultOptions: [{}],
    messages: {
      thrownAway: "The result of '{{name}}' is thrown away: it says whether there is anything, and what.",
    },
  },
  create(context) {
    const { methods = [], ignore = [] } = (context.options[0] ?? {}) as UseTryResultOptions;
    const wanted = new Set([...TRY_METHODS, ...methods].filter((name) => !ignore.includes(name)));
    return {
      CallExpression(node) {
        const call = node as AnyNode;
        const name = nameOf(call.callee);
        if (name === undefined || !wanted.has(name) || !isThrownAway(call)) return;
        context.report({ node: node as never, messageId: 'thrownAway', data: { name } });
      },
    };
  },
};
