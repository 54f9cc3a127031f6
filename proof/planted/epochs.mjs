// Planted in epochs and deferral: readers, tags, grace, what the dead leave. Entries: see bugs.mjs.

import { kill } from './names.mjs';

const one = 'epochs: one reads, one replaces';
const buckets = 'epochs: freed items in buckets of the threads';
const parked = 'epochs: no bucket, freed items are parked';
const limit = 'epochs: a limit of one, and two who sleep for it';

export const epochsBugs = [
  [
    'machine/epochs.js',
    'what was tagged is reused one step too early',
    'const STEPS_IN_ORDER = 2;',
    'const STEPS_IN_ORDER = 1;',
    one,
  ],
  [
    'machine/epochs.js',
    'the sequence goes on, whoever reads',
    `        if (isHeldUp(current))
            return;`,
    '',
    one,
  ],
  [
    'machine/epochs.js',
    'the readers are looked at before the sequence',
    `        const current = load(sequence);
        if (tickMs !== 0) {`,
    `        const held = isHeldUp(load(sequence));
        const current = load(sequence);
        if (!held) {
            compareExchange(sequence, current, (current + STEP) | 0);
            return;
        }
        if (tickMs !== 0) {`,
    'epochs: two let the sequence go on, one reads',
    { maxSchedules: 40_000 },
  ],
  [
    'machine/epochs.js',
    'a section is left before the last look',
    '        words[section] = words[sequence];',
    '        words[section] = 0;',
    one,
  ],
  [
    'uma/deferral.js',
    'a bucket is put away without a tag',
    '        intents.set(bucket + BUCKET_TAG, epochs.tag());\n',
    '',
    one,
  ],
  [
    'uma/deferral.js',
    'a ripe bucket is not looked at for its tag',
    'return top !== 0 && epochs.hasPassed(words[(top & ~BUCKET_MASK) + BUCKET_TAG]) ? top : 0;',
    'return top;',
    one,
  ],
  [
    'uma/deferral.js',
    'a freed bucket goes to the full list at once',
    'if (zone.epoch && cacheWord === FREED && (top & BUCKET_MASK) !== 0)',
    'if (top < 0)',
    buckets,
  ],
  [
    'uma/ladder.js',
    'the freed bucket changes places with the loaded one',
    'if (!zone.epoch && (words[cache + SPARE] & BUCKET_MASK) !== 0) {',
    'if ((words[cache + SPARE] & BUCKET_MASK) !== 0) {',
    buckets,
  ],
  [
    'uma/deferral.js',
    'a bucket is deferred by single stores',
    `        intents.set(freed, dead);
        intents.commit();
    }`,
    `        intents.commit();
        words[freed] = dead;
    }`,
    one,
    { kill, preemptions: 0 },
  ],
  [
    'uma/deferral.js',
    'the list of deferred buckets is not counted anew',
    `        words[record + BUCKETS] = buckets;
        words[record + ITEMS] = items;`,
    '',
    one,
    { kill, preemptions: 1 },
  ],
  [
    'machine/threads.js',
    'the section of a dead reader stays',
    'words.fill(0, at + INTENT + 1, at + SLOT_WORDS);',
    'words.fill(0, at + INTENT + 1, at + ThreadSlot.section);',
    one,
    { kill, preemptions: 1 },
  ],
  [
    'uma/parking.js',
    'a parked item is not asked for its tag',
    'if (tag === 0 || !epochs.hasPassed(tag))',
    'if (tag === 0)',
    parked,
  ],
  [
    'uma/parking.js',
    'an item that a dead thread was parking stays its own',
    'owners[item >>> GRANULE_SHIFT] = 0;\n                return false;',
    'return false;',
    parked,
    { kill, preemptions: 0 },
  ],
  [
    'uma/parking.js',
    'what a dead thread takes from the parked is parked still',
    'owners[markOf(item)] = 0;\n            });',
    ';\n            });',
    parked,
    { kill, preemptions: 1 },
  ],
  [
    'uma/sleepers.js',
    'who sleeps at the limit never looks for what is ripe',
    'if (deferral.ripen(zone) && waiting.isGranted(waiter))',
    'if (waiting.isGranted(waiter))',
    limit,
  ],
];
