// Planted in kegs over foreign memory. Entries: see bugs.mjs.

import { kill } from './names.mjs';

const drains = 'a foreign keg: both take, give and drain';
const destroyed = 'a foreign keg is destroyed while the other takes and gives';

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
    `            hand = hands.open(HandKind.FOREIGN, indexOf(record), run << 2, headers.number, 0);
            unlinkLocked(record, run);`,
    `            unlinkLocked(record, run);
            hand = hands.open(HandKind.FOREIGN, indexOf(record), run << 2, headers.number, 0);`,
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
    `        let run = 0;
        acquire(keg);
        try {
            run = findEmpty(record);`,
    `        let run = findEmpty(record);
        acquire(keg);
        try {`,
    drains,
    { preemptions: 1 },
  ],
  [
    'uma/foreign-kegs.js',
    'a hand lets go of a run before its keg has it',
    `            insertLocked(record, run);
            hands.close(hand);`,
    `            hands.close(hand);
            insertLocked(record, run);`,
    drains,
    { kill, preemptions: 0 },
  ],
  [
    'uma/foreign-registry.js',
    'a handle does not see that its keg is another one',
    '        if (read(record + SERIAL) === serial)',
    '        if (serial >= 0)',
    destroyed,
    { preemptions: 1 },
  ],
  [
    'uma/foreign-registry.js',
    'a keg is destroyed that has runs',
    '        if (runs !== 0)',
    '        if (runs > 9)',
    destroyed,
    { preemptions: 1 },
  ],
  [
    'uma/foreign-registry.js',
    'a keg is destroyed without its lock',
    `            acquire(keg);
            try {
                return endLocked(keg);
            }
            finally {
                locks.release(keg.record);
            }`,
    '            return endLocked(keg);',
    destroyed,
    { preemptions: 1, prune: false },
  ],
  [
    'uma/foreign-registry.js',
    'a keg that was half ended stays so',
    '            if (read(recordOf(index) + SIZE) === 0)',
    '            if (read(recordOf(index) + SIZE) === -1)',
    destroyed,
    { kill, preemptions: 0 },
  ],
  [
    'uma/foreign-kegs.js',
    'a header is made after a record that may be another one by now',
    '        const { itemsPerRun: items, runBytes } = options;',
    '        const items = read(record + PER_RUN), { runBytes } = options;',
    destroyed,
    { preemptions: 1, prune: false },
  ],
];
