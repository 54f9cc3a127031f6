// Planted in the guard: quarantine, hands, the end of a run. Entries: see bugs.mjs.

import { kill } from './names.mjs';

const both = 'guarded: both take one and free it';
const leave = 'guarded: two frees, and the oldest leave';
const ends = 'guarded: one frees while the other ends the quarantine';

export const guardsBugs = [
  [
    'uma/guard.js',
    'a freed item is let go before it stands in quarantine',
    `        intents.set(hand + HELD, 0);
        intents.set(hand + RECORD, 0);
        intents.commit();`,
    `        words[hand + HELD] = 0;
        words[hand + RECORD] = 0;
        intents.commit();`,
    both,
    { kill, preemptions: 0 },
  ],
  [
    'uma/guard.js',
    'what leaves the quarantine is looked for before the lock is taken',
    `        locks.acquire(lock, LockRank.GUARD);
        const record = read(guard + FIRST);`,
    `        const record = read(guard + FIRST);
        locks.acquire(lock, LockRank.GUARD);`,
    leave,
  ],
  [
    'uma/guard.js',
    'the end of the quarantine is not in the same step',
    '        intents.set(guard + LAST, record);',
    '        words[guard + LAST] = record;',
    both,
    { kill, preemptions: 0 },
  ],
  [
    'uma/guard.js',
    'the map forgets a guarded run that is another’s already',
    `            setMap(0, page, count);
            pages.setObject(page, count, 0);
        }
        if (record !== 0)
            kegs.giveItem(headerKeg(), record << 2, hand + RECORD);
        if (page !== 0)
            pages.freeRun(page, count, hand + HELD);`,
    `        }
        if (record !== 0)
            kegs.giveItem(headerKeg(), record << 2, hand + RECORD);
        if (page !== 0)
            pages.freeRun(page, count, hand + HELD);
        if (page !== 0)
            setMap(0, page, count);`,
    ends,
    { preemptions: 1 },
  ],
  [
    'uma/guard.js',
    'who cleans up looks at records that others are about to give back',
    `            locks.acquire(lock, LockRank.GUARD);
            try {
                const record = pageKegs[page] === GUARDED_PAGE ? pages.objectOf(page) : 0;
                if (record !== 0 && read(record + FIRST_PAGE) === page)
                    look(record);
            }
            finally {
                locks.release(lock);
            }`,
    `            const record = pages.objectOf(page);
            if (record !== 0 && read(record + FIRST_PAGE) === page)
                look(record);`,
    both,
    { preemptions: 0, kill, third: true, prune: false },
  ],
  [
    'uma/guard.js',
    'a guarded item is in no hand before it is in use',
    `        owners[item >>> GRANULE_SHIFT] = slot;
        store((read(hand + RECORD) >>> 2) + STATE, GuardedState.IN_USE);
        hands.close(hand);`,
    `        const record = read(hand + RECORD) >>> 2;
        hands.close(hand);
        owners[item >>> GRANULE_SHIFT] = slot;
        store(record + STATE, GuardedState.IN_USE);`,
    both,
    { kill, preemptions: 0 },
  ],
  [
    'uma/guard-reaper.js',
    'what a dead thread has taken out of the quarantine is thought to be in use',
    'if (state === GuardedState.BUILDING || state === GuardedState.LEAVING)',
    'if (state === GuardedState.BUILDING)',
    leave,
    { kill, preemptions: 0 },
  ],
  [
    'uma/guard.js',
    'what a dead thread was in the middle of is not finished in the quarantine',
    '    locks.onTakeOver(lock, lock + 1, LockRank.GUARD, () => intents.finishOfDead(lock));',
    '    locks.onTakeOver(lock, lock + 1, LockRank.GUARD, () => { });',
    both,
    { kill, preemptions: 0 },
  ],
  [
    'phys/pages.js',
    'a guarded run that was about to be taken is thought to be in hand',
    'HandKind.RUN, HandKind.GUARD, HandKind.LARGE_BLOCK',
    'HandKind.RUN, HandKind.LARGE_BLOCK',
    both,
    { kill, preemptions: 0 },
  ],
];
