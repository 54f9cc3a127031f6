import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Linter, RuleTester } from 'eslint';
import plugin from './index.js';
import { ADDRESS_METHODS } from './methods.js';
import { parserAroundCalls } from './parser.test-kit.js';

RuleTester.describe = suite;
RuleTester.it = test;

const rule = plugin.rules['test-try-result'] as never;
const found = (code: string, ...names: readonly string[]) => ({
  code,
  errors: (names.length === 0 ? ['tryAlloc'] : names).map((name) => ({
    messageId: 'untested',
    data: { name },
  })),
});

new RuleTester().run('test-try-result', rule, {
  valid: [
    'const item = zone.tryAlloc(); if (item !== 0) words[item >> 2] = 1;',
    'const item = zone.tryAlloc(); if (item === 0) return0(); words[item >> 2] = 1;',
    'const item = zone.tryAlloc(); if (item) words[item >> 2] = 1;',
    'const item = zone.tryAlloc(); if (!item) fail(); else words[item >> 2] = 1;',
    'const item = zone.tryAlloc(); item && use(item >> 2);',
    'const item = zone.tryAlloc(); const index = item ? item >> 2 : -1;',
    'const item = zone.tryAlloc(); assert(item); words[item >> 2] = 1;',
    'const item = zone.tryAlloc(); assert.notEqual(item, 0); words[item >> 2] = 1;',
    'const item = zone.tryAlloc(); expect(item).not.toBe(0); words[item >> 2] = 1;',
    'const item = zone.tryAlloc(); switch (item) { case 0: fail(); } words[item >> 2] = 1;',
    'let item; item = zone.tryAlloc(); while (item > 0) item = next(item >> 2);',
    'for (let item = zone.tryAlloc(); item !== 0; item = zone.tryAlloc()) words[item >> 2] = 1;',
    'const item = zone.tryAlloc(); zone.free(item); keep({ item });',
    'const item = zone.tryAlloc() || fail(); words[item >> 2] = 1;',
    'const item = zone.tryAlloc() ?? 0; words[item >> 2] = 1;',
    'const [item] = [zone.tryAlloc()]; words[item >> 2] = 1;',
    'if (zone.tryAlloc() === 0) fail();',
    'items[0] = zone.tryAlloc(); total += zone.tryAllocMany(items, 4);',
    'const item = zone.alloc(); words[item >> 2] = 1;',
    'const item = ring.tryTake(); total += item;',
    'const item = zone.tryAlloc(); { const item = zone.alloc(); words[item >> 2] = 1; }',
    { code: 'words[other.tryAlloc() >> 2];', options: [{ ignore: ['tryAlloc'] }] },
  ],
  invalid: [
    ...ADDRESS_METHODS.map((name) => found(`words[thing.${name}(8) >> 2] = 1;`, name)),
    found('const index = zone.tryAlloc() >>> 2;'),
    found('words[zone.tryAlloc()];'),
    found('end = 8 + (await zone.tryAlloc());'),
    found('at += zone.tryAlloc();'),
    found('const low = ~zone.tryAlloc();'),
    found('words[(0, zone.tryAlloc)() >> 2];'),
    found('const item = zone.tryAlloc(); words[item >> 2] = 1;'),
    found('const item = zone?.tryAlloc(); words[item >> 2] = 1;'),
    found('let item; item = zone.tryAlloc(); words[item >> 2] = 1;'),
    found(
      'const item = zone.tryAlloc(); words[item >> 2] = 1; words[1 + (item >> 2)] = 2;',
      'tryAlloc',
      'tryAlloc',
    ),
    found('const item = zone.tryAlloc(); const fill = () => bytes.fill(0, item, item + 8);'),
    found('let item = zone.tryAlloc(); item += 8;'),
    found('let item = zone.tryAlloc(); item++;'),
    found('const item = zone.tryAlloc(); zone.free(item); words[item >> 2] = 1;'),
    found(
      'const item = zone.tryAlloc(); { const item = zone.alloc(); if (item) use(); } words[item >> 2] = 1;',
    ),
    { ...found('words[take() >> 2];', 'take'), options: [{ methods: ['take'] }] },
  ],
});

test('of what TypeScript writes around a call, as alone says what the value is', () => {
  const count = (code: string, type: string): number =>
    new Linter().verify(code, [
      plugin.configs.recommended,
      { languageOptions: { parser: parserAroundCalls(type) } },
    ]).length;
  for (const code of ['i = zone.tryAlloc() >> 2;', 'const item = zone.tryAlloc(); i = item >> 2;']) {
    for (const type of ['TSNonNullExpression', 'TSSatisfiesExpression'])
      assert.equal(count(code, type), 1, type);
    for (const type of ['TSAsExpression', 'TSTypeAssertion']) assert.equal(count(code, type), 0, type);
  }
});
