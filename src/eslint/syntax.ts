/**
 * What the rules need to know of ESLint, which they do not import: nodes of ESTree with their parents, and
 * what a rule is made of.
 */

export interface Node {
  readonly type: string;
}

/** Any node, as the rules look at it: fields that its type does not have are absent. */
export interface AnyNode extends Node {
  readonly parent?: AnyNode;
  readonly expressions?: readonly AnyNode[];
  readonly operator?: string;
  readonly left?: AnyNode;
  readonly right?: AnyNode;
  readonly id?: AnyNode;
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

/** A variable, as the scopes know it. */
export interface Variable {
  readonly references: readonly { readonly identifier: Node; isRead(): boolean }[];
}

/** The code of a program. */
export interface ScopedCode {
  getScope(node: AnyNode): {
    readonly references: readonly { readonly identifier: Node; readonly resolved: Variable | null }[];
  };
}

export interface RuleContext {
  readonly options: readonly unknown[];
  /** A `ScopedCode`; to the types of ESLint it may be code of any language. */
  readonly sourceCode: object;
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
