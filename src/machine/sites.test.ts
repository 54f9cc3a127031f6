import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LockRank } from '../check/index.js';
import { createSites, SITE_TEXT_MAX, Site, SiteTable, siteHere, sitesMax } from './index.js';
import { bury, joinMortal, joinParty, makeParty, type Party } from './machine.test-kit.js';
import { Death } from './mortal.test-kit.js';

const SMALL = { pageCount: 64 };

function findings({ sites }: Party): string[] {
  const found: string[] = [];
  sites.audit((rule, message) => found.push(`${rule} ${message}`));
  return found;
}

describe('sites', () => {
  it('are numbered in order, once each, and found by every thread', () => {
    const one = makeParty(SMALL);
    const other = joinParty(one.machine.handle);
    assert.equal(one.sites.intern('a.js:1:1'), 1);
    assert.equal(other.sites.intern('b.js:2:2'), 2);
    assert.equal(one.sites.intern('b.js:2:2'), 2);
    assert.equal(other.sites.intern('a.js:1:1'), 1);
    assert.deepEqual([one.sites.textOf(2), other.sites.textOf(1)], ['b.js:2:2', 'a.js:1:1']);
    assert.equal(one.sites.count(), 2);
    assert.deepEqual(findings(one), []);
  });

  it('have no number where there is no text, and no text where there is no number', () => {
    const { sites } = makeParty(SMALL);
    assert.equal(sites.intern(''), 0);
    for (const site of [0, 1, -1, 1e9, 0.5, Number.NaN]) assert.equal(sites.textOf(site), '');
    assert.equal(sites.count(), 0);
  });

  it('keep the end of a long text, and nothing but ASCII', () => {
    const { sites } = makeParty(SMALL);
    const long = `${'x'.repeat(100)}/ü.js:1:1`;
    assert.equal(sites.textOf(sites.intern(long)), `${'x'.repeat(100)}/?.js:1:1`.slice(-SITE_TEXT_MAX));
    assert.equal(sites.intern(long), 1);
  });

  it('are 0 when the table is full; those that are there stay', () => {
    const party = makeParty(SMALL);
    const other = joinParty(party.machine.handle);
    const most = sitesMax(SMALL.pageCount);
    assert.equal(most, 16);
    for (let number = 1; number <= most; number++)
      assert.equal(party.sites.intern(`file.js:${number}:1`), number);
    assert.equal(party.sites.intern('late.js:1:1'), 0);
    assert.equal(other.sites.intern('late.js:1:1'), 0);
    assert.equal(other.sites.intern('file.js:16:1'), 16);
    assert.deepEqual(findings(party), []);
    assert.equal(sitesMax(256), 512);
  });

  it('may be interned while any other lock is held', () => {
    const { sites, locks, at } = makeParty(SMALL);
    locks.acquire(at(0), LockRank.PAGES);
    assert.equal(sites.intern('a.js:1:1'), 1);
    locks.release(at(0));
  });

  it('are whole after a death at any store, and others go on', () => {
    for (let store = 1, died = true; died; store++) {
      const party = makeParty(SMALL);
      const victim = joinMortal(party.machine.handle);
      const { sites } = victim;
      sites.intern('first.js:1:1');
      victim.mortal.dieAt(store);
      try {
        sites.intern('second.js:1:1');
        died = false;
        assert.ok(store > 15, 'the text alone takes so many');
      } catch (error) {
        assert.ok(error instanceof Death);
        bury(party.threads, victim.threads);
      }
      const before = party.sites.count();
      const site = party.sites.intern('third.js:1:1');
      assert.equal(site, before + 1);
      assert.equal(party.sites.textOf(1), 'first.js:1:1');
      assert.ok(before === 1 || party.sites.textOf(2) === 'second.js:1:1');
      assert.deepEqual(findings(party), []);
    }
  });

  it('are audited', () => {
    const damage = (change: (party: Party, table: number) => void): string[] => {
      const party = makeParty(SMALL);
      for (const text of ['a.js:1:1', 'b.js:1:1']) party.sites.intern(text);
      change(party, party.machine.area('sites'));
      return findings(party);
    };
    assert.deepEqual(
      damage(() => {}),
      [],
    );
    const site = (number: number): number => 16 + (number - 1) * 16;
    const flip =
      (offset: number) =>
      (words: Int32Array, table: number): void => {
        words[table + offset] = (words[table + offset] as number) ^ 1;
      };
    const write =
      (offset: number, value: number) =>
      (words: Int32Array, table: number): void => {
        words[table + offset] = value;
      };
    const changes: [RegExp, (words: Int32Array, table: number) => void][] = [
      [/text of site 1/, flip(site(1) + Site.text)],
      [/text of site 2/, flip(site(2) + Site.hash)],
      [/not there are not all 0/, write(site(3) + Site.hash, 1)],
      [/text of site 3/, write(SiteTable.count, 3)],
      [/there are 17 sites/, write(SiteTable.count, 17)],
      [/there are -1 sites/, write(SiteTable.count, -1)],
      [/refused/, write(SiteTable.refused, -1)],
      [/spare/, write(SiteTable.spare + 12, 1)],
      [/lock is held/, write(SiteTable.lock, 1)],
      [/twice/, (words, table) => words.copyWithin(table + site(2), table + site(1), table + site(2))],
    ];
    for (const [expected, change] of changes) {
      const found = damage(({ machine }, table) => change(machine.words, table));
      assert.ok(
        found.some((each) => each.startsWith('A5') && expected.test(each)),
        `${expected}: ${found}`,
      );
    }
  });

  it('stay within the table when the count is damaged', () => {
    const party = makeParty(SMALL);
    party.machine.words[party.machine.area('sites') + SiteTable.count] = 1e9;
    assert.equal(party.sites.intern('a.js:1:1'), 0);
    assert.equal(createSites(party.machine, party.locks).textOf(17), '');
  });
});

describe('siteHere', () => {
  const door = (): string => siteHere(door);
  const inner = (below: unknown): string => siteHere(below);
  const outer = (): string => inner(outer);
  const here = /sites\.test\.js:\d+:\d+$/;

  it('is the line that called the function it is given', () => {
    const [one, two] = [door(), door()];
    assert.match(one, here);
    assert.equal(one.split(':')[1], two.split(':')[1]);
    assert.notEqual(one, two);
    const line = Number(/:(\d+):\d+\)?$/m.exec(new Error().stack ?? '')?.[1]);
    assert.equal(outer().split(':')[1], String(line + 1));
    assert.ok(!one.includes('file:') && one.length <= SITE_TEXT_MAX);
  });

  it('is found without captureStackTrace, too', () => {
    const capture = Object.getOwnPropertyDescriptor(Error, 'captureStackTrace');
    assert.ok(capture);
    delete (Error as { captureStackTrace?: unknown }).captureStackTrace;
    try {
      assert.match(door(), here);
    } finally {
      Object.defineProperty(Error, 'captureStackTrace', capture);
    }
  });

  it("reads the stacks of V8, Firefox and Safari, and passes over the platform's own frames", () => {
    const holder = Error as { prepareStackTrace?: unknown };
    const before = holder.prepareStackTrace;
    const read = (stack: unknown): string => {
      holder.prepareStackTrace = () => stack;
      try {
        return door();
      } finally {
        holder.prepareStackTrace = before;
      }
    };
    assert.equal(read('Error\n    at node:internal/x:1:2\n    at f (file:///a/b.js:3:4)'), '/a/b.js:3:4');
    assert.equal(read('Error\n    at async f (/a/b.js:3:4)'), '/a/b.js:3:4');
    assert.equal(read('Error\n    at http://host:80/a/b.js?v=1:3:4'), '/a/b.js:3:4');
    assert.equal(read('f@https://host/a/b.js:3:4\n@https://host/c.js:5:6'), '/a/b.js:3:4');
    assert.equal(read('https://host/a/b.js:3:4'), '/a/b.js:3:4');
    assert.equal(read('Error\n    at f (C:\\a\\b.js:3:4)'), 'C:\\a\\b.js:3:4');
    assert.equal(read(`Error\n    at f (/${'long/'.repeat(20)}b.js:3:4)`).slice(0, 5), 'long/');
    for (const none of ['', 'Error\n    at <anonymous>', undefined, 7]) assert.equal(read(none), '');
  });

  it('is outside of this library', () => {
    const holder = Error as { prepareStackTrace?: unknown };
    const home = new URL('..', import.meta.url).href;
    const stack = `Error\n    at f (${home}uma/zone.js:1:1)\n    at g (${home.slice(7)}ring/line.js:1:1)`;
    const before = holder.prepareStackTrace;
    try {
      holder.prepareStackTrace = () => `${stack}\n    at h (/program.js:7:8)`;
      assert.equal(door(), '/program.js:7:8');
      holder.prepareStackTrace = () => stack;
      assert.match(door(), /uma\/zone\.js:1:1$/);
    } finally {
      holder.prepareStackTrace = before;
    }
  });
});
