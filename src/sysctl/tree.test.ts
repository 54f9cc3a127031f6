import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MbumaError } from '../check/index.js';
import { branch, createTree, family, flag, integer, keyed, type SysctlTree, text } from './index.js';
import { compareNames, isUnder } from './names.js';

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return error instanceof MbumaError ? error.code : String(error);
  }
  return 'nothing thrown';
}

interface Bowl {
  fish: number;
}

/** A tree of every kind of leaf; `asked` are the members that were gone through. */
function makeTree(): {
  tree: SysctlTree;
  bowls: Map<string, Bowl>;
  asked: string[];
  state: { hot: boolean };
} {
  const bowls = new Map<string, Bowl>([
    ['red one', { fish: 1 }],
    ['red.one', { fish: 2 }],
    ['blue', { fish: 3 }],
  ]);
  const asked: string[] = [];
  const state = { hot: false, degrees: 20, name: 'sea' };
  const tree = createTree([
    branch('', [integer('degrees', '', 'How warm.', () => state.degrees, { least: -5, most: 40 })]),
    branch('water', [
      flag(
        'hot',
        'Whether it is hot.',
        () => state.hot,
        (_, hot) => {
          state.hot = hot;
        },
      ),
      text(
        'name',
        'What it is called.',
        () => state.name,
        (_, name) => {
          state.name = name;
        },
      ),
      integer('level', 'percent', 'How high.', () => 7),
    ]),
    family('water.bowl', () => keyed(bowls), [
      integer(
        'fish.count',
        'items',
        'How many.',
        (bowl: Bowl) => {
          asked.push(String(bowl.fish));
          return bowl.fish;
        },
        {
          most: 9,
          write(bowl, fish) {
            bowl.fish = fish;
          },
        },
      ),
      flag('empty', 'Whether there is none.', ({ fish }) => fish === 0),
    ]),
    family('water.pond', () => [], [integer('fish', 'items', 'How many.', () => 0)]),
  ]);
  return { tree, bowls, asked, state };
}

describe('the tree', () => {
  it('reads leaves by name, and no other than the one that is asked for', () => {
    const { tree, asked } = makeTree();
    assert.equal(tree.get('degrees'), 20);
    assert.equal(tree.get('water.hot'), false);
    assert.equal(tree.get('water.name'), 'sea');
    assert.equal(tree.get('water.bowl.red_one_1.fish.count'), 2);
    assert.deepEqual(asked, ['2']);
  });

  it('tells all of a leaf', () => {
    const { tree } = makeTree();
    assert.deepEqual(tree.describe('water.bowl.blue.fish.count'), {
      name: 'water.bowl.blue.fish.count',
      type: 'integer',
      value: 3,
      unit: 'items',
      least: 0,
      most: 9,
      writable: true,
      description: 'How many.',
    });
    assert.deepEqual(tree.describe('water.hot'), {
      name: 'water.hot',
      type: 'boolean',
      value: false,
      unit: '',
      least: null,
      most: null,
      writable: true,
      description: 'Whether it is hot.',
    });
  });

  it('lists depth first, whatever the order of declaration', () => {
    const { tree } = makeTree();
    assert.deepEqual(
      tree.list().map(({ name }) => name),
      [
        'degrees',
        'water.bowl.blue.empty',
        'water.bowl.blue.fish.count',
        'water.bowl.red_one.empty',
        'water.bowl.red_one.fish.count',
        'water.bowl.red_one_1.empty',
        'water.bowl.red_one_1.fish.count',
        'water.hot',
        'water.level',
        'water.name',
      ],
    );
  });

  it('lists what lies at a name or below it, and looks at nothing else', () => {
    const { tree, asked } = makeTree();
    const under = (prefix: string): string[] => tree.list(prefix).map(({ name }) => name);
    assert.deepEqual(under('water.bowl.red_one'), [
      'water.bowl.red_one.empty',
      'water.bowl.red_one.fish.count',
    ]);
    assert.deepEqual(under('water.bowl.red_one.fish'), ['water.bowl.red_one.fish.count']);
    assert.deepEqual(under('water.bowl.red_one.fish.count'), ['water.bowl.red_one.fish.count']);
    assert.deepEqual(asked, ['1', '1', '1']);
    assert.deepEqual(under('degrees'), ['degrees']);
    assert.equal(under('water').length, 9);
    assert.deepEqual(under('water.pond'), [], 'a family without members');
    assert.equal(under('').length, 10);
  });

  it('refuses names that are not there, those of branches, and what is no name', () => {
    const { tree } = makeTree();
    const unknown = [
      '',
      '.',
      'wat',
      'water.',
      'water.ho',
      'water.hot.x',
      'water.bowl',
      'water.bowl.red_one',
      'water.bowl.red_one.fish',
      'water.bowl.red_one.fish.count.x',
      'water.bowl.green.fish.count',
      'water.bowl..fish.count',
      '__proto__',
      'water.bowl.__proto__.empty',
    ];
    for (const name of unknown) {
      assert.equal(
        codeOf(() => tree.get(name)),
        'NO_SUCH_SYSCTL',
        name,
      );
      assert.equal(
        codeOf(() => tree.describe(name)),
        'NO_SUCH_SYSCTL',
        name,
      );
      assert.equal(
        codeOf(() => tree.set(name, 1)),
        'NO_SUCH_SYSCTL',
        name,
      );
    }
    for (const prefix of ['wat', 'water.', 'water.ho', 'water.bowl.green', 'water.bowl.red_one.f', 'x.y'])
      assert.equal(
        codeOf(() => tree.list(prefix)),
        'NO_SUCH_SYSCTL',
        prefix,
      );
    for (const name of [undefined, null, 1, {}, ['degrees'], Symbol('degrees')] as unknown as string[]) {
      assert.equal(
        codeOf(() => tree.get(name)),
        'BAD_ARGUMENT',
      );
      assert.equal(
        codeOf(() => tree.set(name, 1)),
        'BAD_ARGUMENT',
      );
      if (name !== undefined)
        assert.equal(
          codeOf(() => tree.list(name)),
          'BAD_ARGUMENT',
        );
    }
    assert.throws(() => tree.get('water.bowl'), /is a branch/);
    assert.throws(() => tree.get('wat'), /there is no sysctl "wat"/);
  });

  it('writes what is of the type and in the range, edges included, and refuses all else unchanged', () => {
    const { tree, bowls, state } = makeTree();
    const name = 'water.bowl.blue.fish.count';
    for (const value of [0, 9]) {
      tree.set(name, value);
      assert.equal(tree.get(name), value);
    }
    for (const value of [-1, 10, 1.5, Number.NaN, '3', true, 3n, null, undefined, {}] as unknown as number[])
      assert.equal(
        codeOf(() => tree.set(name, value)),
        'BAD_ARGUMENT',
        String(value),
      );
    assert.deepEqual(bowls.get('blue'), { fish: 9 });
    tree.set('water.hot', true);
    for (const value of [0, 1, 'true', null] as unknown as boolean[])
      assert.equal(
        codeOf(() => tree.set('water.hot', value)),
        'BAD_ARGUMENT',
      );
    assert.equal(state.hot, true);
    tree.set('water.name', 'lake');
    assert.equal(
      codeOf(() => tree.set('water.name', 5)),
      'BAD_ARGUMENT',
    );
    assert.equal(tree.get('water.name'), 'lake');
    for (const each of ['degrees', 'water.level', 'water.bowl.blue.empty'])
      assert.equal(
        codeOf(() => tree.set(each, 1)),
        'READ_ONLY',
      );
  });

  it('has members as long as they are there', () => {
    const { tree, bowls } = makeTree();
    bowls.set('new', { fish: 5 });
    assert.equal(tree.get('water.bowl.new.fish.count'), 5);
    bowls.delete('new');
    assert.equal(
      codeOf(() => tree.get('water.bowl.new.fish.count')),
      'NO_SUCH_SYSCTL',
    );
  });
});

describe('keys', () => {
  const keysOf = (...names: string[]): string[] =>
    [...keyed(names.map((name) => [name, name] as const))].map(([key]) => key);

  it('have no character that a name must not hold', () => {
    assert.deepEqual(keysOf('a.b/c\\d-e f=g'), ['a_b_c_d_e_f_g']);
    assert.deepEqual(keysOf('.', "it's [a] *?$", '__proto__'), ['_', "it's_[a]_*?$", '__proto__']);
  });

  it('are told apart by numbers, those that are taken left out', () => {
    assert.deepEqual(keysOf('a b', 'a-b', 'a.b', 'a_b'), ['a_b', 'a_b_1', 'a_b_2', 'a_b_3']);
    assert.deepEqual(keysOf('a_b_1', 'a b', 'a-b', 'a.b'), ['a_b_1', 'a_b', 'a_b_2', 'a_b_3']);
    assert.deepEqual(keysOf('a b', 'a-b', 'a_b_1'), ['a_b', 'a_b_1', 'a_b_1_1']);
  });

  it('are unique, and stay when more is added', () => {
    const name = fc.string({ unit: fc.constantFrom('a', '.', '-', '_', '1'), minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 30 }), name, (names, more) => {
        const keys = keysOf(...names);
        assert.equal(new Set(keys).size, names.length);
        assert.ok(keys.every((key) => /^[a\d_]+$/.test(key)));
        assert.deepEqual(keysOf(...names, more).slice(0, names.length), keys);
      }),
      { seed: 1 },
    );
  });
});

describe('names', () => {
  it('compare part by part, numbers by value', () => {
    const sorted = ['a', 'a.b', 'a.b.c', 'a.b-', 'a.b_1.c', 'b.2', 'b.10', 'b.10.a', 'b.x'];
    assert.deepEqual([...sorted].reverse().sort(compareNames), sorted);
  });

  it('lie below others at a dot only', () => {
    assert.ok(isUnder('a.b', 'a') && isUnder('a.b', 'a.b') && isUnder('a.b', ''));
    assert.ok(!isUnder('ab', 'a') && !isUnder('a', 'a.b') && !isUnder('a_b.c', 'a'));
  });
});
