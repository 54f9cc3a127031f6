import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { ERROR_CODES, type ErrorCode, hex, MbumaError } from './index.js';

interface Row {
  readonly code: string;
  readonly meaning: string;
  readonly advice: string;
}

function rows(): Row[] {
  const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
  return [...page.matchAll(/^\| `([A-Z_]+)` \| (.*?) \| (.*?) \|$/gm)].map((match) => ({
    code: match[1] as string,
    meaning: match[2] as string,
    advice: match[3] as string,
  }));
}

describe('docs/errors.md', () => {
  it('has one row for each code, and no other', () => {
    const documented = rows().map((row) => row.code);
    assert.deepEqual([...documented].sort(), Object.keys(ERROR_CODES).sort());
  });

  it('has every line of its tables in the form that is read here', () => {
    const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
    const lines = page.split('\n').filter((line) => line.startsWith('|'));
    const heads = lines.filter((line) => line === '| code | meaning | what to do |').length;
    assert.equal(lines.length, rows().length + heads * 2);
  });

  for (const { code, meaning, advice } of rows()) {
    it(`says of ${code} what the source says, and what to do`, () => {
      const said = ERROR_CODES[code as ErrorCode];
      assert.equal(meaning.replace(/\.$/, '').toLowerCase(), said.toLowerCase());
      assert.ok(advice.length > 10);
    });
  }
});

describe('MbumaError', () => {
  it('carries code, message and place', () => {
    const cause = new Error('inner');
    const error = new MbumaError('FREE_TWICE', 'freed twice', { address: 4096, zone: 'z', owner: 3, cause });
    assert.ok(error instanceof Error);
    assert.equal(error.name, 'MbumaError');
    assert.equal(error.code, 'FREE_TWICE');
    assert.equal(error.message, 'freed twice');
    assert.deepEqual([error.address, error.zone, error.owner], [4096, 'z', 3]);
    assert.equal(error.cause, cause);
    assert.match(String(error.stack), /MbumaError|freed twice/);
  });

  it('has no cause and no place where none is given', () => {
    const error = new MbumaError('TIMED_OUT', 'late');
    assert.equal('cause' in error, false);
    assert.deepEqual([error.address, error.zone, error.owner], [undefined, undefined, undefined]);
  });

  it('prints addresses as unsigned', () => {
    assert.equal(hex(0x1000), '0x1000');
    assert.equal(hex(-4096), '0xfffff000');
  });
});
