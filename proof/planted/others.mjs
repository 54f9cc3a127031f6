// Planted in uma and ring: sleepers, the reaper, rings. Entries: see bugs.mjs.

import { carries, drains, elsewhere, first, kill, limitByThree, limitOfOne } from './names.mjs';

export const othersBugs = [
  // --- sleepers ---
  [
    'uma/sleepers.js',
    'who gives up does not look again under the lock',
    `        locks.acquire(zone.record, LockRank.ZONE);
        const granted = waiting.isGranted(waiter);`,
    `        const granted = waiting.isGranted(waiter);
        locks.acquire(zone.record, LockRank.ZONE);`,
    'a sleeper that gives up',
  ],
  [
    'uma/sleepers.js',
    'a raised limit serves nobody',
    `        accounts.serveWaiters(zone);
        const excess`,
    '        const excess',
    'a limit that is raised while somebody sleeps',
    { slicesMayHelp: false },
  ],
  [
    'uma/sleepers.js',
    'others are not asked for what they cache',
    `        waiting.unlock(locks, zone.record);
        askAllToDrain(threads);`,
    '        waiting.unlock(locks, zone.record);',
    elsewhere,
    { preemptions: 0 },
  ],
  [
    'uma/sleepers.js',
    'a unit is taken before a hand has it',
    `        const hand = hands.open(HandKind.ITEM, zone.number, 0, 1, waiter);
        waiting.takeGrant(waiter);`,
    `        waiting.takeGrant(waiter);
        const hand = hands.open(HandKind.ITEM, zone.number, 0, 1, waiter);`,
    limitOfOne,
    { kill, preemptions: 1 },
  ],
  [
    'uma/accounts.js',
    'others go on caching while somebody waits',
    `        waiting.enqueue(queue, waiter, (came << ARRIVAL_SHIFT) | wants);
        closeCaches(zone);`,
    '        waiting.enqueue(queue, waiter, (came << ARRIVAL_SHIFT) | wants);',
    'one frees what another waits for',
  ],
  // --- reaper ---
  [
    'uma/reaper.js',
    'gifts of the dead are left',
    '                    returnGift(waiter, slot);',
    '                    ;',
    limitOfOne,
    { kill, preemptions: 1 },
  ],
  [
    'uma/reaper-owned.js',
    'who cleans up stops at an item that has been claimed',
    '                return freeRest(zone, count);',
    '                return count;',
    'a claim that comes too late',
    { preemptions: 1 },
  ],
  [
    'uma/reaper.js',
    'hands of the dead are left',
    '            emptyHands(slot, errors);',
    '',
    first,
    { kill, preemptions: 0 },
  ],
  [
    'uma/reaper.js',
    'caches of the dead are left',
    '                drainCache(zone, slot);',
    '                ;',
    drains,
    { kill, preemptions: 0 },
  ],
  [
    'uma/reaper.js',
    'a unit is in hand and waiter',
    '!goesBack && waiter !== 0 && load(waiter + Waiter.state) === WaiterState.GRANTED',
    'false',
    limitOfOne,
    { kill, preemptions: 1 },
  ],
  [
    'uma/reaper-owned.js',
    'items on their way through a ring are freed',
    '                letGo(keg, items, slot);',
    '                ;',
    carries,
    { kill, preemptions: 1 },
  ],
  [
    'reaping.js',
    'locks of the dead are left',
    'if (threads.isDead(each))\n                locks.takeOverAll(each);',
    ';',
    first,
    { kill, preemptions: 0 },
  ],
  // --- rings ---
  [
    'ring/words.js',
    'the tail moves before the word is there',
    `        words[words[ring + SLOTS] + (tail & words[ring + MASK])] = word;
        store(ring + TAIL, (tail + 1) | 0);`,
    `        store(ring + TAIL, (tail + 1) | 0);
        words[words[ring + SLOTS] + (tail & words[ring + MASK])] = word;`,
    'ring: one puts, one takes',
    { prune: false },
  ],
  [
    'ring/words.js',
    'a put overlooks who waits',
    `        if (load(ring + TAKERS_WAITING) !== 0)
            settlePut(ring);
        return 1;`,
    '        return 1;',
    'ring: a taker that sleeps',
    { slicesMayHelp: false },
  ],
  [
    'ring/words.js',
    'a put looks who waits before its word is there',
    `        words[words[ring + SLOTS] + (tail & words[ring + MASK])] = word;
        store(ring + TAIL, (tail + 1) | 0);
        unlock(ring + PUT_LOCK);
        if (load(ring + TAKERS_WAITING) !== 0)`,
    `        const takers = load(ring + TAKERS_WAITING);
        words[words[ring + SLOTS] + (tail & words[ring + MASK])] = word;
        store(ring + TAIL, (tail + 1) | 0);
        unlock(ring + PUT_LOCK);
        if (takers !== 0)`,
    'ring: a taker that sleeps',
    { slicesMayHelp: false },
  ],
  [
    'ring/words.js',
    'the head is read before the lock is taken',
    `        acquire(ring + TAKE_LOCK, RANK);
        let head = words[ring + HEAD];
        if (head`,
    `        let head = words[ring + HEAD];
        acquire(ring + TAKE_LOCK, RANK);
        if (head`,
    'ring: two takers',
  ],
  [
    'ring/words.js',
    'an item leaves the ring before it is its taker’s',
    `            carry(ring, word);
        store(ring + HEAD, (head + 1) | 0);`,
    `            ;
        store(ring + HEAD, (head + 1) | 0);
        carry(ring, word);`,
    carries,
    { kill, preemptions: 1 },
  ],
  [
    'ring/line.js',
    'who waits is published when the ring was looked at',
    `        store(ring + end.waiting, words[queue + COUNT]);
        const served = end.serveLocked(ring);`,
    '        const served = end.serveLocked(ring);',
    'ring: a taker that sleeps',
    { slicesMayHelp: false },
  ],
  [
    'ring/line.js',
    'who gives up does not look again under the lock (ring)',
    `        const granted = waiting.isGranted(waiter);
        if (!granted) {`,
    `        const granted = false;
        if (!granted) {`,
    'ring: a taker that gives up',
  ],
  [
    'ring/hand-over.js',
    'a word is handed over before the head moves',
    `                intents.set(ring + HEAD, head);
                intents.commitGrant(queue, waiter, word, 0);`,
    `                intents.commitGrant(queue, waiter, word, 0);
                store(ring + HEAD, head);`,
    'ring: three, and two of them take',
    { kill: { threads: [0] }, preemptions: 1 },
  ],
  [
    'ring/hand-over.js',
    'whether the ring is closed is looked at after the tail',
    `        const closed = load(ring + CLOSED) !== 0;
        const tail = load(ring + TAIL);`,
    `        const tail = load(ring + TAIL);
        const closed = load(ring + CLOSED) !== 0;`,
    'ring: the last word before it is closed',
  ],
  [
    'ring/hand-over.js',
    'closing serves no taker',
    `        unlock(ring + PUT_LOCK);
        serveTakers(ring);`,
    '        unlock(ring + PUT_LOCK);',
    'ring: closed while one sleeps',
    { slicesMayHelp: false },
  ],
  [
    'ring/repair.js',
    'a hand-over of the dead is not finished',
    '        intents.finishOfDead(lock);',
    '                ;',
    'ring: three, and two of them take',
    { kill: { threads: [0] }, preemptions: 1 },
  ],
  [
    'ring/registry.js',
    'a ring is counted before it has a name',
    `        writeText(words, ring + Ring.name, RING_NAME_WORDS, name);
        store(ring + Ring.state, RingState.OPEN);
        store(registry + RingRegistry.count, index + 1);`,
    `        store(ring + Ring.state, RingState.OPEN);
        store(registry + RingRegistry.count, index + 1);
        writeText(words, ring + Ring.name, RING_NAME_WORDS, name);`,
    'both open the same new ring',
    { kill, preemptions: 0 },
  ],

  // --- by three threads ---
  [
    'uma/sleepers.js',
    'the first in line is looked at as if under the lock',
    'waiting.isFirst(zone.record + QUEUE, waiter)',
    'waiting.first(zone.record + QUEUE) === waiter',
    limitByThree,
    { third: true, preemptions: 1, prune: false },
  ],
  [
    'mbuf/mbufs.js',
    'who is asked for packets asks for them',
    'drainPackets(true);',
    'drainPackets();',
    'mbuf: one waits for a cluster that is in a cached packet',
    { third: true, preemptions: 0, kill },
  ],
];
