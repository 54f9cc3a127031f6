import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { addrToRef, asAddr, asRef, NULL_ADDR, refToAddr } from './index.js';

describe('refs and addresses', () => {
  it('convert both ways over the whole memory', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 29 - 1), (index) => {
        const address = refToAddr(index);
        assert.equal(address, index * 4);
        assert.equal(addrToRef(address), index);
      }),
    );
    assert.equal(refToAddr(2 ** 29 - 1), 2 ** 31 - 4);
  });

  it('null is 0 in both', () => {
    assert.equal(NULL_ADDR, 0);
    assert.equal(addrToRef(NULL_ADDR), 0);
    assert.equal(refToAddr(0), NULL_ADDR);
  });

  it('the brands are numbers at run time', () => {
    assert.equal(asRef<'page'>(7), 7);
    assert.equal(asAddr(4096), 4096);
  });
});
