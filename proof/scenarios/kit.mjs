// What the scenarios have in common. A scenario is a plain object for `exploreMemory`: see
// src/explore/README.md.
// `warm` scenarios have their buckets and slabs made beforehand: making them is explored by those that say
// so.

/** Small: an audit follows every schedule. */
export const memory = { bytes: 4 << 16, maxZones: 16 };

/** Plain accesses that race on purpose. A word that is named here is a place to switch at. */
export const allowedRaces = [
  {
    where: 'thread.attention',
    reason: 'a thread looks whether it is asked for anything; what it misses it sees at its next slow path',
  },
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

/**
 * One of the threads writes its mark into an item that it has; another's mark there is a double allocation.
 */
export function stamp(memory, item, mark) {
  const word = item >> 2;
  if (memory.words[word] !== 0) throw new Error(`item ${item} is ${memory.words[word]}'s as well`);
  memory.words[word] = mark;
}

export function unstamp(memory, item, mark) {
  const word = item >> 2;
  if (memory.words[word] !== mark)
    throw new Error(`item ${item} was ${mark}'s, and is ${memory.words[word]}'s`);
  memory.words[word] = 0;
}

export const timedOut = (error) => error?.code === 'TIMED_OUT';
