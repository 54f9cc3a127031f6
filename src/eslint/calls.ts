/** Rules about calls, which are known by the names of what they call. */

import type { AnyNode, Rule, RuleContext } from './syntax.js';

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

/** What is a rule's own. */
export interface CallRule {
  readonly description: string;
  readonly messageId: string;
  /** With `{{name}}` where the name of what is called belongs. */
  readonly message: string;
  /** Names that it goes by, but for those that its options add and take out. */
  readonly methods: readonly string[];
  /** Where something is wrong with a call of one of the names. */
  readonly find: (call: AnyNode, context: RuleContext) => readonly AnyNode[];
}

export function createCallRule({ description, messageId, message, methods: own, find }: CallRule): Rule {
  return {
    meta: {
      type: 'problem',
      docs: { description },
      schema: [
        { type: 'object', properties: { methods: names, ignore: names }, additionalProperties: false },
      ],
      defaultOptions: [{}],
      messages: { [messageId]: message },
    },
    create(context) {
      const { methods = [], ignore = [] } = (context.options[0] ?? {}) as NameOptions;
      const wanted = new Set([...own, ...methods].filter((name) => !ignore.includes(name)));
      return {
        CallExpression(node) {
          const call = node as AnyNode;
          const name = nameOf(call.callee);
          if (name === undefined || !wanted.has(name)) return;
          for (const found of find(call, context))
            context.report({ node: found as never, messageId, data: { name } });
        },
      };
    },
  };
}
