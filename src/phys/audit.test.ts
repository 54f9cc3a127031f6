import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { WaitQueue } from '../machine/index.js';
import { Page, PageQueue, PageState, Phys } from './index.js';
import { assertClean, brokenRules, type Kit, makeKit } from './phys.test-kit.js';

const { SLAB, RUN, FREE, FREE_TAIL, BOOT } = PageState;

/** A memory with runs and with blocks of several orders, and names for places in it. */
function prepare() {
  const kit = makeKit(200);
  const { machine, pages } = kit;
  const slab = pages.tryAllocRun(5, SLAB);
  const run = pages.tryAllocRun(40, RUN);
  const first = pages.tryAllocRun(1, SLAB);
  const gap = pages.tryAllocRun(1, SLAB);
  const second = pages.tryAllocRun(2, SLAB);
  const third = pages.tryAllocRun(1, SLAB);
  pages.freeRun(gap, 1);
  pages.setObject(slab, 5, 99);
  const old = pages.tryAllocRun(2, RUN);
  const young = pages.tryAllocRun(3, RUN);
  for (const [page, count] of [
    [old, 2],
    [young, 3],
  ] as const)
    pages.setAside(page, count, PageQueue.CACHE);
  const { words } = machine;
  const phys = machine.area('phys');
  /** First page of some block of the order. */
  const blockOf = (order: number): number => {
    const record = words[phys + Phys.heads + order] as number;
    assert.notEqual(record, 0, `no block of order ${order}`);
    return (record - pages.pageRef(0)) / 16;
  };
  const orders = pages.stats().byOrder.flatMap((count, order) => (count > 0 ? [order] : []));
  return {
    kit,
    words,
    pages,
    phys,
    slab,
    run,
    first,
    second,
    third,
    old,
    young,
    blockOf,
    lowOrder: orders[0] as number,
    highOrder: orders[orders.length - 1] as number,
    set(page: number, field: number, value: number): void {
      words[pages.pageRef(page) + field] = value;
    },
    physSet(field: number, value: number): void {
      words[phys + field] = value;
    },
  };
}

type Place = ReturnType<typeof prepare>;

/** Each plant breaks one word (or the least that breaks the one invariant), and names what must be found. */
const PLANTS: readonly (readonly [rule: string, what: string, plant: (place: Place) => void])[] = [
  ['P1', 'a state that does not exist', (at) => at.set(at.slab, Page.state, 9)],
  ['P1', 'a negative state', (at) => at.set(at.slab, Page.state, -1)],
  ['P1', 'a boot page that is free', (at) => at.set(1, Page.state, FREE_TAIL)],
  ['P1', 'a boot page among the others', (at) => at.set(at.run, Page.state, BOOT)],
  ['P2', 'a length that ends beyond the memory', (at) => at.set(at.run, Page.length, 1000)],
  ['P2', 'a negative length', (at) => at.set(at.run, Page.length, -3)],
  ['P2', 'a run without its length', (at) => at.set(at.slab, Page.length, 0)],
  ['P2', 'a run that is too long', (at) => at.set(at.slab, Page.length, 6)],
  ['P2', 'a run that is too short', (at) => at.set(at.slab, Page.length, 4)],
  ['P2', 'an inner page of another state', (at) => at.set(at.run + 20, Page.state, SLAB)],
  ['P2', 'an inner page that is free', (at) => at.set(at.run + 20, Page.state, FREE_TAIL)],
  ['P2', 'an inner page with a length', (at) => at.set(at.run + 20, Page.length, 2)],
  ['P3', 'a block without its first page', (at) => at.set(at.blockOf(at.highOrder), Page.state, FREE_TAIL)],
  ['P3', 'an inner page that is a block', (at) => at.set(at.blockOf(at.highOrder) + 1, Page.state, FREE)],
  ['P3', 'an inner page that is used', (at) => at.set(at.blockOf(at.highOrder) + 1, Page.state, RUN)],
  [
    'P3',
    'an order too large for its place',
    (at) => at.set(at.blockOf(at.lowOrder), Page.order, at.lowOrder + 3),
  ],
  ['P3', 'an order that does not exist', (at) => at.set(at.blockOf(at.lowOrder), Page.order, 31)],
  ['P3', 'a negative order', (at) => at.set(at.blockOf(at.lowOrder), Page.order, -1)],
  ['P4', 'two buddies that are not joined', (at) => splitBlock(at)],
  [
    'P5',
    'a head that names a used page',
    (at) => at.physSet(Phys.heads + at.lowOrder, at.pages.pageRef(at.slab)),
  ],
  ['P5', 'a head that names no record', (at) => at.physSet(Phys.heads + at.lowOrder, 12345)],
  ['P5', 'a head that is lost', (at) => at.physSet(Phys.heads + at.lowOrder, 0)],
  [
    'P5',
    'a list that is a circle',
    (at) => at.set(at.blockOf(at.lowOrder), Page.next, at.pages.pageRef(at.blockOf(at.lowOrder))),
  ],
  [
    'P5',
    'a link back that is wrong',
    (at) => at.set(at.blockOf(at.lowOrder), Page.previous, at.pages.pageRef(at.slab)),
  ],
  [
    'P5',
    'a link into the next order',
    (at) => at.set(at.blockOf(at.lowOrder), Page.next, at.pages.pageRef(at.blockOf(at.highOrder))),
  ],
  [
    'P6',
    'a bit that is missing',
    (at) => at.physSet(Phys.nonEmpty, (at.words[at.phys + Phys.nonEmpty] as number) & ~(1 << at.highOrder)),
  ],
  [
    'P6',
    'a bit for an empty list',
    (at) => at.physSet(Phys.nonEmpty, (at.words[at.phys + Phys.nonEmpty] as number) | (1 << 18)),
  ],
  [
    'P6',
    'a bit for no list',
    (at) => at.physSet(Phys.nonEmpty, (at.words[at.phys + Phys.nonEmpty] as number) | (1 << 30)),
  ],
  ['P7', 'a wrong number of blocks', (at) => at.physSet(Phys.blocks + at.lowOrder, 5)],
  ['P8', 'one free page too many', (at) => at.physSet(Phys.freePages, at.pages.freePages() + 1)],
  ['P8', 'far too many free pages', (at) => at.physSet(Phys.freePages, 1 << 30)],
  ['P8', 'a negative number of free pages', (at) => at.physSet(Phys.freePages, -1)],
  ['P9', 'a free page with an object', (at) => at.set(at.blockOf(at.highOrder) + 1, Page.object, 7)],
  ['P9', 'a free page with a length', (at) => at.set(at.blockOf(at.highOrder), Page.length, 1)],
  ['P9', 'a free page with an offset', (at) => at.set(at.blockOf(at.highOrder), Page.offset, 1)],
  ['P9', 'a free page that is wired', (at) => at.set(at.blockOf(at.highOrder), Page.wireCount, 1)],
  ['P10', 'a used page that is wired', (at) => at.set(at.run, Page.wireCount, 1)],
  ['P10', 'a page with a spare word', (at) => at.set(at.run, Page.spare, 1)],
  ['P11', 'a run in a queue that does not exist', (at) => at.set(at.old, Page.queue, 4)],
  ['P11', 'a run that is in a queue and in no list', (at) => at.set(at.run, Page.queue, PageQueue.ACTIVE)],
  ['P11', 'a list with a run that is in none', (at) => at.set(at.young, Page.queue, PageQueue.NONE)],
  ['P11', 'a run in the list of another queue', (at) => at.set(at.old, Page.queue, PageQueue.ACTIVE)],
  ['P11', 'a run in a queue without a ticket', (at) => at.set(at.old, Page.ticket, 0)],
  ['P11', 'a ticket of a run that is in none', (at) => at.set(at.slab, Page.ticket, 5)],
  ['P11', 'a page inside of a run in a queue', (at) => at.set(at.run + 1, Page.queue, PageQueue.CACHE)],
  ['P11', 'a queue that is lost', (at) => at.physSet(Phys.queueHeads + PageQueue.CACHE, 0)],
  ['P11', 'a queue of none', (at) => at.physSet(Phys.queueHeads, at.pages.pageRef(at.run))],
  ['P11', 'a queue with another end', (at) => at.physSet(Phys.queueTails + PageQueue.CACHE, 0)],
  ['P11', 'a queue with another number of pages', (at) => at.physSet(Phys.queuePages + PageQueue.CACHE, 4)],
  ['P11', 'a queue that is a circle', (at) => at.set(at.young, Page.queueNext, at.pages.pageRef(at.old))],
  ['P11', 'a wrong link back in a queue', (at) => at.set(at.young, Page.queuePrevious, 0)],
  ['P11', 'a free page in a queue', (at) => at.set(at.blockOf(at.highOrder), Page.queue, PageQueue.CACHE)],
  ['P12', 'thresholds out of order', (at) => at.physSet(Phys.freeReserved, 3)],
  ['P12', 'a threshold that is never met', (at) => at.physSet(Phys.freeTarget, 1000)],
  ['P12', 'a negative threshold', (at) => at.physSet(Phys.cacheMin, -1)],
  ['P12', 'a memory that is low by half', (at) => at.physSet(Phys.isLow, 2)],
  ['P12', 'a low memory that does not say so', (at) => at.physSet(Phys.freeMin, at.pages.freePages() + 1)],
  ['P12', 'somebody who starves in no class', (at) => at.physSet(Phys.starving, 3)],
  ['P12', 'a ticket that cannot be', (at) => at.physSet(Phys.lastTicket, -1)],
  ['P13', 'a line with nobody in it', (at) => at.physSet(Phys.line + WaitQueue.count, 1)],
  ['P13', 'a line that begins nowhere', (at) => at.physSet(Phys.line + WaitQueue.head, 8)],
  ['P9', 'a free page on loan', (at) => at.set(at.blockOf(at.highOrder), Page.loanCount, 1)],
];

/** Cuts the first block of the highest order in two, with sound lists and counts. */
function splitBlock(at: Place): void {
  const order = at.highOrder;
  const page = at.blockOf(order);
  const record = at.pages.pageRef(page);
  const half = page + 2 ** (order - 1);
  const listed = (index: number): number => at.words[at.phys + index] as number;
  const next = at.words[record + Page.next] as number;
  at.physSet(Phys.heads + order, next);
  if (next !== 0) at.words[next + Page.previous] = 0;
  else at.physSet(Phys.nonEmpty, listed(Phys.nonEmpty) & ~(1 << order));
  at.physSet(Phys.blocks + order, listed(Phys.blocks + order) - 1);
  const lower = order - 1;
  const old = listed(Phys.heads + lower);
  at.set(page, Page.order, lower);
  at.set(half, Page.order, lower);
  at.set(half, Page.state, FREE);
  at.set(page, Page.next, at.pages.pageRef(half));
  at.set(half, Page.previous, record);
  at.set(half, Page.next, old);
  if (old !== 0) at.words[old + Page.previous] = at.pages.pageRef(half);
  at.physSet(Phys.heads + lower, record);
  at.physSet(Phys.blocks + lower, listed(Phys.blocks + lower) + 2);
  at.physSet(Phys.nonEmpty, listed(Phys.nonEmpty) | (1 << lower));
}

/** Plants that break nothing else: the audit must name this rule alone. */
const ALONE = new Set([
  'a negative length',
  'an inner page of another state',
  'an inner page with a length',
  'a link back that is wrong',
  'two buddies that are not joined',
  'a head that is lost but for its bit',
  'a bit that is missing',
  'a bit for an empty list',
  'a bit for no list',
  'a wrong number of blocks',
  'one free page too many',
  'far too many free pages',
  'a queue with another number of pages',
  'a queue with another end',
  'thresholds out of order',
  'a free page with an object',
  'a free page with an offset',
  'a free page that is wired',
  'a free page on loan',
]);

describe('audit of the page layer', () => {
  it('finds nothing in a sound memory', () => assertClean(prepare().pages));

  for (const [rule, what, plant] of PLANTS) {
    it(`${rule} finds ${what}`, () => {
      const place = prepare();
      plant(place);
      const found = brokenRules(place.pages);
      assert.ok(found.includes(rule), `found ${found.join(', ') || 'nothing'}`);
      if (ALONE.has(what)) assert.deepEqual(found, [rule]);
      assert.equal(place.kit.machine.witness.held(), 0);
    });
  }

  it('has a plant and a line in the README for every rule, and the other way round', () => {
    const readme = readFileSync(new URL('../../src/phys/README.md', import.meta.url), 'utf8');
    const documented = [...readme.matchAll(/^- \*\*(P\d+)\*\*/gm)].map((match) => match[1]);
    const source = readFileSync(new URL('../../src/phys/audit.ts', import.meta.url), 'utf8');
    const reported = new Set([...source.matchAll(/'(P\d+)'/g)].map((match) => match[1]));
    const planted = new Set(PLANTS.map(([rule]) => rule));
    assert.deepEqual([...reported].sort(), [...documented].sort());
    assert.deepEqual([...planted].sort(), [...documented].sort());
  });

  it('reports without the lock: the callback may use the layer', () => {
    const place: Place = prepare();
    const kit: Kit = place.kit;
    place.physSet(Phys.freePages, 1);
    kit.pages.audit(() => kit.pages.audit(() => {}));
  });
});
