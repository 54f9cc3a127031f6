/**
 * What the rule needs to know of ESLint, which it does not import: nodes of ESTree with their parents, and
 * what a rule is made of.
 */

export interface Node {
  readonly type: string;
}

/** Any node, as the rule looks at it: fields that its type does not have are absent. */
export interface AnyNode extends Node {
  readonly parent?: AnyNode;
  readonly expressions?: readonly AnyNode[];
  readonly operator?: string;
  readonly left?: AnyNode;
  readonly test?: AnyNode;
  readonly init?: AnyNode | null;
  readonly update?: AnyNode | null;
  readonly callee?: AnyNode;
  readonly expression?: AnyNode;
  readonly object?: AnyNode;
  readonly property?: AnyNode;
  readonly computed?: boolean;
  readonly name?: string;
  readonly value?: unknown;
  readonly quasis?: readonly { readonly value: { readonly cooked?: string | null } }[];
}

export interface RuleContext {
  readonly options: readonly unknown[];
  report(finding: {
    readonly node: never;
    readonly messageId: string;
    readonly data: Record<string, string>;
  }): void;
}

export interface Rule {
  readonly meta: {
    readonly type: 'problem';
    readonly docs: { readonly description: string };
    // Not readonly: ESLint's own types want them so.
    schema: object[];
    defaultOptions: object[];
    messages: Record<string, string>;
  };
  create(context: RuleContext): { CallExpression(node: Node): void };
}
