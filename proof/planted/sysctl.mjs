// Planted in what writes limits by name. Entries: see bugs.mjs.

const raised = 'sysctl: a limit is raised from elsewhere while somebody sleeps';
const lowered = 'sysctl: a limit is lowered from elsewhere under what is cached';
const twoSides = 'sysctl: a limit goes up and down from two sides';

export const sysctlBugs = [
  [
    'uma/uma.js',
    'a limit from elsewhere is a word, and nothing more',
    'changeUnopened(zone, () => sleepers.setLimitUnopened(zone, limit));',
    'words[zone.record + ZoneRecord.limit] = limit;',
    raised,
    { slicesMayHelp: false },
  ],
  [
    'uma/sleepers.js',
    'a limit is written before the lock is taken',
    `        locks.acquire(zone.record, LockRank.ZONE);
        words[zone.record + LIMIT] = limit;`,
    `        words[zone.record + LIMIT] = limit;
        locks.acquire(zone.record, LockRank.ZONE);`,
    twoSides,
    // Only the race detector sees it, which a pruned exploration has not.
    { prune: false, preemptions: 1 },
  ],
  [
    'uma/sleepers.js',
    'a limit is lowered from elsewhere, and nobody is told',
    `        if (writeLimit(zone, limit))
            askAllToDrain(threads);`,
    '        writeLimit(zone, limit);',
    lowered,
  ],
];
