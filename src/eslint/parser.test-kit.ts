/** A parser that writes around calls what TypeScript does, without one for TypeScript. */

import { Linter } from 'eslint';

type Tree = Record<string, unknown> & {
  readonly type: string;
  parent?: unknown;
  range?: unknown;
  loc?: unknown;
};

/** Puts a node of a type around every call. */
export function parserAroundCalls(type: string): Linter.Parser {
  return {
    parseForESLint(code) {
      const linter = new Linter();
      linter.verify(code, []);
      const { ast, visitorKeys } = linter.getSourceCode();

      function around(child: unknown): unknown {
        if (Array.isArray(child)) return child.map(around);
        if (child === null || typeof child !== 'object') return child;
        const node = child as Tree;
        // What ESLint has found out about the tree so far is of no use: it looks again.
        delete node.parent;
        for (const key of visitorKeys[node.type] ?? []) node[key] = around(node[key]);
        if (node.type !== 'CallExpression') return node;
        return { type, expression: node, range: node.range, loc: node.loc };
      }

      return { ast: around(ast) as never, visitorKeys: { ...visitorKeys, [type]: ['expression'] } };
    },
  };
}
