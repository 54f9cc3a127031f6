// Planted in uma and phys: buckets, slabs, drains. Entries: see bugs.mjs.

import { drains, elsewhere, first, full, kill, limitOfOne } from './names.mjs';

export const zonesBugs = [
  // --- zones ---
  [
    'uma/accounts.js',
    'units come back, and nobody is served',
    `            lineUpAgain(zone, waiter);
        serveWaiters(zone);`,
    '            lineUpAgain(zone, waiter);',
    limitOfOne,
  ],
  [
    'uma/accounts.js',
    'units are counted before the lock is taken',
    `        locks.acquire(record, LockRank.ZONE);
        intents.begin(record);
        intents.set(record + ITEMS_OUT, words[record + ITEMS_OUT] - words[hand + Hand.SECOND]);`,
    `        const left = words[record + ITEMS_OUT] - words[hand + Hand.SECOND];
        locks.acquire(record, LockRank.ZONE);
        intents.begin(record);
        intents.set(record + ITEMS_OUT, left);`,
    drains,
  ],
  [
    'uma/accounts.js',
    'the line of a zone is not repaired',
    '        waiting.rebuildLine(record + QUEUE);',
    '',
    limitOfOne,
    { kill, preemptions: 1 },
  ],
  [
    'uma/accounts.js',
    'the lists of a zone are not counted anew',
    `        words[record + FULL_COUNT] = full.buckets;
        words[record + CACHED_ITEMS] = full.items;`,
    '',
    drains,
    { kill, preemptions: 1 },
  ],
  [
    'uma/ladder.js',
    'a full bucket is loaded by single stores',
    `        intents.set(cache, top);
        intents.commit();
        growBuckets(zone);`,
    `        intents.commit();
        words[cache] = top;
        growBuckets(zone);`,
    full,
    { kill, preemptions: 0 },
  ],
  [
    'uma/ladder.js',
    'a filled bucket is in cache and hand',
    `            intents.set(hand, 0);
            intents.commit();
            hands.closed(hand);
            if (words[record + WAIT_COUNT]`,
    `            intents.commit();
            words[hand] = 0;
            hands.closed(hand);
            if (words[record + WAIT_COUNT]`,
    first,
    { kill, preemptions: 0 },
  ],
  [
    'uma/ladder.js',
    'units for a bucket are not in the hand',
    '        intents.set(hand + UNITS, want);',
    '',
    first,
    { kill, preemptions: 0 },
  ],
  [
    'uma/ladder.js',
    'items out are read before the lock is taken',
    `        locks.acquire(record, LockRank.ZONE);
        growBuckets(zone);
        const limit = words[record + LIMIT];
        const out = words[record + ITEMS_OUT];`,
    `        const out = words[record + ITEMS_OUT];
        locks.acquire(record, LockRank.ZONE);
        growBuckets(zone);
        const limit = words[record + LIMIT];`,
    first,
  ],
  [
    'uma/ladder.js',
    'the limit is looked at before the lock is taken',
    `        locks.acquire(record, LockRank.ZONE);
        const limit = words[record + LIMIT];
        const out = words[record + ITEMS_OUT];
        const full =`,
    `        const limit = words[record + LIMIT];
        const out = words[record + ITEMS_OUT];
        locks.acquire(record, LockRank.ZONE);
        const full =`,
    'no bucket: single items past the caches',
  ],
  [
    'uma/ladder.js',
    'an item leaves the bucket before it is owned (slow path)',
    `        own(zone, item);
        words[cache] = top - 1;
        words[top] = 0;`,
    `        words[cache] = top - 1;
        words[top] = 0;
        own(zone, item);`,
    first,
    { kill, preemptions: 0 },
  ],
  [
    'uma/ladder.js',
    'a freed item passes those who wait',
    `        const waiter = waiting.first(zone.record + QUEUE);
        if (waiter === 0 || excessOf(zone) > 0)
            return false;`,
    '        if (zone !== null) return false; let waiter;',
    'one frees what another waits for',
  ],
  [
    'uma/zone.js',
    'an item leaves the bucket before it is owned (fast path)',
    `            owners[item >>> GRANULE] = slot;
            words[cache] = top - 1;
            words[top] = 0;`,
    `            words[cache] = top - 1;
            words[top] = 0;
            owners[item >>> GRANULE] = slot;`,
    'alloc and free from loaded buckets',
    { kill, preemptions: 0 },
  ],
  [
    'uma/zone.js',
    'an item is nobody’s before it is in the bucket',
    `            words[top + 1] = item;
            words[cache] = top + 1;
            owners[item >>> GRANULE] = 0;`,
    `            owners[item >>> GRANULE] = 0;
            words[top + 1] = item;
            words[cache] = top + 1;`,
    'alloc and free from loaded buckets',
    { kill, preemptions: 0 },
  ],
  [
    'uma/drains.js',
    'a drained bucket is in cache and list',
    `            intents.set(word, dead);
            intents.commit();`,
    `            intents.commit();
            words[word] = dead;`,
    drains,
    { kill, preemptions: 0 },
  ],
  [
    'uma/drains.js',
    'a drained cache serves nobody',
    `            intents.commit();
        }
        serveWaiters(zone);`,
    `            intents.commit();
        }`,
    elsewhere,
    { preemptions: 0 },
  ],
  [
    'uma/drains.js',
    'whether there is a full bucket is looked at before the lock is taken',
    `        locks.acquire(record, LockRank.ZONE);
        const taken = words[record + CACHED_ITEMS] > keep && words[record + FULL_TOP] !== 0;`,
    `        const taken = words[record + CACHED_ITEMS] > keep && words[record + FULL_TOP] !== 0;
        locks.acquire(record, LockRank.ZONE);`,
    drains,
  ],
  [
    'uma/drains.js',
    'a bucket on its way to the keg is not in the hand',
    `            intents.set(hand + HELD, (top & ~BUCKET_MASK) << 2);
            intents.set(hand + UNITS, top & BUCKET_MASK);
            intents.set(hand + INITIALISED, top & BUCKET_MASK);
            intents.commit();`,
    `            intents.set(hand + UNITS, top & BUCKET_MASK);
            intents.set(hand + INITIALISED, top & BUCKET_MASK);
            intents.commit();
            words[hand + HELD] = (top & ~BUCKET_MASK) << 2;`,
    drains,
    { kill, preemptions: 0 },
  ],
];
