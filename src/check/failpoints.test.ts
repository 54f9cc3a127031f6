import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createFailpoints, type FailMode, MbumaError } from './index.js';

/** Which of `calls` calls fail, counted from 1. */
function failures(mode: FailMode, calls: number): number[] {
  const failpoints = createFailpoints();
  const site = failpoints.site('here');
  failpoints.arm('here', mode);
  return Array.from({ length: calls }, (_, index) => (site.fails() ? index + 1 : 0)).filter(
    (call) => call > 0,
  );
}

describe('failpoints', () => {
  it('nth fails that call only', () => {
    assert.deepEqual(failures({ nth: 1 }, 5), [1]);
    assert.deepEqual(failures({ nth: 3 }, 9), [3]);
  });

  it('every fails each nth call', () => {
    assert.deepEqual(failures({ every: 1 }, 3), [1, 2, 3]);
    assert.deepEqual(failures({ every: 3 }, 10), [3, 6, 9]);
  });

  it('from fails that call and all after it', () => {
    assert.deepEqual(failures({ from: 1 }, 3), [1, 2, 3]);
    assert.deepEqual(failures({ from: 4 }, 6), [4, 5, 6]);
  });

  it('probability 0 fails none, 1 all', () => {
    assert.deepEqual(failures({ probability: 0 }, 1000), []);
    assert.equal(failures({ probability: 1 }, 1000).length, 1000);
  });

  it('a probability is kept, and replays from its seed', () => {
    for (const seed of [0, 1, 2, 3, 1000, 2 ** 31, 2 ** 40]) {
      const first = failures({ probability: 0.25, seed }, 4000);
      assert.ok(first.length > 850 && first.length < 1150, `${first.length} of 4000 with seed ${seed}`);
      assert.deepEqual(failures({ probability: 0.25, seed }, 4000), first);
    }
    assert.notDeepEqual(
      failures({ probability: 0.25, seed: 1 }, 100),
      failures({ probability: 0.25, seed: 2 }, 100),
    );
    assert.deepEqual(failures({ probability: 0.5 }, 100), failures({ probability: 0.5, seed: 1 }, 100));
  });

  it('small seeds do not all fail the first call', () => {
    const seeds = Array.from({ length: 200 }, (_, seed) => seed);
    const failing = seeds.filter((seed) => failures({ probability: 0.1, seed }, 1).length > 0);
    assert.ok(failing.length > 5 && failing.length < 50, `${failing.length} of 200`);
  });

  it('counts from the moment of arming; arming again starts anew', () => {
    const failpoints = createFailpoints();
    const site = failpoints.site('here');
    for (let call = 0; call < 10; call++) assert.equal(site.fails(), false);
    failpoints.arm('here', { nth: 2 });
    assert.deepEqual([site.fails(), site.fails(), site.fails()], [false, true, false]);
    failpoints.arm('here', { nth: 1 });
    assert.deepEqual([site.fails(), site.fails()], [true, false]);
    assert.deepEqual([site.hits, site.failures], [15, 2]);
  });

  it('disarm ends one site, or all', () => {
    const failpoints = createFailpoints();
    const [a, b] = [failpoints.site('a'), failpoints.site('b')];
    failpoints.arm('a', { from: 1 });
    failpoints.arm('b', { from: 1 });
    failpoints.disarm('a');
    assert.deepEqual([a.fails(), b.fails()], [false, true]);
    failpoints.arm('a', { from: 1 });
    failpoints.disarm();
    assert.deepEqual([a.fails(), b.fails()], [false, false]);
    assert.equal(failpoints.disarm('no such site'), 0);
    failpoints.arm('*', { from: 2 });
    for (let call = 0; call < 4; call++) a.fails();
    b.fails();
    assert.deepEqual([failpoints.disarm(), failpoints.disarm()], [3, 0]);
  });

  it('one site for one name; the list has them all', () => {
    const failpoints = createFailpoints();
    assert.equal(failpoints.site('a'), failpoints.site('a'));
    failpoints.site('b');
    assert.deepEqual(
      failpoints.list().map((site) => site.name),
      ['a', 'b'],
    );
  });

  it('fail for the zones that the filter names, and count only those', () => {
    const failpoints = createFailpoints();
    const site = failpoints.site('here');
    const verdicts = (...zones: string[]): boolean[] => zones.map((zone) => site.fails(zone));
    failpoints.arm('here', { nth: 2 }, { zones: ['a', 'b'] });
    assert.deepEqual(verdicts('c', 'a', '', 'd', 'b', 'a'), [false, false, false, false, true, false]);
    assert.equal(site.fails(), false);
    failpoints.arm('here', { from: 1 }, { exceptZones: ['a'] });
    assert.deepEqual(verdicts('a', 'b', ''), [false, true, true]);
    failpoints.arm('here', { from: 1 }, { zones: ['a', 'b'], exceptZones: ['a'] });
    assert.deepEqual(verdicts('a', 'b', 'c'), [false, true, false]);
    assert.deepEqual([site.concerns('a'), site.concerns('b')], [false, true]);
    failpoints.disarm();
    assert.equal(site.concerns('b'), false);
  });

  it('are armed and disarmed by name, by several names, by their beginning', () => {
    const failpoints = createFailpoints();
    const armed = (): string[] =>
      failpoints
        .list()
        .filter((site) => site.armed !== null)
        .map((site) => site.name);
    for (const name of ['a.one', 'a.two', 'b.one', 'c']) failpoints.site(name);
    failpoints.arm('a.*', { from: 1 });
    assert.deepEqual(armed(), ['a.one', 'a.two']);
    failpoints.arm(['b.one', 'c'], { from: 1 });
    failpoints.disarm('a.one');
    assert.deepEqual(armed(), ['a.two', 'b.one', 'c']);
    failpoints.disarm(['a.*', 'c']);
    assert.deepEqual(armed(), ['b.one']);
    failpoints.arm('*', { from: 1 });
    assert.equal(armed().length, 4);
    failpoints.disarm();
    // One that fits nothing arms none of the others.
    assert.throws(() => failpoints.arm(['a.one', 'z.*'], { from: 1 }), { code: 'BAD_ARGUMENT' });
    assert.deepEqual(armed(), []);
  });

  it('the list says what fails there, how it is armed, and is a copy', () => {
    const failpoints = createFailpoints();
    const site = failpoints.site('here', 'a thing');
    const zones = ['a'];
    failpoints.arm('here', { nth: 1 }, { zones });
    zones.push('b');
    site.fails('a');
    const [stats] = failpoints.list();
    assert.deepEqual(stats, {
      name: 'here',
      description: 'a thing',
      hits: 1,
      failures: 1,
      armed: { mode: { nth: 1 }, filter: { zones: ['a'] } },
    });
    site.fails('a');
    assert.equal(stats?.hits, 1);
  });

  it('tell who asks that they are armed or not', () => {
    const failpoints = createFailpoints();
    let changes = 0;
    failpoints.site('here').onChange(() => changes++);
    failpoints.disarm();
    failpoints.arm('here', { nth: 1 });
    failpoints.arm('here', { nth: 2 });
    failpoints.disarm('here');
    failpoints.disarm('here');
    assert.equal(changes, 3);
  });

  it('refuse hostile names and filters', () => {
    const failpoints = createFailpoints();
    failpoints.site('here');
    const hostile = [null, 1, 1n, Symbol('a'), {}, () => 1, [1], [Symbol('a')], [[]]];
    const refused = { name: 'MbumaError', code: 'BAD_ARGUMENT' };
    for (const value of hostile) {
      assert.throws(() => failpoints.site(value as string), refused);
      assert.throws(() => failpoints.disarm(value as string), refused);
      assert.throws(() => failpoints.arm('here', { nth: 1 }, { zones: value as string[] }), refused);
      assert.throws(() => failpoints.arm('here', { nth: 1 }, { exceptZones: value as string[] }), refused);
    }
    assert.throws(() => failpoints.site('here').onChange(null as never), refused);
    for (const value of [null, 1, 'a', Symbol('a')])
      assert.throws(() => failpoints.arm('here', { nth: 1 }, value as never), refused);
    assert.equal(failpoints.list()[0]?.armed, null);
  });

  it('two registries share nothing', () => {
    const [one, two] = [createFailpoints(), createFailpoints()];
    const site = two.site('here');
    one.site('here');
    one.arm('here', { from: 1 });
    assert.equal(site.fails(), false);
  });

  it('refuses a name that no site has, and lists those that there are', () => {
    const failpoints = createFailpoints();
    failpoints.site('phys.run');
    failpoints.site('uma.item');
    assert.throws(() => failpoints.arm('phys.runs', { nth: 1 }), {
      code: 'BAD_ARGUMENT',
      message: 'there is no failpoint "phys.runs"; there are phys.run, uma.item',
    });
    for (const name of [undefined, null, 1, Symbol('phys.run'), {}]) {
      assert.throws(() => failpoints.arm(name as string, { nth: 1 }), { code: 'BAD_ARGUMENT' });
    }
  });

  it('refuses hostile modes, and keeps the one it has', () => {
    const failpoints = createFailpoints();
    const site = failpoints.site('here');
    failpoints.arm('here', { from: 1 });
    const numbers: unknown[] = [
      Number.NaN,
      Number.POSITIVE_INFINITY,
      -1,
      0,
      -0,
      0.5,
      2 ** 53,
      '1',
      1n,
      null,
      undefined,
      Symbol('1'),
      {},
      { valueOf: () => 1 },
    ];
    const chances: unknown[] = [
      Number.NaN,
      Number.POSITIVE_INFINITY,
      -0.1,
      1.1,
      '0.5',
      1n,
      null,
      undefined,
      Symbol('1'),
      { valueOf: () => 1 },
    ];
    const seeds: unknown[] = [Number.NaN, -1, 0.5, 2 ** 53, '1', 1n, null, Symbol('1'), {}];
    const modes: unknown[] = [
      undefined,
      null,
      1,
      'nth',
      1n,
      Symbol('nth'),
      () => 1,
      {},
      [],
      ...numbers.flatMap((value) => [{ nth: value }, { every: value }, { from: value }]),
      ...chances.map((probability) => ({ probability })),
      ...seeds.map((seed) => ({ probability: 0.5, seed })),
    ];
    for (const mode of modes) {
      assert.throws(
        () => failpoints.arm('here', mode as FailMode),
        (error) => error instanceof MbumaError && error.code === 'BAD_ARGUMENT',
        JSON.stringify(mode, (_, value) => (typeof value === 'bigint' ? `${value}n` : (value as unknown))),
      );
    }
    assert.equal(site.fails(), true);
  });
});
