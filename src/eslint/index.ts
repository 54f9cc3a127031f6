/**
 * Rules for ESLint, for programs that use mbuma: a plugin for its flat configuration.
 *
 *   import mbuma from 'mbuma/eslint';
 *   export default [mbuma.configs.recommended];
 */

import type { Rule } from './syntax.js';
import { testTryResult } from './test-try-result.js';
import { useTryResult } from './use-try-result.js';

export type { NameOptions } from './calls.js';
export type { Rule, RuleContext } from './syntax.js';

/** What a configuration takes: `plugins: { mbuma }`. */
export interface MbumaPlugin {
  readonly meta: { readonly name: string; readonly namespace: string };
  readonly rules: { readonly 'use-try-result': Rule; readonly 'test-try-result': Rule };
  readonly configs: {
    /** Every rule, as an error. */
    readonly recommended: {
      readonly name: string;
      readonly plugins: { readonly mbuma: MbumaPlugin };
      readonly rules: {
        readonly 'mbuma/use-try-result': 'error';
        readonly 'mbuma/test-try-result': 'error';
      };
    };
  };
}

const plugin: MbumaPlugin = {
  meta: { name: 'mbuma', namespace: 'mbuma' },
  rules: { 'use-try-result': useTryResult, 'test-try-result': testTryResult },
  configs: {
    recommended: {
      name: 'mbuma/recommended',
      // The very same, so that a configuration may name both.
      plugins: {
        get mbuma() {
          return plugin;
        },
      },
      rules: { 'mbuma/use-try-result': 'error', 'mbuma/test-try-result': 'error' },
    },
  },
};

export default plugin;
