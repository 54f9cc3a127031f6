// Mutexes: contention, hand-overs, time-outs, order, detaching, and what an owner's death leaves.
// What a mutex guards are two words of an item: a count, and whether somebody is in the middle of it.

import { alike, openZones, timedOut } from './kit.mjs';

function openMutexes(memories, observer, names, options) {
  const { zones, observers } = openZones(memories, observer, { name: 'z', size: 64 });
  const word = observers.tryAlloc() >> 2;
  observer.words[word] = 0;
  observer.words[word + 1] = 0;
  const open = (memory) => names.map((name) => memory.mutex(name, options));
  return { mutexes: memories.map(open), own: open(observer), zones, word };
}

/** Nobody else is in the middle; or somebody died of it, and this one is told. */
function enter({ words }, word, token) {
  if (words[word + 1] !== 0 && !token.ownerDied) throw new Error('it is half-done, and nobody was told');
  words[word + 1] = 1;
}

function leave({ words }, word, token) {
  words[word + 1] = 0;
  token.unlock();
}

/** Takes the mutex, counts, gives it back; the place among all that counted. */
function count(memory, mutex, word, timeoutMs) {
  const token = mutex.lock(timeoutMs);
  enter(memory, word, token);
  memory.words[word] += 1;
  const place = memory.words[word];
  leave(memory, word, token);
  return place;
}

/** Each has counted once, and the mutex can be had: half-done only if somebody was killed. */
function allCounted(counts) {
  return (_memories, { own, word }, { killed, observer, results }) => {
    const token = own[0].tryLock();
    if (token === null) throw new Error(`thread ${own[0].owner} has the mutex still`);
    if (observer.words[word + 1] !== 0 && !token.ownerDied)
      throw new Error('it is half-done, and nobody was told');
    if (killed.length === 0 && token.ownerDied) throw new Error('nobody has died of it');
    token.unlock();
    const expected = counts(results);
    if (killed.length === 0 && observer.words[word] !== expected)
      throw new Error(`${observer.words[word]} were counted, and not ${expected}`);
  };
}

const setup = (memories, observer) => openMutexes(memories, observer, ['m']);

/** Takes two mutexes one in the other; whether it was refused. */
function nested(first, second) {
  const outer = first.lock();
  try {
    second.lock().unlock();
    return 'had';
  } catch (error) {
    if (error?.code !== 'LOCK_ORDER') throw error;
    return 'refused';
  } finally {
    outer.unlock();
  }
}

export const mutexScenarios = [
  {
    name: 'mutex: each counts',
    setup,
    ...alike((memory, { mutexes, word }, id) => count(memory, mutexes[id][0], word)),
    after: allCounted((results) => results.length),
  },
  {
    name: 'mutex: each counts twice',
    setup,
    ...alike((memory, { mutexes, word }, id) => [
      count(memory, mutexes[id][0], word),
      count(memory, mutexes[id][0], word),
    ]),
    after: allCounted((results) => 2 * results.length),
  },
  {
    name: 'mutex: a time-out that meets a hand-over',
    setup,
    threads: [
      (memory, { mutexes, word }) => count(memory, mutexes[0][0], word),
      (memory, { mutexes, word }) => {
        try {
          return count(memory, mutexes[1][0], word, 100);
        } catch (error) {
          if (!timedOut(error)) throw error;
          return 0;
        }
      },
    ],
    third: (memory, { mutexes, word }) => count(memory, mutexes[2][0], word),
    after: allCounted((results) => results.filter((place) => place !== 0).length),
  },
  {
    name: 'mutex: one tries, one waits',
    setup,
    threads: [
      (memory, { mutexes, word }) => {
        const token = mutexes[0][0].tryLock();
        if (token === null) return 0;
        enter(memory, word, token);
        memory.words[word] += 1;
        leave(memory, word, token);
        return 1;
      },
      (memory, { mutexes, word }) => count(memory, mutexes[1][0], word),
    ],
    third: (memory, { mutexes, word }) => count(memory, mutexes[2][0], word),
    after: allCounted((results) => results.filter((place) => place !== 0).length),
  },
  {
    name: 'mutex: its owner is dead',
    attach: 3,
    setup(memories, observer) {
      const shared = setup(memories, observer);
      const owner = memories.at(-1);
      enter(owner, shared.word, shared.mutexes.at(-1)[0].lock());
      observer.declareDead(owner.name);
      return shared;
    },
    ...alike((memory, { mutexes, word }, id) => {
      const token = mutexes[id][0].lock();
      const told = token.ownerDied;
      enter(memory, word, token);
      memory.words[word] += 1;
      leave(memory, word, token);
      return told;
    }),
    after(memories, shared, outcome) {
      const told = outcome.results.filter((each) => each === true).length;
      if (outcome.killed.length === 0 && told !== 1) throw new Error(`${told} were told of the death`);
      allCounted((results) => results.length)(memories, shared, outcome);
    },
  },
  {
    name: 'mutex: its owner detaches',
    heavy: true,
    attachInThreads: true,
    bounds: { deaths: 1 },
    threads: [
      (memory) => {
        memory.mutex('m').lock();
        memory.detach();
        return 'detached';
      },
      (memory) => {
        const token = memory.mutex('m').lock();
        token.unlock();
        return token.ownerDied ? 'told' : 'first';
      },
    ],
    third(memory) {
      const token = memory.mutex('m').tryLock();
      token?.unlock();
      return token?.ownerDied ? 'told' : 'first';
    },
    after(_memories, _shared, { observer, results, killed }) {
      const left = observer.mutex('m').tryLock();
      if (left === null) throw new Error('one has it still');
      const told = results.filter((each) => each === 'told').length + Number(left.ownerDied);
      if (killed.length === 0 && told !== 1) throw new Error(`${told} were told that the owner had gone`);
    },
  },
  {
    name: 'mutex: each makes the same, and another',
    heavy: true,
    attachInThreads: true,
    ...alike((memory, _shared, id) => {
      memory.mutex('m', { class: 'c', rank: 7 });
      return memory.mutex(`m${id}`).name;
    }),
  },
  {
    name: 'mutex: two in opposite orders',
    memory: { bytes: 4 << 16, maxZones: 16, checkLevel: 1 },
    setup: (memories, observer) => openMutexes(memories, observer, ['a', 'b']),
    threads: [
      (_memory, { mutexes: [[a, b]] }) => nested(a, b),
      (_memory, { mutexes: [, [a, b]] }) => nested(b, a),
    ],
    third: (_memory, { mutexes: [, , [a, b]] }) => nested(a, b),
    after(_memories, { own }, { results, killed }) {
      for (const mutex of own) if (mutex.tryLock()?.unlock() !== true) throw new Error('one is had still');
      if (killed.length > 0) return;
      const refused = results.filter((each) => each === 'refused').length;
      const fewest = results[1] === 'refused' ? 1 : results.length - 1;
      if (refused !== fewest) throw new Error(`${results}: one of the orders is wrong`);
    },
  },
];
