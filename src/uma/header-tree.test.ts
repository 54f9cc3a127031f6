import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createHeaderTree, type HeaderTree, TREE_NODE_WORDS, TreeNode } from './header-tree.js';
import { codeOf, property, randomFrom, seed } from './uma.test-kit.js';

/** Words of a header in these tests, and where its node stands: not at the front, as in a slab's header. */
const HEADER_WORDS = 16;
const OFFSET = 8;
const ROOT = 3;

interface Kit {
  readonly words: Int32Array;
  readonly tree: HeaderTree;
  /** Header number `index`, with its run written. */
  header(index: number, base: number, length: number): number;
  set(header: number, field: number, value: number): void;
  get(header: number, field: number): number;
  /** What the audit says. */
  findings(): string[];
}

function makeKit(headers: number): Kit {
  const words = new Int32Array((headers + 1) * HEADER_WORDS);
  const tree = createHeaderTree(words, OFFSET);
  const set = (header: number, field: number, value: number): void => {
    words[header + OFFSET + field] = value;
  };
  return {
    words,
    tree,
    set,
    get: (header, field) => words[header + OFFSET + field] as number,
    header(index, base, length) {
      const header = (index + 1) * HEADER_WORDS;
      set(header, TreeNode.base, base);
      set(header, TreeNode.length, length);
      return header;
    },
    findings() {
      const found: string[] = [];
      tree.audit(ROOT, (message) => found.push(message));
      return found;
    },
  };
}

/** A tree of `count` headers with runs of 8 bytes at 16, 32, 48, ..., put in by chance. */
function plantTree(count: number): Kit & { readonly headers: readonly number[] } {
  const kit = makeKit(count);
  const headers = Array.from({ length: count }, (_, index) => kit.header(index, (index + 1) * 16, 8));
  for (const header of shuffle(headers)) assert.ok(kit.tree.insert(ROOT, header));
  return { ...kit, headers };
}

function shuffle(values: readonly number[]): number[] {
  const random = randomFrom(seed);
  const order = [...values];
  for (let at = order.length - 1; at > 0; at--) {
    const other = random(at + 1);
    [order[at], order[other]] = [order[other] as number, order[at] as number];
  }
  return order;
}

function heightOf({ words, get }: Kit): number {
  return words[ROOT] === 0 ? 0 : get(words[ROOT] as number, TreeNode.height);
}

/** The most levels that an AVL tree of so many nodes has. */
function levelsOf(count: number): number {
  return Math.floor(1.4405 * Math.log2(count + 2) - 0.3277);
}

interface Run {
  readonly header: number;
  readonly base: number;
  readonly length: number;
}

/** The tree's answers, from a plain array. */
class Oracle {
  readonly runs: Run[] = [];

  overlaps(base: number, length: number): boolean {
    return length === 0 || this.runs.some((run) => base < run.base + run.length && run.base < base + length);
  }

  find(address: number): number {
    return this.runs.find((run) => address >= run.base && address < run.base + run.length)?.header ?? 0;
  }

  inOrder(): number[] {
    return [...this.runs].sort((one, other) => one.base - other.base).map(({ header }) => header);
  }
}

/** Bases and lengths that meet often, at both ends of what 32 bits can say. */
const base = fc.oneof(
  fc.integer({ min: 0, max: 600 }),
  fc.integer({ min: 2 ** 31 - 100, max: 2 ** 31 + 100 }),
  fc.integer({ min: 2 ** 32 - 200, max: 2 ** 32 - 1 }),
);
const length = fc.oneof(fc.integer({ min: 0, max: 24 }), fc.integer({ min: 1, max: 200 }));
const command = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('insert' as const), base, length }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), which: fc.nat(1000) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('find' as const), base }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('inside' as const), which: fc.nat(), at: fc.nat(200) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('stranger' as const), base, length }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rebuild' as const), order: fc.nat() }) },
);

describe('the tree of headers', () => {
  it('answers as a sorted array does, and refuses what is foreign without changing a word', () => {
    const most = 120;
    fc.assert(
      fc.property(fc.array(command, { maxLength: most, minLength: 20, size: 'max' }), (commands) => {
        const kit = makeKit(most);
        const { words, tree } = kit;
        const oracle = new Oracle();
        const unchanged = (act: () => void): void => {
          const before = words.slice();
          act();
          assert.deepEqual(words, before);
        };
        commands.forEach((step, index) => {
          const { runs } = oracle;
          const chosen = 'which' in step ? runs[step.which % Math.max(1, runs.length)] : undefined;
          switch (step.kind) {
            case 'insert': {
              const header = kit.header(index, step.base, step.length);
              if (oracle.overlaps(step.base, step.length)) {
                unchanged(() => assert.equal(tree.insert(ROOT, header), false));
                break;
              }
              assert.equal(tree.insert(ROOT, header), true);
              runs.push({ header, base: step.base, length: step.length });
              break;
            }
            case 'remove':
              if (chosen === undefined) break;
              assert.equal(tree.remove(ROOT, chosen.header), true);
              runs.splice(runs.indexOf(chosen), 1);
              assert.equal(kit.get(chosen.header, TreeNode.height), 0, 'it says that it is in no tree');
              unchanged(() => assert.equal(tree.remove(ROOT, chosen.header), false));
              break;
            case 'find':
              unchanged(() => assert.equal(tree.find(ROOT, step.base), oracle.find(step.base)));
              break;
            case 'inside': {
              if (chosen === undefined) break;
              const address = chosen.base + (step.at % chosen.length);
              unchanged(() => assert.equal(tree.find(ROOT, address), chosen.header));
              const end = chosen.base + chosen.length;
              unchanged(() => assert.equal(tree.find(ROOT, end), oracle.find(end)));
              break;
            }
            case 'stranger': {
              const header = kit.header(index, step.base, step.length);
              unchanged(() => assert.equal(tree.remove(ROOT, header), false));
              break;
            }
            case 'rebuild':
              tree.rebuild(ROOT, shuffle(runs.map(({ header }) => header)));
              break;
          }
          assert.deepEqual(kit.findings(), []);
          assert.ok(heightOf(kit) <= levelsOf(runs.length), `${heightOf(kit)} levels for ${runs.length}`);
        });
        const seen: number[] = [];
        assert.equal(
          tree.each(ROOT, (header) => seen.push(header)),
          oracle.runs.length,
        );
        assert.deepEqual(seen, oracle.inOrder());
        for (const header of seen) assert.ok(tree.remove(ROOT, header));
        assert.equal(words[ROOT], 0);
      }),
      property(150),
    );
  });

  it('finds nothing for what is no address at all', () => {
    const { tree } = plantTree(40);
    for (const address of [-1, -16, 2 ** 32, 2 ** 32 + 16, Number.NaN, Number.POSITIVE_INFINITY, 0.5, 24])
      assert.equal(tree.find(ROOT, address), 0, String(address));
  });

  it('keeps trees with roots of their own apart', () => {
    const kit = makeKit(8);
    const [one, other] = [ROOT, ROOT + 1];
    const first = kit.header(0, 100, 10);
    const second = kit.header(1, 100, 10);
    assert.ok(kit.tree.insert(one, first) && kit.tree.insert(other, second));
    assert.equal(kit.tree.find(one, 105), first);
    assert.equal(kit.tree.find(other, 105), second);
    assert.equal(kit.tree.remove(one, second), false);
    assert.ok(kit.tree.remove(one, first));
    assert.equal(kit.tree.find(other, 105), second);
  });

  it('writes nothing outside of its nodes and its root', () => {
    const kit = plantTree(500);
    const isNode = (word: number): boolean =>
      word % HEADER_WORDS >= OFFSET && word % HEADER_WORDS < OFFSET + TREE_NODE_WORDS;
    for (const header of shuffle(kit.headers).slice(100)) assert.ok(kit.tree.remove(ROOT, header));
    kit.tree.rebuild(ROOT, kit.headers);
    kit.words.forEach((value, word) => {
      if (word !== ROOT && !isNode(word)) assert.equal(value, 0, `word ${word}`);
    });
  });

  it('writes nothing when it is only looked at', () => {
    const { words } = plantTree(300);
    const sealed = new Proxy(words, {
      get: (target, key) => Reflect.get(target, key, target) as unknown,
      set: (_target, key) => assert.fail(`wrote word ${String(key)}`),
    });
    const tree = createHeaderTree(sealed, OFFSET);
    assert.equal(
      tree.each(ROOT, () => {}),
      300,
    );
    assert.equal(tree.audit(ROOT, assert.fail), 300);
    for (let address = 0; address < 300 * 16; address++) tree.find(ROOT, address);
  });
});

describe('the depth of the tree of headers', () => {
  const COUNT = 100_000;
  const up = (index: number): number => index;
  const down = (index: number): number => COUNT - 1 - index;
  const zigzag = (index: number): number => (index % 2 === 0 ? index >> 1 : COUNT - 1 - (index >> 1));
  for (const [name, place] of Object.entries({ up, down, zigzag })) {
    it(`stays that of an AVL tree at 100,000 nodes put in and taken out in the order ${name}`, () => {
      const kit = makeKit(COUNT);
      const headers = Array.from({ length: COUNT }, (_, index) => kit.header(index, place(index) * 8, 8));
      for (const header of headers) assert.ok(kit.tree.insert(ROOT, header));
      assert.ok(heightOf(kit) <= levelsOf(COUNT), `${heightOf(kit)} levels`);
      assert.deepEqual(kit.findings(), []);
      for (const header of headers.slice(0, COUNT - 1000)) assert.ok(kit.tree.remove(ROOT, header));
      assert.ok(heightOf(kit) <= levelsOf(1000), `${heightOf(kit)} levels of 1000`);
      assert.deepEqual(kit.findings(), []);
      assert.equal(
        kit.tree.each(ROOT, () => {}),
        1000,
      );
    });
  }

  it('lets the steps of a call grow as log n', () => {
    /** Most headers that one call looks at, in a tree of so many. */
    function mostSteps(count: number): { find: number; change: number } {
      const kit = plantTree(count);
      let bases = 0;
      // Each step of a search reads one base; the others read and write some words at each level.
      const counting = new Proxy(kit.words, {
        get(target, key) {
          if (typeof key === 'string' && Number(key) % HEADER_WORDS === OFFSET + TreeNode.base) bases++;
          return Reflect.get(target, key, target) as unknown;
        },
      });
      const tree = createHeaderTree(counting, OFFSET);
      const stepsOf = (act: () => unknown): number => {
        bases = 0;
        assert.ok(act());
        return bases;
      };
      const most = { find: 0, change: 0 };
      for (const header of shuffle(kit.headers).slice(0, 500)) {
        const address = kit.get(header, TreeNode.base) + 5;
        most.find = Math.max(
          most.find,
          stepsOf(() => tree.find(ROOT, address) === header),
        );
        most.change = Math.max(
          most.change,
          stepsOf(() => tree.remove(ROOT, header)),
        );
        most.change = Math.max(
          most.change,
          stepsOf(() => tree.insert(ROOT, header)),
        );
      }
      return most;
    }
    for (const count of [10, 1_000, COUNT]) {
      const { find, change } = mostSteps(count);
      // Besides one base a level, a call reads those of the run that it names and of its neighbours.
      assert.ok(find <= levelsOf(count) + 1, `${find} steps to find one of ${count}`);
      assert.ok(change <= levelsOf(count) + 6, `${change} steps to change one of ${count}`);
      assert.ok(find >= Math.log2(count) - 1, `${find} steps are too few to have been counted`);
    }
  });
});

describe('a tree of headers after a death', () => {
  it('is whole again when it is rebuilt, whichever store was the last', () => {
    const count = 40;
    const act = (tree: HeaderTree, headers: readonly number[]): void => {
      for (const header of shuffle(headers).slice(0, 12)) tree.remove(ROOT, header);
      tree.rebuild(ROOT, headers);
    };
    let stores = 0;
    for (let last = 0, ended = false; !ended; last++) {
      const kit = plantTree(count);
      stores = 0;
      const mortal = new Proxy(kit.words, {
        get: (target, key) => Reflect.get(target, key, target) as unknown,
        set(target, key, value: number) {
          if (stores++ === last) throw new Error('killed');
          return Reflect.set(target, key, value, target);
        },
      });
      try {
        act(createHeaderTree(mortal, OFFSET), kit.headers);
        ended = true;
      } catch (error) {
        assert.equal((error as Error).message, 'killed');
      }
      kit.tree.rebuild(ROOT, kit.headers);
      assert.deepEqual(kit.findings(), []);
      assert.equal(
        kit.tree.each(ROOT, () => {}),
        count,
      );
    }
    assert.ok(stores > 200, `only ${stores} places to die at`);
  });
});

describe('a damaged tree of headers', () => {
  const { left, right, height, base: baseWord, length: lengthWord } = TreeNode;

  /** A tree of three levels that is known by heart. */
  function plant(): Kit & { readonly top: number; readonly low: number; readonly high: number } {
    const kit = plantTree(7);
    kit.tree.rebuild(ROOT, kit.headers);
    const top = kit.words[ROOT] as number;
    return { ...kit, top, low: kit.get(top, left), high: kit.get(top, right) };
  }

  const plants: readonly (readonly [
    what: string,
    says: RegExp,
    plant: (at: ReturnType<typeof plant>) => void,
  ])[] = [
    ['a root beyond the memory', /astray/, (at) => at.words.fill(1 << 30, ROOT, ROOT + 1)],
    ['a negative root', /astray/, (at) => at.words.fill(-16, ROOT, ROOT + 1)],
    ['a link beyond the memory', /astray/, (at) => at.set(at.low, left, at.words.length)],
    ['a header that is its own child', /astray/, (at) => at.set(at.low, left, at.low)],
    ['a circle to the top', /astray/, (at) => at.set(at.get(at.high, right), right, at.top)],
    ['a subtree that hangs twice', /astray/, (at) => at.set(at.high, left, at.low)],
    [
      'children that changed places',
      /astray/,
      (at) => {
        at.set(at.top, left, at.high);
        at.set(at.top, right, at.low);
      },
    ],
    ['a base that is too high', /astray/, (at) => at.set(at.low, baseWord, 1000)],
    ['an empty run', /empty run/, (at) => at.set(at.low, lengthWord, 0)],
    ['a run that reaches into the next', /begins inside/, (at) => at.set(at.low, lengthWord, 17)],
    ['a wrong height', /height 9/, (at) => at.set(at.low, height, 9)],
    ['a child that is gone, and with it the balance', /children of 0 and 2/, (at) => at.set(at.top, left, 0)],
  ];
  for (const [what, says, damage] of plants) {
    it(`${what}: the audit tells of it`, () => {
      const kit = plant();
      assert.deepEqual(kit.findings(), []);
      damage(kit);
      assert.match(kit.findings().join('\n'), says);
    });
  }

  it('ends every call after any flipped bits, with an answer or MEMORY_DAMAGED, and can be rebuilt', () => {
    const random = randomFrom(seed);
    let refused = 0;
    for (let round = 0; round < 3000; round++) {
      const kit = plantTree(30);
      const { tree, words } = kit;
      const bases = kit.headers.map((header) => kit.get(header, baseWord));
      for (let flips = 1 + random(3); flips > 0; flips--) {
        const header = kit.headers[random(30)] as number;
        const word = random(10) === 0 ? ROOT : header + OFFSET + random(TREE_NODE_WORDS);
        words[word] = (words[word] as number) ^ (1 << random(32));
      }
      const attempt = (act: () => unknown): void => {
        const code = codeOf(act);
        assert.ok(code === 'nothing thrown' || code === 'MEMORY_DAMAGED', code);
        if (code === 'MEMORY_DAMAGED') refused++;
      };
      assert.ok(kit.findings().length <= 90);
      attempt(() => tree.each(ROOT, () => {}));
      for (const header of shuffle(kit.headers)) {
        attempt(() => tree.find(ROOT, kit.get(header, baseWord) >>> 0));
        attempt(() => tree.remove(ROOT, header));
        attempt(() => tree.insert(ROOT, header));
      }
      for (const [index, base] of bases.entries()) kit.header(index, base, 8);
      tree.rebuild(ROOT, kit.headers);
      assert.deepEqual(kit.findings(), []);
    }
    assert.ok(refused > 1000, `only ${refused} calls met the damage`);
  });

  it('cannot be rebuilt of headers that cannot be: nothing has changed then', () => {
    for (const [what, spoil] of [
      ['beyond the memory', (kit: Kit) => [kit.words.length]],
      ['null', () => [0]],
      ['twice the same', (_: Kit, headers: readonly number[]) => [headers[3] as number]],
      ['a run that overlaps', (kit: Kit) => [kit.header(30, 40, 16)]],
      ['an empty run', (kit: Kit) => [kit.header(30, 10, 0)]],
    ] as const) {
      const kit = makeKit(31);
      const headers = Array.from({ length: 30 }, (_, index) => kit.header(index, (index + 1) * 16, 8));
      kit.tree.rebuild(ROOT, headers);
      const more = spoil(kit, headers);
      const before = kit.words.slice();
      assert.equal(
        codeOf(() => kit.tree.rebuild(ROOT, [...headers, ...more])),
        'MEMORY_DAMAGED',
        what,
      );
      assert.deepEqual(kit.words, before, what);
    }
  });
});
