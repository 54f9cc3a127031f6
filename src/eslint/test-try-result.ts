/**
 * The rule: what a `try...` answers is tested before it is used as a number. 0 stands for nothing there, and
 * it is a number as well: the compiler refuses it where an address is wanted, but not as an operand or an
 * index, and the words at 0 are the memory's own.
 *
 * It goes by names, and by variables: a result that is an operand or an index at once, or whose variable is
 * one somewhere and is tested nowhere. Where the test stands it does not ask.
 */

import { createCallRule, nameOf } from './calls.js';
import { ADDRESS_METHODS } from './methods.js';
import type { AnyNode, Rule, RuleContext, ScopedCode, Variable } from './syntax.js';

/** What hands on the value of the expression inside it. `as` does not: it says what the value is. */
const HANDS_ON = new Set([
  'ChainExpression',
  'AwaitExpression',
  'TSNonNullExpression',
  'TSSatisfiesExpression',
]);

const ARITHMETIC = new Set(['+', '-', '*', '/', '%', '**', '<<', '>>', '>>>', '&', '|', '^', '~']);
const COMPARISONS = new Set(['===', '!==', '==', '!=', '<', '<=', '>', '>=']);
/** Assignments that only hand on. */
const PLAIN_ASSIGNMENTS = new Set(['=', '&&=', '||=', '??=']);
/** Statements and expressions with a condition. */
const CONDITIONS = new Set([
  'IfStatement',
  'ConditionalExpression',
  'WhileStatement',
  'DoWhileStatement',
  'ForStatement',
]);
/** Functions that are taken for a test of their arguments: `assert`, `assert.ok`, `expect`, `isBlock`, `Boolean`. */
const TESTING = /^(assert|expect|check|ensure|invariant|require|verify|must|is[A-Z]|Boolean$)/;

/** The outermost expression whose value is that of the node. */
function handedOn(node: AnyNode): AnyNode {
  let outer = node;
  while (outer.parent !== undefined && HANDS_ON.has(outer.parent.type)) outer = outer.parent;
  return outer;
}

/** Whether the value is an operand or an index. */
function isNumber(node: AnyNode): boolean {
  const { parent } = node;
  if (parent === undefined) return false;
  switch (parent.type) {
    case 'BinaryExpression':
    case 'UnaryExpression':
      return ARITHMETIC.has(parent.operator ?? '');
    case 'AssignmentExpression':
      return !PLAIN_ASSIGNMENTS.has(parent.operator ?? '');
    case 'UpdateExpression':
      return true;
    case 'MemberExpression':
      return parent.computed === true && parent.property === node;
  }
  return false;
}

/** Whether the value decides upon something. */
function isTest(node: AnyNode): boolean {
  const { parent } = node;
  if (parent === undefined) return false;
  if (CONDITIONS.has(parent.type) && parent.test === node) return true;
  switch (parent.type) {
    case 'BinaryExpression':
      return COMPARISONS.has(parent.operator ?? '');
    case 'UnaryExpression':
      return parent.operator === '!';
    case 'LogicalExpression':
      return parent.left === node;
    case 'SwitchStatement':
      return true;
    case 'CallExpression':
      return parent.callee !== node && isTesting(parent.callee);
  }
  return false;
}

function isTesting(callee: AnyNode | undefined): boolean {
  const object = callee?.type === 'MemberExpression' ? nameOf(callee.object) : undefined;
  return [nameOf(callee), object].some((name) => name !== undefined && TESTING.test(name));
}

/** The variable that gets the value and nothing else, if one does. */
function variableFor(context: RuleContext, value: AnyNode): Variable | undefined {
  const { parent } = value;
  const isInit = parent?.type === 'VariableDeclarator' && parent.init === value;
  const isAssigned = parent?.type === 'AssignmentExpression' && parent.right === value;
  const place = isInit ? parent.id : isAssigned ? parent.left : undefined;
  if (place?.type !== 'Identifier') return undefined;
  const { references } = (context.sourceCode as ScopedCode).getScope(value);
  return references.find(({ identifier }) => identifier === place)?.resolved ?? undefined;
}

/** Where the variable is used as a number; nowhere if it is tested somewhere. */
function untestedUses({ references }: Variable): AnyNode[] {
  const uses = references.filter((each) => each.isRead()).map((each) => handedOn(each.identifier as AnyNode));
  return uses.some(isTest) ? [] : uses.filter(isNumber);
}

export const testTryResult: Rule = createCallRule({
  description: 'Demand that what mbuma’s try… functions answer is tested before it is used',
  messageId: 'untested',
  message: "What '{{name}}' answers is used as a number, and tested nowhere: it is 0 when there is nothing.",
  methods: ADDRESS_METHODS,
  find(call, context) {
    const value = handedOn(call);
    const variable = variableFor(context, value);
    return variable === undefined ? [value].filter(isNumber) : untestedUses(variable);
  },
});
