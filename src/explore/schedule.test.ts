import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printSchedule, readSchedule } from './index.js';

test('a schedule is read as it was written', () => {
  const text = '0:1,1c:0,2f:k,2g:l,3a:t1,3b:w2';
  assert.equal(printSchedule(readSchedule(text)), text);
  assert.deepEqual(readSchedule(''), []);
  assert.deepEqual(readSchedule(' 1:0 , 2:1 '), readSchedule('1:0,2:1'));
});

test('what is no schedule is refused by the part that says nothing', () => {
  for (const part of ['1', '1:', ':1', '1:x1', '1:kk', '-1:0', '1:t', '1:g'])
    assert.throws(() => readSchedule(`0:1,${part}`), new RegExp(`"${part}"`));
});
