import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  addr,
  allLayouts,
  array,
  describeLayout,
  type Field,
  f64,
  i32,
  layoutHash,
  layoutOf,
  ref,
  struct,
  text,
  u32,
} from './index.js';

let serial = 0;

/** A name that no record of this realm has. */
function fresh(): string {
  serial++;
  return `test record ${serial}`;
}

const SAMPLE = {
  count: u32('K', 'How many.'),
  delta: i32('K', 'How much.'),
  total: f64('Z', 'Ever.'),
  next: ref('sample', 'K', 'Next one.'),
  data: addr('const', 'First byte.'),
  name: text(3, 'const', 'What it is called.'),
  rest: array(4, 'T', 'Four words.'),
} as const;

const SAMPLE_WORDS = 13;

describe('struct', () => {
  it('gives word offsets in the order of declaration', () => {
    const Sample = struct(fresh(), SAMPLE, { words: SAMPLE_WORDS });
    assert.deepEqual({ ...Sample }, { count: 0, delta: 1, total: 2, next: 4, data: 5, name: 6, rest: 9 });
  });

  it('gives an object that cannot be changed', () => {
    const Sample = struct(fresh(), SAMPLE, { words: SAMPLE_WORDS });
    assert.ok(Object.isFrozen(Sample));
  });

  it('no two fields share a word, and together they fill the record', () => {
    const layout = layoutOf(struct(fresh(), SAMPLE, { words: SAMPLE_WORDS }));
    let next = 0;
    for (const field of layout.fields) {
      assert.equal(field.offset, next);
      next += field.words;
    }
    assert.equal(next, layout.words);
  });

  it('keeps what was said of each field', () => {
    const name = fresh();
    const layout = layoutOf(struct(name, SAMPLE, { words: SAMPLE_WORDS }));
    assert.equal(layout.name, name);
    assert.deepEqual(layout.fields[3], {
      name: 'next',
      kind: 'ref',
      words: 1,
      guard: 'K',
      doc: 'Next one.',
      target: 'sample',
      offset: 4,
    });
    assert.ok(allLayouts().includes(layout));
  });

  describe('refuses', () => {
    const refusals: readonly [what: string, fields: Record<string, Field>, words: number, message: RegExp][] =
      [
        [
          'a size that is too small',
          { a: u32('K', 'A.'), b: u32('K', 'B.') },
          1,
          /fields take 2 words, declared are 1/,
        ],
        ['a size that is too large', { a: u32('K', 'A.') }, 16, /fields take 1 words, declared are 16/],
        ['a size that is not a number', { a: u32('K', 'A.') }, Number.NaN, /declared are NaN/],
        [
          'a 64-bit field at an odd word',
          { a: u32('K', 'A.'), b: f64('K', 'B.') },
          3,
          /b is a 64-bit field at the odd word 1/,
        ],
        ['a field without a guard', { a: u32('', 'A.') }, 1, /a has no guard or no sentence/],
        ['a field without a sentence', { a: u32('K', '') }, 1, /a has no guard or no sentence/],
        ['an array of no words', { a: array(0, 'K', 'A.') }, 0, /a takes 0 words/],
        [
          'an array of negative length',
          { a: u32('K', 'A.'), b: array(-1, 'K', 'B.') },
          0,
          /b takes -1 words/,
        ],
        ['a text of half a word', { a: text(0.5, 'K', 'A.') }, 0.5, /a takes 0.5 words/],
        ['a text of NaN words', { a: text(Number.NaN, 'K', 'A.') }, 1, /a takes NaN words/],
      ];
    for (const [what, fields, words, message] of refusals) {
      it(what, () => {
        const name = fresh();
        assert.throws(() => struct(name, fields, { words }), { message });
        assert.throws(() => struct(name, fields, { words }), { message: new RegExp(`record ${name}`) });
        assert.ok(!allLayouts().some((layout) => layout.name === name), 'a refused record is not registered');
      });
    }

    it('a second record of the same name and another layout', () => {
      const name = fresh();
      const first = struct(name, { a: u32('K', 'A.') }, { words: 1 });
      assert.throws(
        () => struct(name, { b: u32('K', 'B.') }, { words: 1 }),
        /declared twice, with different layouts/,
      );
      assert.throws(() => struct(name, { a: i32('K', 'A.') }, { words: 1 }), /declared twice/);
      assert.equal(
        allLayouts().find((layout) => layout.name === name),
        layoutOf(first),
      );
    });

    it('to give a layout of what it did not make', () => {
      assert.throws(() => layoutOf({ count: 0 }), /not a record made by struct/);
      assert.throws(() => layoutOf(Object.create(null)), /not a record made by struct/);
    });
  });

  it('takes the same declaration twice: two builds of one module may share a realm', () => {
    const name = fresh();
    struct(name, { a: u32('K', 'A.') }, { words: 1 });
    const again = struct(name, { a: u32('Z', 'The same place, told in other words.') }, { words: 1 });
    assert.equal(again.a, 0);
    assert.equal(allLayouts().filter((layout) => layout.name === name).length, 1);
  });
});

describe('layoutHash', () => {
  const base = struct(fresh(), SAMPLE, { words: SAMPLE_WORDS });

  it('is the same for the same layouts, and never 0', () => {
    assert.equal(layoutHash([base]), layoutHash([base]));
    assert.notEqual(layoutHash([]), 0);
    assert.equal(layoutHash([base]) | 0, layoutHash([base]));
  });

  it('depends on name, field names, kinds, places and the order of records', () => {
    const variants = [
      struct(fresh(), SAMPLE, { words: SAMPLE_WORDS }),
      struct(fresh(), { ...SAMPLE, more: u32('K', 'More.') }, { words: SAMPLE_WORDS + 1 }),
      struct(fresh(), { a: u32('K', 'A.'), b: u32('K', 'B.') }, { words: 2 }),
      struct(fresh(), { b: u32('K', 'B.'), a: u32('K', 'A.') }, { words: 2 }),
      struct(fresh(), { a: i32('K', 'A.'), b: u32('K', 'B.') }, { words: 2 }),
    ];
    const hashes = [
      [base],
      [],
      ...variants.map((each) => [each]),
      [base, variants[0] as object],
      [variants[0] as object, base],
    ];
    assert.equal(new Set(hashes.map((records) => layoutHash(records))).size, hashes.length);
  });

  it('does not depend on guards and sentences: they are not in the memory', () => {
    const name = fresh();
    const one = layoutOf(struct(name, { a: u32('K', 'A.') }, { words: 1 }));
    const two = layoutOf(struct(name, { a: u32('Z', 'Another.') }, { words: 1 }));
    assert.equal(describeLayout(one), describeLayout(two));
  });
});
