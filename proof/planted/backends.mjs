// Planted in backends and in what threads are asked for. Entries: see bugs.mjs.

import { kill } from './names.mjs';

const shared = 'two kegs are drained for one another';
const asked = 'a thread is asked for what it caches, and answers';
const answered = 'who has answered has drained';

export const backendsBugs = [
  [
    'uma/backends.js',
    'the pages of a backend are read before the lock is taken',
    `        locks.acquire(record, LockRank.BACKEND);
        const most = words[record + Backend.pagesMax];
        const used = words[record + Backend.pagesUsed] + keg.pagesPerSlab;`,
    `        const most = words[record + Backend.pagesMax];
        const used = words[record + Backend.pagesUsed] + keg.pagesPerSlab;
        locks.acquire(record, LockRank.BACKEND);`,
    shared,
  ],
  [
    'uma/backends.js',
    'pages are counted, and no hand says so',
    '            intents.set(hand + THIRD, words[hand + THIRD] | COUNTED);\n            intents.commit();',
    '            intents.commit();\n            words[hand + THIRD] |= COUNTED;',
    shared,
    { kill, preemptions: 0 },
  ],
  [
    'uma/backends.js',
    'pages are counted no more while a hand says that they are',
    `        intents.set(hand, 0);
        intents.commit();
        hands.closed(hand);
        locks.release(record);
    }
    function find(`,
    `        intents.commit();
        hands.close(hand);
        locks.release(record);
    }
    function find(`,
    shared,
    { kill, preemptions: 0 },
  ],
  [
    'uma/kegs.js',
    'a slab that goes back is not counted any more',
    'keg.itemsPerSlab | backends.markOf(keg)',
    'keg.itemsPerSlab',
    shared,
    { preemptions: 0 },
  ],
  [
    'machine/threads.js',
    'who is asked is asked once',
    `        const request = (add(at + ASKED, 1) + 1) | 0;
        // Taken between the two, it may be answered without having been counted: it is asked once more.
        ask(other, attention);`,
    '        const request = (add(at + ASKED, 1) + 1) | 0;',
    asked,
  ],
  [
    'uma/reclaim.js',
    'what is asked is looked at before it is taken',
    `            const asked = threads.takeAttention();
            if ((asked & Attention.PAGES) !== 0)
                waiting.hearRing();
            if ((asked & Attention.RECLAIM) !== 0) {
                // Looked at between taking the bit and doing it: what was counted by now is done then.
                const until = threads.askedUntilNow();`,
    `            const until = threads.askedUntilNow();
            const asked = threads.takeAttention();
            if ((asked & Attention.RECLAIM) !== 0) {`,
    asked,
  ],
  [
    'uma/reclaim.js',
    'it is said to be done before it is',
    `                settle();
                pages.lowMemory.relieve(Math.max(1, wantedByOthers()), settle);
                threads.answered(until);`,
    `                threads.answered(until);
                settle();
                pages.lowMemory.relieve(Math.max(1, wantedByOthers()), settle);`,
    answered,
    { preemptions: 2 },
  ],
];
