// Planted in mutex: hand-overs, lines, marks, orders. Entries: see bugs.mjs.

import { kill } from './names.mjs';

const counts = 'mutex: each counts';
const opposite = 'mutex: two in opposite orders';

export const mutexesBugs = [
  [
    'mutex/hand-over.js',
    'who gives up looks only before it has the inner lock',
    `            locks.acquire(mutex + LOCK, LockRank.MUTEX);
            const granted = waiting.isGranted(waiter);`,
    `            const granted = waiting.isGranted(waiter);
            locks.acquire(mutex + LOCK, LockRank.MUTEX);`,
    'mutex: a time-out that meets a hand-over',
    { preemptions: 3 },
  ],
  [
    'mutex/hand-over.js',
    'who is handed the mutex is not woken',
    `            waiting.unlock(locks, mutex + LOCK);
            return isMine;`,
    `            locks.release(mutex + LOCK);
            return isMine;`,
    counts,
  ],
  [
    'mutex/hand-over.js',
    'who stands in line does not look again whether the mutex is free',
    `            const taken = takeLocked(mutex);
            if (!taken)`,
    `            const taken = false;
            if (!taken)`,
    counts,
  ],
  [
    'mutex/hand-over.js',
    'the owner is written after its waiter is granted',
    `        intents.set(mutex + OWNER, wordOf(waiting.slotOf(waiter)));
        intents.commitGrant(mutex + WAITERS, waiter, GIFT_MUTEX, 0);`,
    `        const next = wordOf(waiting.slotOf(waiter));
        intents.commitGrant(mutex + WAITERS, waiter, GIFT_MUTEX, 0);
        store(mutex + OWNER, next);`,
    counts,
    { kill, preemptions: 1 },
  ],
  [
    'mutex/hand-over.js',
    'a hand-over that a dead thread has begun is not finished',
    `        intents.finishOfDead(lock);
        waiting.rebuildLine(mutex + WAITERS);`,
    '        waiting.rebuildLine(mutex + WAITERS);',
    counts,
    { kill, preemptions: 1 },
  ],
  [
    'mutex/hand-over.js',
    'a line that a dead thread was changing is not written anew',
    `        intents.finishOfDead(lock);
        waiting.rebuildLine(mutex + WAITERS);`,
    '        intents.finishOfDead(lock);',
    counts,
    { kill, preemptions: 1, third: true },
  ],
  [
    'mutex/hand-over.js',
    'waiters of the dead stay in line',
    '                waiting.removeAllOf(mutex + WAITERS, dead);',
    '                ;',
    counts,
    { kill, preemptions: 1, third: true },
  ],
  [
    'mutex/hand-over.js',
    'the dead have the mutex for ever',
    `            if (livesOwner(owner))
                return;`,
    '            return;',
    counts,
    { kill, preemptions: 0 },
  ],
  [
    'mutex/hand-over.js',
    'nobody is told that the owner has died',
    '            passOn(mutex, 1);',
    '            passOn(mutex, 0);',
    'mutex: its owner is dead',
    { preemptions: 0 },
  ],
  [
    'mutex/hand-over.js',
    'the mark is written behind the owner',
    `            words[mutex + ABANDONED] = abandoned;
            store(mutex + SITE, 0);
            store(mutex + OWNER, 0);`,
    `            store(mutex + SITE, 0);
            store(mutex + OWNER, 0);
            words[mutex + ABANDONED] = abandoned;`,
    'mutex: its owner is dead',
    { kill, preemptions: 1 },
  ],
  [
    'mutex/handle.js',
    'who detaches leaves no mark',
    'handOver.release(token.taken.mutex, true);',
    'handOver.release(token.taken.mutex, false);',
    'mutex: its owner detaches',
    { preemptions: 0 },
  ],
  [
    'mutex/order.js',
    'the way back is looked for before the lock is had',
    `        locks.acquire(lock, LockRank.REGISTRY);
        try {
            if (isKnown(first, second))
                return;
            way = findWay(second, first);`,
    `        way = findWay(second, first);
        locks.acquire(lock, LockRank.REGISTRY);
        try {
            if (isKnown(first, second))
                return;`,
    opposite,
  ],
  [
    'mutex/registry.js',
    'a mutex that its maker did not finish is left half-written',
    'words.fill(0, registry.at(count), registry.at(count + 1));',
    ';',
    'mutex: each makes the same, and another',
    { kill, preemptions: 0 },
  ],
  [
    'machine/sites.js',
    'a site is counted before its text is there',
    `            writeText(words, at(site) + TEXT, TEXT_WORDS, value);
            store(table + SiteTable.count, site);`,
    `            store(table + SiteTable.count, site);
            writeText(words, at(site) + TEXT, TEXT_WORDS, value);`,
    opposite,
    { kill, preemptions: 0 },
  ],
];
