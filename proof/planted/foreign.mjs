// Planted in kegs over foreign memory. Entries: see bugs.mjs.

import { kill } from './names.mjs';

const drains = 'a foreign keg: both take, give and drain';

export const foreignBugs = [
  [
    'uma/foreign-kegs.js',
    'a run that is in keg and hand stays in the hand',
    '                words[hand] = 0;',
    '                ;',
    drains,
    { kill, preemptions: 0 },
  ],
  [
    'uma/foreign-kegs.js',
    'a run leaves its keg before a hand has it',
    `            hand = hands.open(HandKind.FOREIGN, number, run << 2, headers.number, 0);
            unlinkLocked(record, run);`,
    `            unlinkLocked(record, run);
            hand = hands.open(HandKind.FOREIGN, number, run << 2, headers.number, 0);`,
    drains,
    { kill, preemptions: 0 },
  ],
  [
    'uma/foreign-kegs.js',
    'the tree of runs is not made anew',
    '        tree.rebuild(record + ROOT, runs);',
    '',
    drains,
    { kill, preemptions: 0 },
  ],
  [
    'uma/foreign-kegs.js',
    'an empty run is looked for before the lock is taken',
    `        locks.acquire(record, LockRank.KEG);
        let hand = 0;
        let run = 0;
        try {
            run = findEmpty(record);`,
    `        let hand = 0;
        let run = findEmpty(record);
        locks.acquire(record, LockRank.KEG);
        try {`,
    drains,
    { preemptions: 1 },
  ],
  [
    'uma/foreign-kegs.js',
    'a hand lets go of a run before its keg has it',
    `                    insertLocked(record, run);
                    hands.close(hand);`,
    `                    hands.close(hand);
                    insertLocked(record, run);`,
    drains,
    { kill, preemptions: 0 },
  ],
];
