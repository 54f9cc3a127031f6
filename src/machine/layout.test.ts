import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  type AreaPlanner,
  areaOf,
  bootBytes,
  PAGE_WORDS,
  type Parameters,
  planLayout,
  SUPERBLOCK,
} from './index.js';

const parameters: Parameters = { pageCount: 100, maxThreads: 4, maxZones: 5, reservedPages: 0 };

describe('the layout of the boot areas', () => {
  it('starts after page 0, in the order of the planners, and ends before the first page', () => {
    const layout = planLayout(parameters, [
      () => [
        { name: 'a', words: 10 },
        { name: 'b', words: 20 },
      ],
      () => [{ name: 'c', words: 30, align: 256 }],
    ]);
    assert.equal(areaOf(layout, 'a'), PAGE_WORDS);
    assert.equal(areaOf(layout, 'b'), PAGE_WORDS + 16);
    assert.equal(areaOf(layout, 'c'), PAGE_WORDS + 256);
    assert.equal(layout.firstPage, 2);
    assert.equal(bootBytes(layout), 8192);
  });

  it('with no area has page 0 only', () => {
    assert.equal(planLayout(parameters, []).firstPage, 1);
  });

  it('begins behind what is reserved', () => {
    const planner: AreaPlanner = () => [{ name: 'a', words: 10 }];
    const plain = planLayout(parameters, [planner]);
    const moved = planLayout({ ...parameters, reservedPages: 7 }, [planner]);
    assert.equal(plain.superblock, SUPERBLOCK);
    assert.equal(moved.superblock, 7 * PAGE_WORDS + SUPERBLOCK);
    assert.equal(areaOf(moved, 'a'), 8 * PAGE_WORDS);
    assert.equal(moved.firstPage, plain.firstPage + 7);
  });

  it('gives planners the parameters', () => {
    const seen: Parameters[] = [];
    const planner: AreaPlanner = (given) => {
      seen.push(given);
      return [{ name: 'a', words: given.maxThreads * 1000 }];
    };
    assert.equal(planLayout(parameters, [planner]).firstPage, 1 + Math.ceil(4000 / PAGE_WORDS));
    assert.deepEqual(seen, [parameters]);
  });

  it('refuses a name that no planner gave', () => {
    assert.throws(() => areaOf(planLayout(parameters, []), 'nothing'), {
      code: 'BAD_CONFIGURATION',
      message: 'there is no boot area nothing',
    });
  });

  it('never overlaps, keeps every alignment, at least a cache line; and is the same again', () => {
    const request = fc.record({
      words: fc.integer({ min: 1, max: 5000 }),
      align: fc.constantFrom(undefined, 16, 64, 1024, 4096),
    });
    fc.assert(
      fc.property(fc.array(request, { maxLength: 30 }), (requests) => {
        const planner: AreaPlanner = () =>
          requests.map(({ words, align }, index) => ({
            name: `area ${index}`,
            words,
            ...(align && { align }),
          }));
        const layout = planLayout(parameters, [planner]);
        let end = PAGE_WORDS;
        for (const [index, { words, align }] of requests.entries()) {
          const at = areaOf(layout, `area ${index}`);
          assert.ok(at >= end && at % (align ?? 16) === 0);
          end = at + words;
        }
        assert.ok(layout.firstPage * PAGE_WORDS >= end && (layout.firstPage - 1) * PAGE_WORDS < end);
        assert.deepEqual(planLayout(parameters, [planner]), layout);
      }),
    );
  });
});
