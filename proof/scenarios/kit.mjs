// What the scenarios have in common. A scenario is a plain object for `exploreMemory`: see
// src/explore/README.md.
// `warm` scenarios have their buckets and slabs made beforehand: making them is explored by those that say
// so.

/** Small: an audit follows every schedule. */
export const memory = { bytes: 4 << 16, maxZones: 16 };

/** Plain accesses that race on purpose. A word that is named here is a place to switch at. */
export const allowedRaces = [
  {
    where: 'thread.state',
    reason: 'a thread looks whether it has been given up; it is told at its next lock at the latest',
  },
  {
    where: 'thread cache.freeLimit',
    reason:
      'the owner compares with it without the lock: a free that has read it before caches its item, and the ' +
      'one who waits has asked for a drain',
  },
  { where: 'zone.waitCount', reason: 'a hint, and a figure; decided upon under the lock' },
  { where: 'zone.waitHead', reason: 'whether a waiter is the first: looked at again under the lock' },
  // Every taking of items looks whether there are marks: as places to switch at they would be most of a run.
  ...['keg.lowWater', 'keg.highWater', 'keg.freeItems', 'keg.reserve'].map((where) => ({
    where,
    reason: 'whether there is something to do by a mark; decided upon under the lock',
    switches: false,
  })),
  { where: 'backend.rotor', reason: 'where a rotation begins: any keg is as good as another' },
  { where: 'phys.freePages', reason: 'a hint, and a figure' },
];

/** What is looked at without a lock by who cleans up after a dead thread. */
export const afterDeaths = [
  {
    where: 'owners',
    reason: 'who cleans up looks for the dead one among all owner bytes; what it finds it changes atomically',
  },
  {
    where: 'page kegs',
    reason: 'who repairs a keg reads the map while others make and unmake slabs of other kegs',
  },
];

/** Where a living thread cleans up, and the race detector looks; elsewhere a race there is a bug. */
export const giftRaces = [
  ...['waiter.queue', 'waiter.grant', 'waiter.ticket'].map((where) => ({
    where,
    reason:
      'who cleans up looks at the gifts that others have not taken yet; one that is taken meanwhile was its ' +
      'taker’s before, and the ticket tells of the next',
    // Every line uses them: as places to switch at they would be most of a run.
    switches: false,
  })),
  {
    where: 'thread.hands',
    reason:
      'who repairs a structure looks at the hands of all who are dead, and another may be emptying them: what ' +
      'it changes there changes under the lock that it holds',
    switches: false,
  },
];

/** Opens a zone in every thread, and in the observer, so that it can free what the dead had. */
export function openZones(memories, observer, options) {
  const open = { onOwnerDeath: 'free', ...options };
  const observers = observer.zone(open);
  return { zones: memories.map((each) => each.zone(open)), observers };
}

/** Every thread has a bucket loaded, and the zone a slab. */
export function warm({ zones, observers }) {
  for (const zone of zones) zone.free(zone.tryAlloc());
  return { zones, observers };
}

export function expectUsed(zone, count) {
  const { used } = zone.stats();
  if (used !== count) throw new Error(`${used} items of ${zone.name} are in use, and not ${count}`);
}

/** When all threads have freed what they had, or are dead, nothing is in use. */
export function nothingUsed(_memories, { observers }) {
  for (const zone of [observers].flat()) expectUsed(zone, 0);
}

/** Threads of one body, with what each has of its own: two, and one more where three are explored. */
export function ofOneBody(body) {
  const of = (id) => (memory, shared, tools) => body(memory, shared, id, tools);
  return { threads: [of(0), of(1)], third: of(2) };
}

/** The same, where they do the same, and begin with the same: they differ by their numbers alone. */
export function alike(body) {
  return { ...ofOneBody(body), alike: true };
}

/**
 * The scenario with its third thread; as it is when it has three by itself. `thirdTakesAll`: with it there is
 * not enough for all, so that the time of one who waits may end.
 */
export function withThird({ third, thirdTakesAll, ...scenario }) {
  if (third === undefined) return scenario;
  const threads = [...scenario.threads, third];
  const attach = scenario.attach === undefined ? undefined : scenario.attach + 1;
  const slicesMayHelp = scenario.slicesMayHelp === true || thirdTakesAll === true;
  return { ...scenario, name: `${scenario.name}, and a third`, threads, attach, slicesMayHelp };
}

export const timedOut = (error) => error?.code === 'TIMED_OUT';
