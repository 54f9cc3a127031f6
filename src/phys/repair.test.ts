import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Hand, HandKind } from '../machine/index.js';
import { Death } from '../machine/mortal.test-kit.js';
import { Page, PageQueue, PageState, type Pages, Phys } from './index.js';
import { assertClean, freeShape, joinMortal, type Kit, type MortalKit, makeKit } from './phys.test-kit.js';

const { SLAB, RUN } = PageState;

/** Used runs: first page and length. */
function runsOf({ machine, pages }: Kit): Map<number, number> {
  const runs = new Map<number, number>();
  for (let page = pages.firstPage; page < pages.pageCount; page++) {
    const length = machine.words[pages.pageRef(page) + Page.length] as number;
    if (length !== 0) runs.set(page, length);
  }
  return runs;
}

interface Scene {
  readonly kit: Kit;
  readonly victim: MortalKit;
  /** A run of 12 pages, for a call that frees one. */
  readonly page: number;
  /** Names the run that the victim takes, or has. */
  readonly hand: number;
}

/** All other pages are used but 14 behind the run: blocks of 4, 8 and 2. */
function fillAllBut({ pages }: Kit, run: number, others: readonly { page: number; count: number }[]): void {
  for (const { page, count } of others)
    if (page !== run && pages.lengthOf(page) > 0) pages.freeRun(page, count);
  while (pages.tryAllocRun(1, SLAB) !== 0);
  for (let page = run + 12; page < run + 26; page++) pages.freeRun(page, 1);
}

/** A fragmented memory, or a full one, and a thread with a hand that is empty or has the run. */
function prepare(holds = false, isFull = false): Scene {
  const kit = makeKit(200);
  const { pages } = kit;
  const taken = [3, 1, 7, 2, 12, 1, 5, 9].map((count) => ({ count, page: pages.tryAllocRun(count, SLAB) }));
  for (const index of [1, 3, 5]) pages.freeRun(taken[index]?.page as number, taken[index]?.count as number);
  const page = taken[4]?.page as number;
  pages.setObject(page, 12, 77);
  if (isFull) fillAllBut(kit, page, taken);
  const victim = joinMortal(kit.machine.handle);
  const hand = victim.hands.open(HandKind.RUN, 0, holds ? page : 0, 12, 0);
  return { kit, victim, page, hand };
}

interface Story {
  readonly name: string;
  /** Whether the victim has the run in hand at first. */
  readonly holds: boolean;
  readonly isFull?: boolean;
  act(pages: Pages, page: number, held: number): void;
}

const stories: readonly Story[] = [
  { name: 'tryAllocRun of 5', holds: false, act: (pages, _, held) => void pages.tryAllocRun(5, RUN, held) },
  { name: 'tryAllocRun of 1', holds: false, act: (pages, _, held) => void pages.tryAllocRun(1, SLAB, held) },
  { name: 'tryAllocRun of 33', holds: false, act: (pages, _, held) => void pages.tryAllocRun(33, RUN, held) },
  {
    name: 'tryAllocRun of 11 in several blocks',
    holds: false,
    isFull: true,
    act: (pages, _, held) => void pages.tryAllocRun(11, RUN, held, 1),
  },
  { name: 'freeRun of 12', holds: true, act: (pages, page, held) => pages.freeRun(page, 12, held) },
];

/** Stores of an act, and the runs after it. */
function rehearse(story: Story): { stores: number; runs: Map<number, number> } {
  const { kit, victim, page, hand } = prepare(story.holds, story.isFull);
  const before = victim.mortal.stores();
  story.act(victim.pages, page, hand + Hand.HELD);
  return { stores: victim.mortal.stores() - before, runs: runsOf(kit) };
}

/** The ways in which the lock of a dead thread is taken over. */
const SURVIVALS: Record<string, (kit: Kit, victim: Kit) => void> = {
  'by its reaper': ({ locks }, { threads }) => locks.takeOverAll(threads.slot),
  'by the next who needs it': ({ pages }) => {
    const page = pages.tryAllocRun(1, SLAB);
    pages.freeRun(page, 1);
  },
};

describe('page runs: after a death', () => {
  for (const story of stories) {
    for (const [how, survive] of Object.entries(SURVIVALS)) {
      it(`${story.name}, cut short before each store, is done or not done: taken over ${how}`, () => {
        const { stores, runs: after } = rehearse(story);
        let outcomes = '';
        for (let store = 1; store <= stores; store++) {
          const { kit, victim, page, hand } = prepare(story.holds, story.isFull);
          const before = runsOf(kit);
          victim.mortal.dieAt(store);
          assert.throws(() => story.act(victim.pages, page, hand + Hand.HELD), Death);
          assert.equal(kit.threads.declareDead(victim.threads.slot, victim.threads.generation), true);
          survive(kit, victim);
          assertClean(kit.pages);
          const found = runsOf(kit);
          const done = JSON.stringify([...found]) === JSON.stringify([...after]);
          if (!done) assert.deepEqual(found, before, `before store ${store}: neither done nor not done`);
          outcomes += done ? 'd' : 'n';
          const used = [...found.values()].reduce((sum, length) => sum + length, 0);
          assert.equal(kit.pages.freePages(), 200 - kit.pages.firstPage - used);

          // In hand or free: never both, never neither.
          const inHand = kit.machine.words[hand + Hand.HELD] as number;
          assert.equal(inHand !== 0, done !== story.holds, `before store ${store}: in hand is ${inHand}`);
          if (inHand === 0) continue;
          assert.equal(before.has(inHand), story.holds);
          kit.pages.freeRun(inHand, found.get(inHand) as number, hand + Hand.HELD);
          assert.equal(kit.machine.words[hand + Hand.HELD], 0);
          assertClean(kit.pages);
        }
        assert.match(outcomes, /^n+d+$/, 'one store decides');
        assert.ok(outcomes.length > 3);
      });
    }
  }

  for (const [name, count] of [
    ['longer', 23],
    ['shorter', 5],
  ] as const) {
    for (const [how, survive] of Object.entries(SURVIVALS)) {
      it(`a run made ${name}, cut short before each store, is so or is not: taken over ${how}`, () => {
        const lengths: number[] = [];
        for (let store = 1, died = true; died; store++) {
          const { kit, victim, page } = prepare(true, true);
          victim.mortal.dieAt(store);
          try {
            assert.equal(victim.pages.resizeRun(page, 12, count), true);
            died = false;
          } catch (error) {
            assert.ok(error instanceof Death, String(error));
          }
          kit.threads.declareDead(victim.threads.slot, victim.threads.generation);
          survive(kit, victim);
          assertClean(kit.pages);
          const length = kit.pages.lengthOf(page);
          lengths.push(length);
          for (let each = page; each < page + length; each++) assert.equal(kit.pages.objectOf(each), 77);
          assert.equal(kit.pages.freePages(), 14 + 12 - length);
        }
        assert.match(lengths.join(), new RegExp(`^(12,)+(${count},?)+$`), 'one store decides');
      });
    }
  }

  /** What is done to a run of 12 pages, the oldest of three in a queue or in none; whether it is in one then. */
  const queueStories: readonly (readonly [name: string, act: (pages: Pages, page: number) => void])[] = [
    ['setAside', (pages, page) => void pages.setAside(page, 12, PageQueue.INACTIVE)],
    ['takeBack', (pages, page) => void pages.takeBack(page, 1)],
    ['freeRun of what is set aside', (pages, page) => pages.freeRun(page, 12)],
    ['age', (pages) => pages.age(12)],
    ['a request that takes it', (pages) => void pages.tryAllocRun(pages.freePages() + 12, RUN)],
    ['a request that takes it for one page', (pages) => void pages.tryAllocRun(1, RUN)],
  ];

  /** A full memory but for what is set aside: the run of 12, where the story needs it, and two others. */
  function prepareQueues(name: string): { kit: Kit; victim: MortalKit; page: number } {
    const kit = makeKit(64);
    const { pages } = kit;
    const queue = name === 'age' || name === 'takeBack' ? PageQueue.INACTIVE : PageQueue.CACHE;
    const page = pages.tryAllocRun(12, RUN);
    const others = [pages.tryAllocRun(2, RUN), pages.tryAllocRun(3, RUN)];
    while (pages.tryAllocRun(1, SLAB) !== 0);
    if (name !== 'setAside') pages.setAside(page, 12, queue);
    for (const [index, other] of others.entries()) pages.setAside(other, index + 2, queue);
    return { kit, victim: joinMortal(kit.machine.handle), page };
  }

  const queueShape = ({ pages }: Kit, page: number): unknown => {
    const { active, inactive, cache, free } = pages.stats();
    return { active, inactive, cache, free, queue: pages.queueOf(page), length: pages.lengthOf(page) };
  };

  for (const [name, act] of queueStories) {
    for (const [how, survive] of Object.entries(SURVIVALS)) {
      it(`${name}, cut short before each store, leaves sound queues: taken over ${how}`, () => {
        const rehearsed = prepareQueues(name);
        const first = rehearsed.victim.mortal.stores();
        act(rehearsed.victim.pages, rehearsed.page);
        const stores = rehearsed.victim.mortal.stores() - first;
        assert.ok(stores > 5);
        const seen = new Set<string>();
        for (let store = 1; store <= stores; store++) {
          const { kit, victim, page } = prepareQueues(name);
          victim.mortal.dieAt(store);
          assert.throws(() => act(victim.pages, page), Death);
          assert.equal(kit.threads.declareDead(victim.threads.slot, victim.threads.generation), true);
          // Else the next who needs a page would take one of those that are looked at.
          if (how === 'by its reaper' || kit.pages.freePages() > 0) survive(kit, victim);
          else kit.pages.age(0);
          assertClean(kit.pages);
          seen.add(JSON.stringify(queueShape(kit, page)));
        }
        assert.ok(seen.size >= 2 && seen.size <= 4, [...seen].join('\n'));
      });
    }
  }

  it('a run that a thread died of taking back is in its hand, or in its queue: never in both', () => {
    const seen = new Set<string>();
    for (let store = 1, died = true; died; store++) {
      const { kit, victim, page } = prepareQueues('takeBack');
      const hand = victim.hands.open(HandKind.LARGE_BLOCK, 0, 0, 12, 0);
      victim.mortal.dieAt(store);
      try {
        victim.pages.takeBack(page, 1, hand + Hand.HELD);
        died = false;
      } catch (error) {
        assert.ok(error instanceof Death, String(error));
      }
      kit.threads.declareDead(victim.threads.slot, victim.threads.generation);
      kit.locks.takeOverAll(victim.threads.slot);
      const inHand = kit.machine.words[hand + Hand.HELD] === page;
      const inQueue = kit.pages.queueOf(page) !== PageQueue.NONE;
      assert.notEqual(inHand, inQueue, `before store ${store}`);
      seen.add(inHand ? 'hand' : 'queue');
    }
    assert.equal(seen.size, 2);
  });

  it('the repair itself may be cut short, and done again', () => {
    let died = true;
    for (let store = 1; died; store += 7) {
      const { kit, victim } = prepare();
      const before = runsOf(kit);
      const shape = freeShape(kit);
      victim.locks.acquire(kit.machine.area('phys') + Phys.lock, 40);
      kit.threads.declareDead(victim.threads.slot, victim.threads.generation);
      const heir = joinMortal(kit.machine.handle);
      heir.mortal.dieAt(store);
      died = false;
      try {
        heir.locks.takeOverAll(victim.threads.slot);
      } catch (error) {
        assert.ok(error instanceof Death, String(error));
        died = true;
        kit.threads.declareDead(heir.threads.slot, heir.threads.generation);
        kit.locks.takeOverAll(heir.threads.slot);
      }
      kit.locks.takeOverAll(victim.threads.slot);
      assertClean(kit.pages);
      assert.deepEqual(runsOf(kit), before);
      assert.deepEqual(freeShape(kit), shape);
    }
  });

  it('a hand of the living is not touched, and a run in a dead hand stays its own', () => {
    const { kit, victim, page, hand } = prepare(true);
    const mine = kit.hands.open(HandKind.RUN, 0, 199, 1, 0);
    victim.locks.acquire(kit.machine.area('phys') + Phys.lock, 40);
    kit.threads.declareDead(victim.threads.slot, victim.threads.generation);
    kit.locks.takeOverAll(victim.threads.slot);
    assert.equal(kit.machine.words[mine + Hand.HELD], 199);
    assert.equal(kit.machine.words[hand + Hand.HELD], page);
    assert.equal(kit.pages.objectOf(page), 77);
    assertClean(kit.pages);
  });

  it('who frees what a dead thread has in hand, and meets that it never had it, changes nothing', () => {
    const [story] = stories as [Story];
    let met = 0;
    for (let store = 1; store <= rehearse(story).stores; store++) {
      const { kit, victim, page, hand } = prepare();
      const before = runsOf(kit);
      victim.mortal.dieAt(store);
      assert.throws(() => story.act(victim.pages, page, hand + Hand.HELD), Death);
      kit.threads.declareDead(victim.threads.slot, victim.threads.generation);
      const named = kit.machine.words[hand + Hand.HELD] as number;
      if (named === 0) continue;
      met++;
      kit.pages.freeRun(named, 5, hand + Hand.HELD);
      assert.deepEqual(runsOf(kit), before);
      assertClean(kit.pages);
    }
    assert.ok(met > 1);
  });

  it('a rebuild of a sound memory keeps its shape', () => {
    const { kit } = prepare();
    const shape = freeShape(kit);
    kit.pages.rebuildLocked();
    assert.deepEqual(freeShape(kit), shape);
    assertClean(kit.pages);
  });
});
