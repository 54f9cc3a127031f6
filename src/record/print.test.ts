import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { addr, array, f64, i32, printRecord, readText, ref, struct, text, u32, writeText } from './index.js';

const Printed = struct(
  'printed record',
  {
    count: u32('K', 'How many.'),
    delta: i32('K', 'How much.'),
    total: f64('Z', 'Ever.'),
    next: ref('printed', 'K', 'Next one.'),
    data: addr('const', 'First byte.'),
    name: text(2, 'const', 'What it is called.'),
    rest: array(2, 'T', 'Two words.'),
  },
  { words: 10 },
);

describe('the printer', () => {
  it('prints one line for each field: value, guard, sentence', () => {
    const words = new Int32Array(32);
    const at = 8;
    words[at + Printed.count] = -1;
    words[at + Printed.delta] = -5;
    new Float64Array(words.buffer)[(at + Printed.total) / 2] = 2 ** 40 + 1;
    words[at + Printed.next] = 77;
    words[at + Printed.data] = 0x1000;
    writeText(words, at + Printed.name, 2, 'one');
    words[at + Printed.rest] = 3;
    words[at + Printed.rest + 1] = -1;
    assert.deepEqual(printRecord(words, Printed, at).split('\n'), [
      'printed record@8',
      '  count = 4294967295  (K) How many.',
      '  delta = -5  (K) How much.',
      '  total = 1099511627777  (Z) Ever.',
      '  next = printed@77  (K) Next one.',
      '  data = 0x1000  (const) First byte.',
      '  name = "one"  (const) What it is called.',
      '  rest = [3 4294967295]  (T) Two words.',
    ]);
  });

  it('prints null references, and does not mind the end of the memory', () => {
    const text = printRecord(new Int32Array(4), Printed, 2);
    assert.match(text, /next = null/);
    assert.match(text, /data = null/);
    assert.match(text, /name = ""/);
  });

  it('refuses what is not a record', () => {
    assert.throws(() => printRecord(new Int32Array(16), {}, 0), /not a record/);
  });
});

describe('text in words', () => {
  const ascii = fc.string({
    unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
    maxLength: 20,
  });

  it('is read as it was written, cut where the space ends, and touches nothing else', () => {
    fc.assert(
      fc.property(ascii, fc.integer({ min: 1, max: 5 }), (value, wordCount) => {
        const words = new Int32Array(8).fill(-1);
        writeText(words, 1, wordCount, value);
        assert.equal(readText(words, 1, wordCount), value.slice(0, wordCount * 4));
        assert.equal(words[0], -1);
        assert.ok(words.subarray(1 + wordCount).every((word) => word === -1));
      }),
    );
  });

  it('is padded with zero bytes', () => {
    const words = new Int32Array(2).fill(-1);
    writeText(words, 0, 2, 'abcde');
    assert.deepEqual([...new Uint8Array(words.buffer)], [97, 98, 99, 100, 101, 0, 0, 0]);
  });
});
