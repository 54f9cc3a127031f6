/**
 * The rule: whoever calls a `try...` looks at what it answers. What is thrown away was a block, an item or a
 * place in a lock that nobody can give back any more, or a word that is in no ring.
 *
 * It goes by names, and needs no types: from a call of one of the names it goes outwards, for as long as
 * the value is only handed on, and sees whether somebody takes it.
 */

import { createCallRule } from './calls.js';
import { TRY_METHODS } from './methods.js';
import type { AnyNode, Rule } from './syntax.js';

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

export const useTryResult: Rule = createCallRule({
  description: 'Demand that the result of mbuma’s try… functions is used',
  messageId: 'thrownAway',
  message: "The result of '{{name}}' is thrown away: it says whether there is anything, and what.",
  methods: TRY_METHODS,
  find: (call) => (isThrownAway(call) ? [call] : []),
});
