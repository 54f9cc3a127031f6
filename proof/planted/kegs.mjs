// Planted in uma and phys, continued: kegs, pages, repairs. Entries: see bugs.mjs.

import { drains, first, firstOff, goesBack, kill } from './names.mjs';

export const kegsBugs = [
  [
    'uma/kegs.js',
    'a slab leaves its keg before a hand has it',
    `            removeSlabLocked(keg, slab);
            locks.release(record);
            unmakeSlab`,
    `            words[hand] = 0;
            removeSlabLocked(keg, slab);
            words[hand] = (keg.number << 4) | HandKind.SLAB;
            locks.release(record);
            unmakeSlab`,
    goesBack,
    { kill, preemptions: 0 },
  ],
  [
    'uma/kegs.js',
    'a keg is let go before its slab is out',
    `            removeSlabLocked(keg, slab);
            locks.release(record);`,
    `            locks.release(record);
            removeSlabLocked(keg, slab);`,
    goesBack,
  ],
  [
    'uma/kegs.js',
    'a hand lets go of a slab before its keg has it',
    `            addSlabLocked(keg, slabInHand(keg, hand));
            hands.close(hand);`,
    `            hands.close(hand);
            addSlabLocked(keg, slabInHand(keg, hand));`,
    first,
    { kill, preemptions: 0 },
  ],
  [
    'uma/kegs.js',
    'a slot is cleared before its item is back',
    `            if (!slabs.giveItem(record, slabOf(item), itemSize, itemsPerSlab, item))
                throw damagedLocked(keg, slabOf(item));
            words[slot + index] = 0;`,
    `            words[slot + index] = 0;
            if (!slabs.giveItem(record, slabOf(item), itemSize, itemsPerSlab, item))
                throw damagedLocked(keg, slabOf(item));`,
    drains,
    { kill, preemptions: 0 },
  ],
  [
    'uma/kegs.js',
    'the map forgets a run that is another’s already',
    '            unmakeSlab(keg, hand, errors);',
    `            const first = words[hand + 1];
            unmakeSlab(keg, hand, errors);
            pageKegs.fill(0, first, first + keg.pagesPerSlab);`,
    goesBack,
  ],
  [
    'uma/slabs.js',
    'an item leaves its slab before it is anywhere',
    '            let bits = words[word];',
    `            let bits = words[word];
                words[word] = bits & (bits - 1);`,
    first,
    { kill, preemptions: 0 },
  ],
  [
    'uma/keg-repair.js',
    'an item that is in slab and hand stays in the hand',
    '            words[word] = 0;',
    '            ;',
    first,
    { kill, preemptions: 0 },
  ],
  [
    'uma/keg-repair.js',
    'a slab that was going stays in the page map',
    '            pageKegs[page] = 0;',
    '            ;',
    goesBack,
    { kill, preemptions: 0 },
  ],
  [
    'uma/keg-repair.js',
    'the lists of a keg are not made anew',
    `        });
        rebuild(keg);`,
    '        });',
    first,
    { kill, preemptions: 0 },
  ],
  [
    'uma/keg-repair.js',
    'a slab that is in keg and hand stays in the hand',
    '            words[hand + KIND] = 0;',
    '            ;',
    first,
    { kill, preemptions: 0 },
  ],
  [
    'phys/runs.js',
    'a run is used before it is in the hand',
    `        if (held !== 0)
            words[held] = page;
        words[record + STATE] = use; // from here on the run is used`,
    `        words[record + STATE] = use;
        if (held !== 0)
            words[held] = page;`,
    'slabs come and go',
    { kill, preemptions: 0 },
  ],
  [
    'phys/pages.js',
    'a run leaves the hand before it is free',
    `            runs.runToBlocks(page, count);
            if (held !== 0)
                words[held] = 0;`,
    `            if (held !== 0)
                words[held] = 0;
            runs.runToBlocks(page, count);`,
    'slabs come and go',
    { kill, preemptions: 0 },
  ],
  [
    'phys/pages.js',
    'blocks are not made anew',
    '        runs.rebuild();\n',
    '',
    first,
    { kill, preemptions: 0 },
  ],
  [
    'phys/pages.js',
    'a run that is free stays in the hand',
    '        settleHandsLocked();\n',
    '',
    first,
    { kill, preemptions: 0 },
  ],
  [
    'phys/pages.js',
    'the blocks are looked at before the lock is taken',
    `        acquire(LOCK, rank);
        try {
            floats[REQUESTS] = floats[REQUESTS] + 1;
            const isHopeless = forbidden || count > pageCount || alignment > pageCount;
            const page = isHopeless ? 0 : runs.findPlace(count, alignment, pageClass);`,
    `        const isHopeless = forbidden || count > pageCount || alignment > pageCount;
        const page = isHopeless ? 0 : runs.findPlace(count, alignment, pageClass);
        acquire(LOCK, rank);
        try {
            floats[REQUESTS] = floats[REQUESTS] + 1;`,
    firstOff,
  ],
  [
    'uma/registry.js',
    'a zone is looked for before the registry is locked',
    `        open: (given, options) => locked(() => {
            const known = findByName(options.name);`,
    `        open: (given, options, known = findByName(options.name)) => locked(() => {`,
    'both open the same new zone',
  ],
  [
    'uma/kegs.js',
    'the run of an unmade slab still is its keg’s',
    '        pageKegs.fill(0, page, page + pagesPerSlab);\n',
    '',
    goesBack,
    { kill },
  ],
];
