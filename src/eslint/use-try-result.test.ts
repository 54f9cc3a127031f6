import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Linter, RuleTester } from 'eslint';
import plugin, { type NameOptions } from './index.js';
import { TRY_METHODS } from './methods.js';
import { parserAroundCalls } from './parser.test-kit.js';

RuleTester.describe = suite;
RuleTester.it = test;

/** Compiles only if users may put the plugin into their configuration as it is. */
const configuration: Linter.Config[] = [plugin.configs.recommended, { plugins: { mbuma: plugin } }];

const thrownAway = (name: string) => ({ messageId: 'thrownAway', data: { name } });
const found = (code: string, ...names: readonly string[]) => ({
  code,
  errors: (names.length === 0 ? ['tryAlloc'] : names).map(thrownAway),
});
const options = (given: NameOptions): NameOptions[] => [given];

new RuleTester().run('use-try-result', plugin.rules['use-try-result'] as never, {
  valid: [
    'const item = zone.tryAlloc();',
    'item = zone.tryAlloc();',
    'if (zone.tryAlloc() === 0) fail();',
    'if (!ring.tryPut(word)) drop(word);',
    'while (!ring.tryPut(word)) wait();',
    'ring.tryPut(word) || drop(word);',
    'ring.tryPut(word) ? count++ : drop(word);',
    'mutex.tryLock()?.unlock();',
    'take(zone.tryAlloc());',
    'const take = () => zone.tryAlloc();',
    'function take() { return (0, zone.tryAlloc()); }',
    'async function take() { return await zone.tryAlloc(); }',
    'for (let item = zone.tryAlloc(); item !== 0; item = zone.tryAlloc()) use(item);',
    'for (; ring.tryPut(next()); ) count++;',
    'const one = ready ? zone.tryAlloc() : 0;',
    'const one = ready && zone.tryAlloc();',
    'const [one] = [zone.tryAlloc()];',
    'throw zone.tryAlloc();',
    'switch (zone.tryAlloc()) { case 0: fail(); }',
    `const text = \`\${zone.tryAlloc()}\`;`,
    'zone.tryAlloc;',
    'zone.alloc(); retry(); trying(); tryUs();',
    `zone[tryAlloc](); zone[\`try\${what}\`](); getZone()();`,
    'class A { #tryAlloc() {} use() { this.#tryAlloc(); } }',
    'new zone.tryAlloc();',
    { code: 'other.tryLock();', options: options({ ignore: ['tryLock'] }) },
  ],
  invalid: [
    ...TRY_METHODS.map((name) => found(`thing.${name}(1);`, name)),
    found('memory.zone({ name: "a", size: 8 }).tryAlloc();'),
    found('tryAlloc();'),
    found('zone?.tryAlloc();'),
    found('zone.tryAlloc?.();'),
    found('(zone?.tryAlloc)();'),
    found("zone['tryAlloc']();"),
    found('zone[`tryAlloc`]();'),
    found('(0, zone.tryAlloc)();'),
    found('zone.tryAlloc.call(zone);'),
    found("zone.tryAlloc['apply'](zone, []);"),
    found('void zone.tryAlloc();'),
    found('const nothing = void zone.tryAlloc();'),
    found('!zone.tryAlloc();'),
    found('zone.tryAlloc() !== 0;'),
    found('async function f() { await zone.tryAlloc(); }'),
    found('zone.tryAlloc(), ring.tryPut(1);', 'tryAlloc', 'tryPut'),
    found('const item = (zone.tryAlloc(), 0);'),
    found('for (zone.tryAlloc(); more(); ring.tryPut(1)) use();', 'tryAlloc', 'tryPut'),
    found('for (;; count++, ring.tryPut(1)) use();', 'tryPut'),
    found('ready && zone.tryAlloc();'),
    found('item ??= 0, other ?? zone.tryAlloc();'),
    found('ready ? zone.tryAlloc() : ring.tryTake();', 'tryAlloc', 'tryTake'),
    found('const take = () => { zone.tryAlloc(); };'),
    found('if (ready) zone.tryAlloc(); else ring.tryTake();', 'tryAlloc', 'tryTake'),
    found('zone.tryAlloc(ring.tryTake());'),
    {
      ...found('own.tryHard(); other.tryLock();', 'tryHard'),
      options: options({ methods: ['tryHard'], ignore: ['tryLock'] }),
    },
  ],
});

test('the recommended configuration finds it', () => {
  const messages = new Linter().verify('zone.tryAlloc();\nzone.free(1);\n', configuration);
  assert.deepEqual(
    messages.map(({ ruleId, severity, line }) => [ruleId, severity, line]),
    [['mbuma/use-try-result', 2, 1]],
  );
});

test('options that it does not know are refused', () => {
  for (const wrong of [{ names: [] }, { methods: 'tryHard' }, { methods: [1] }]) {
    const rules: Linter.Config = { rules: { 'mbuma/use-try-result': ['error', wrong] } };
    assert.throws(() => new Linter().verify('f();', [...configuration, rules]), /use-try-result/);
  }
});

test('what TypeScript writes around a call hands its value on', () => {
  const count = (type: string): number =>
    new Linter().verify('zone.tryAlloc();', [
      ...configuration,
      { languageOptions: { parser: parserAroundCalls(type) } },
    ]).length;
  for (const type of ['TSNonNullExpression', 'TSAsExpression', 'TSSatisfiesExpression', 'TSTypeAssertion']) {
    assert.equal(count(type), 1, type);
  }
  assert.equal(count('TSSomethingThatUsesIt'), 0);
});
