// Planted in uma: reference counters. Entries: see bugs.mjs.

import { kill } from './names.mjs';

const more = 'references: one holds once more while the others drop';
const all = 'references: all drop';
const meets = 'references: the owner dropped and died, and the last drop meets the cleaning up';

export const countersBugs = [
  [
    'uma/counters.js',
    'a reference is added without an exchange',
    'const seen = compareExchange(counter, word, word + 1);',
    'const seen = load(counter); if (seen === word) store(counter, word + 1);',
    more,
  ],
  [
    'uma/counters.js',
    'a reference is given up without an exchange',
    'const seen = compareExchange(counter, word, less(word, gone));',
    'const seen = load(counter); if (seen === word) store(counter, less(word, gone));',
    all,
  ],
  [
    'uma/counters.js',
    'an owner that gives up its reference still owns one',
    'const gone = owners[item >>> GRANULE_SHIFT] === slot ? OWNERLESS : 0;',
    'const gone = 0;',
    all,
    { kill, preemptions: 1 },
  ],
  [
    'uma/counters.js',
    'who holds once more forgets that the owner has none',
    'words[counter] = 2 | (word & OWNERLESS);',
    'words[counter] = 2;',
    more,
    { kill, preemptions: 1 },
  ],
  [
    'uma/counters.js',
    'the last reference goes before the item is this thread’s',
    `takeByte(item);
                    store(counter, 0);`,
    `store(counter, 0);
                    takeByte(item);`,
    all,
    { kill, preemptions: 1 },
  ],
  [
    'uma/counters.js',
    'a count that comes down to 1 does not say so',
    '(left === 1 ? SHARED : 0)',
    '0',
    'references: the last sees what the others wrote',
    { prune: false },
  ],
  [
    'uma/counters.js',
    'what the dead had given up is given up again',
    'if ((word & OWNERLESS) === 0) {',
    'if (word !== -1) {',
    meets,
  ],
  [
    'uma/counters.js',
    'who cleans up does not look whose the item is by now',
    `if (compareExchangeByte(byte, slot, slot) !== slot)
                        return false;`,
    '',
    meets,
  ],
  [
    'uma/counted-zone.js',
    'the only reference goes before the item is this thread’s',
    `            return;
        }
        owners[item >>> GRANULE] = slot;
        words[counter] = 0;`,
    `            return;
        }
        words[counter] = 0;
        owners[item >>> GRANULE] = slot;`,
    'references: each gives up what the other allocated',
    { kill, preemptions: 0 },
  ],
  [
    'uma/counted-zone.js',
    'an item that somebody refers to is freed',
    'if (references > 1) {',
    'if (references > 2) {',
    'references: free of the last, and refused before',
    { preemptions: 0 },
  ],
  [
    'uma/uma.js',
    'a ring hands over a reference that nobody owns',
    'counters.adopt(keg, each);',
    '',
    'references: who takes one from a ring dies with it',
    { kill, preemptions: 1 },
  ],
];
