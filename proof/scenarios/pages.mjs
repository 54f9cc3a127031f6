// Requests for pages: their classes, runs that are set aside, waiting for runs, reclaim handlers.

import { alike, expectUsed, nothingUsed, openZones, timedOut } from './kit.mjs';

const PAGE = 4096;
/** In the larger memory one page is at a multiple of this: a run that is soon made, and that there is once. */
const ALONE = 64 * PAGE;
const larger = { bytes: 8 << 16, maxZones: 24 };
/** `USE_RESERVE`; `USE_INTERRUPT_RESERVE`. */
const SYSTEM = 4;
const INTERRUPT = 8;

/** Read without the lock of the pages. */
const races = [
  ...['phys.queuePages', 'phys.isLow', 'phys.episodes', 'phys.line'].map((where) => ({
    where,
    reason: 'a hint; decided upon under the lock',
    switches: false,
  })),
  // A report: pages.stats().
  ...[
    'phys.requests',
    'phys.failures',
    'phys.discarded',
    'phys.reserveTaken',
    'phys.blocks',
    'phys.nonEmpty',
  ].map((where) => ({ where, reason: 'a figure, read without the lock', switches: false })),
  ...['page.queue', 'page.state', 'page.length', 'page.object', 'page.offset'].map((where) => ({
    where,
    reason: 'who asks for a run back looks whether there may be one; the ticket decides, under the lock',
    switches: false,
  })),
];

/** A zone whose items are pages, past all caches. */
const pageZones = (memories, observer) =>
  openZones(memories, observer, { name: 'pages', size: PAGE, noBucket: true, max: 0 });

/** The observer takes pages, for good, until so many are free; nobody caches any that could be given back. */
function takeAllBut(memories, observer, left) {
  for (const memory of [...memories, observer]) memory.drain();
  const zone = observer.zone({ name: 'all', size: PAGE, noBucket: true });
  while (observer.stats().pages.free > left && zone.tryAlloc(SYSTEM | INTERRUPT) !== 0);
  const { free } = observer.stats().pages;
  if (free !== left) throw new Error(`${free} pages are free, and not ${left}`);
}

/** The type in every thread, and the one run that there is, in the hands of thread 0. */
function withRun(memories, observer, options = {}, prepare = () => {}) {
  const open = (memory) => memory.mallocType({ name: 't', zones: 'own', onOwnerDeath: 'free', ...options });
  const types = memories.map(open);
  const observers = open(observer);
  // What takes pages later takes those behind the run, which then is there no more when it is free.
  prepare([...types, observers]);
  const block = types[0].tryAlignedAlloc(ALONE, 1);
  if (block === 0) throw new Error('there is no run');
  for (const memory of memories) memory.onWarning(() => {});
  return { types, observers, block };
}

const takeRun = (type, timeoutMs) => type.alignedAlloc(ALONE, 1, 0, timeoutMs);

/** A page, or none, of a zone of pages; it goes back to the pages. */
function pair(zone, flags = 0) {
  const item = zone.tryAlloc(flags);
  if (item === 0) return false;
  zone.free(item);
  zone.drain();
  return true;
}

/** As many as there are, up to three, at once. */
function takeAndFree(zone) {
  const items = [zone.tryAlloc(), zone.tryAlloc(), zone.tryAlloc()].filter((item) => item !== 0);
  for (const item of items) zone.free(item);
  zone.drain();
  return items.length;
}

function codeOf(work) {
  try {
    work();
    return 'ok';
  } catch (error) {
    if (typeof error?.code !== 'string') throw error;
    return error.code;
  }
}

/** Nobody but for the dead has waited in vain. */
function nobodyInVain({ killed, results }) {
  if (killed.length === 0 && results.some((result) => result?.code === 'TIMED_OUT'))
    throw new Error('somebody waited in vain');
}

/** All blocks of the type are free, those of the dead too. */
function nothingCounted(_memories, { observers }, outcome) {
  nobodyInVain(outcome);
  const { bytes } = observers.stats();
  if (bytes !== 0) throw new Error(`${bytes} bytes are in use`);
}

/** The one run is free, or set aside: it is lost to nobody. */
function runIsThere(memories, shared, outcome) {
  nothingCounted(memories, shared, outcome);
  const block = shared.observers.tryAlignedAlloc(ALONE, 1);
  if (block !== shared.block) throw new Error(`the run is at ${shared.block}, and ${block} was found`);
  shared.observers.free(block);
}

/** Set aside by one who asks for it back, while the other asks for a page, and there is no other. */
const asideAndWanted = (queue) => ({
  name: `pages: a run is set aside, ${queue}, and the other needs its page`,
  memory: larger,
  setup(memories, observer) {
    const { types, observers: type, block } = withRun(memories, observer);
    const shared = { ...pageZones(memories, observer), types, type, block };
    takeAllBut(memories, observer, 0);
    return shared;
  },
  threads: [
    (_memory, { types, block }) => types[0].takeBack(block, types[0].setAside(block, queue)),
    (_memory, { zones }) => pair(zones[1]),
  ],
  third: (_memory, { zones }) => pair(zones[2]),
  after(memories, shared, { killed, results: [isBack, ...gave] }) {
    nothingUsed(memories, shared);
    const { bytes } = shared.type.stats();
    if (bytes > PAGE || (killed.includes(0) && bytes !== 0)) throw new Error(`${bytes} bytes are in use`);
    if (bytes === PAGE && gave.includes(true)) throw new Error('the page was given, and was taken back');
    if (killed.length === 0 && isBack === gave.includes(true))
      throw new Error(isBack ? 'the page was given, and was taken back' : 'the page is lost');
    // In use, or to be had: free, or set aside.
    const item = shared.observers.tryAlloc();
    if ((item === 0) !== (bytes === PAGE)) throw new Error(`the page is at ${item}, and ${bytes} in use`);
    if (item !== 0) shared.observers.free(item);
    expectUsed(shared.observers, 0);
  },
});

/** There is one page, `kept`, and `keeper` has it. */
function withoutPages(memories, observer, keeper) {
  const shared = pageZones(memories, observer);
  const kept = shared.zones[keeper].alloc();
  takeAllBut(memories, observer, 0);
  for (const memory of memories) memory.onWarning(() => {});
  return { ...shared, kept };
}

/** Waits for good for a page, of all that there are. */
const takeCritical = (zone) =>
  codeOf(() => zone.free(zone.alloc(SYSTEM | INTERRUPT, Number.POSITIVE_INFINITY)));

/** With it the others go on. */
function giveBack(zone, kept) {
  zone.free(kept);
  zone.drain();
}

const scenarios = [
  {
    name: 'pages: a run is made longer and shorter, and the other takes the page behind it',
    memory: larger,
    // Who gets the page is who comes first, and a failure makes the other that.
    again: false,
    setup(memories, observer) {
      const shared = pageZones(memories, observer);
      const types = memories.map((memory) => memory.mallocType({ name: 't', zones: 'own' }));
      const block = types[0].alloc(18 * PAGE);
      takeAllBut(memories, observer, 1);
      types[0].realloc(block, 17 * PAGE);
      const type = observer.mallocType({ name: 't', zones: 'own' });
      return { ...shared, types, type, block, observer };
    },
    threads: [
      (_memory, { types, block }) =>
        [18, 17].map(
          (pages) => types[0].tryRealloc(block, pages * PAGE) && types[0].usableSize(block) / PAGE,
        ),
      (_memory, { zones }) => takeAndFree(zones[1]) > 0,
    ],
    third: (_memory, { zones }) => takeAndFree(zones[2]) > 0,
    after(memories, { type, block, observer, ...shared }, { killed, results: [lengths, ...gave] }) {
      nothingUsed(memories, shared);
      observer.drain();
      const pages = type.usableSize(block) / PAGE;
      const { free } = observer.stats().pages;
      if (pages + free !== 19) throw new Error(`the run has ${pages} pages, and ${free} are free`);
      observer.check(block + (pages - 1) * PAGE, PAGE);
      if (killed.length > 0) return;
      if (pages !== 17 || lengths[1] !== 17) throw new Error(`of 18 and 17 pages it has ${lengths}`);
      if (lengths[0] === 0 && !gave.includes(true)) throw new Error('the page was nobody’s');
    },
  },
  {
    name: 'pages: a normal request leaves the reserves, and others find them',
    memory: {
      bytes: 4 << 16,
      maxZones: 16,
      pages: { interruptFreeMin: 1, freeReserved: 2, freeMin: 2, freeTarget: 2 },
    },
    setup(memories, observer) {
      const shared = pageZones(memories, observer);
      takeAllBut(memories, observer, 3);
      return { ...shared, observer };
    },
    threads: [(_memory, { zones }) => takeAndFree(zones[0]), (_memory, { zones }) => pair(zones[1], SYSTEM)],
    third: (_memory, { zones }) => pair(zones[2], INTERRUPT),
    after(memories, shared, { results }) {
      const [, system, interrupt] = results;
      // What the third takes, and may die with, the second may not take: it leaves it a page.
      if (interrupt === false || (system === false && results.length < 3))
        throw new Error('a reserve was gone');
      nothingUsed(memories, shared);
      shared.observer.drain();
      const { free } = shared.observer.stats().pages;
      if (free !== 3) throw new Error(`${free} pages are free, and not 3`);
    },
  },
  asideAndWanted('cache'),
  asideAndWanted('active'),
  {
    name: 'pages: two take back the same run',
    heavy: false,
    memory: larger,
    setup(memories, observer) {
      const shared = withRun(memories, observer);
      return { ...shared, ticket: shared.types[0].setAside(shared.block, 'cache') };
    },
    // Who has it sets it aside anew: that is another stay, of which the other knows nothing.
    ...alike((_memory, { types, block, ticket }, id) => {
      const isBack = types[id].takeBack(block, ticket);
      if (isBack) types[id].setAside(block, 'cache');
      return isBack;
    }),
    after(memories, shared, outcome) {
      const { killed, results } = outcome;
      const times = results.filter((isBack) => isBack === true).length;
      if (times > 1 || times + killed.length < 1) throw new Error(`${times} have taken the run back`);
      runIsThere(memories, shared, outcome);
    },
  },
  {
    name: 'pages: one sets aside what the other waits to have room for',
    memory: larger,
    setup: (memories, observer) => withRun(memories, observer, { max: PAGE }),
    threads: [
      (_memory, { types, block }) => {
        if (types[0].takeBack(block, types[0].setAside(block, 'cache'))) types[0].free(block);
      },
      (_memory, { types }) => types[1].free(takeRun(types[1], 300)),
    ],
    third: (_memory, { types }) => types[2].free(types[2].tryAlignedAlloc(ALONE, 1)),
    expected: timedOut,
    after: runIsThere,
  },
  {
    name: 'pages: one frees the run that the other waits for',
    memory: larger,
    setup: (memories, observer) => withRun(memories, observer),
    threads: [
      (_memory, { types, block }) => types[0].free(block),
      (_memory, { types }) => types[1].free(takeRun(types[1], 300)),
    ],
    third: (_memory, { types }) => types[2].free(types[2].tryAlignedAlloc(ALONE, 1)),
    expected: timedOut,
    after: runIsThere,
  },
  {
    name: 'pages: one gives up waiting for a run while it comes',
    memory: larger,
    setup: (memories, observer) => withRun(memories, observer),
    threads: [
      (_memory, { types, block }) => types[0].free(block),
      (_memory, { types }) => {
        const code = codeOf(() => types[1].free(takeRun(types[1], 50)));
        if (code !== 'ok' && code !== 'TIMED_OUT') throw new Error(code);
      },
    ],
    third: (_memory, { types }) => types[2].free(takeRun(types[2], 300)),
    expected: timedOut,
    after: runIsThere,
  },
  {
    name: 'pages: both wait for the same run',
    memory: larger,
    setup(memories, observer) {
      const shared = withRun(memories, observer);
      shared.types[0].free(shared.block);
      return shared;
    },
    ...alike((_memory, { types }, id) => types[id].free(takeRun(types[id], 300))),
    expected: timedOut,
    after: runIsThere,
  },
  {
    name: 'pages: a reclaim handler frees what the other waits for',
    memory: larger,
    setup(memories, observer) {
      const [memory] = memories;
      let sleep;
      let kept;
      const shared = withRun(memories, observer, {}, (types) => {
        // Zones that are opened on the way stay open in the next schedule.
        for (const type of types) type.free(type.tryAlloc(64));
        kept = types[0].tryAlloc(64) >> 2;
        sleep = memory.ring({ name: 'nothing comes', capacity: 4 });
      });
      // The word says whether there is still something to be given.
      memory.words[kept] = 1;
      memory.onLowMemory('the run', () => {
        if (memory.words[kept] === 0) return 0;
        memory.words[kept] = 0;
        shared.types[0].free(shared.block);
        return PAGE;
      });
      return { ...shared, sleep };
    },
    threads: [
      (_memory, { sleep }) => codeOf(() => sleep.take(250)),
      (_memory, { types }) => types[1].free(takeRun(types[1], 300)),
    ],
    third: (_memory, { types }) => types[2].free(types[2].tryAlignedAlloc(ALONE, 1)),
    expected: timedOut,
    // The handler runs in a poll of its thread, which sleeps for its own reasons.
    slicesMayHelp: true,
    after(_memories, shared, outcome) {
      nobodyInVain(outcome);
      const { bytes } = shared.observers.stats();
      const most = outcome.killed.includes(0) ? 0 : 64 + PAGE;
      if (bytes > most) throw new Error(`${bytes} bytes are in use`);
    },
  },
  {
    name: 'pages: all wait for good, and who may take every page is told of the deadlock',
    setup: (memories, observer) => withoutPages(memories, observer, 0),
    threads: [
      (_memory, { zones, kept }) => {
        const code = takeCritical(zones[0]);
        giveBack(zones[0], kept);
        return code;
      },
      (_memory, { zones }) => zones[1].free(zones[1].alloc(0, Number.POSITIVE_INFINITY)),
    ],
    third: (_memory, { zones }) => zones[2].free(zones[2].alloc(0, Number.POSITIVE_INFINITY)),
    waits: true,
    // That nothing comes is seen by looking again after a slice.
    slicesMayHelp: true,
    after(memories, shared, { killed, results: [code] }) {
      if (killed.length === 0 && code !== 'MEMORY_DEADLOCK') throw new Error(code);
      nothingUsed(memories, shared);
    },
  },
  {
    name: 'pages: one frees after a time what the other waits for, who may take every page',
    setup: (memories, observer) => withoutPages(memories, observer, 1),
    threads: [
      (_memory, { zones }) => takeCritical(zones[0]),
      (_memory, { zones, kept }) => {
        const code = codeOf(() => zones[1].free(zones[1].alloc(0, 150)));
        giveBack(zones[1], kept);
        return code;
      },
    ],
    slicesMayHelp: true,
    after(memories, shared, { killed, results: [critical, other] }) {
      if (killed.length === 0 && (critical !== 'ok' || other !== 'TIMED_OUT'))
        throw new Error(`${critical}, ${other}`);
      nothingUsed(memories, shared);
    },
  },
];

export const pageScenarios = scenarios.map((scenario) => ({
  // A death in the middle of a switch makes tens of thousands of schedules of nearly all of them.
  heavy: true,
  ...scenario,
  races: [...races, ...(scenario.races ?? [])],
}));
