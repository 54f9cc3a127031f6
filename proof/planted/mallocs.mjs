// Planted in malloc: charges, hands, gifts, lines. Entries: see bugs.mjs.

import { kill } from './names.mjs';

const both = 'malloc: room for one, and both want a block';
const rises = 'malloc: the limit rises while somebody waits';
const once = { kill, preemptions: 1 };

export const mallocsBugs = [
  [
    'malloc/accounts.js',
    'room goes back with a hand whose block has been claimed',
    'if (!isWaiters && !isBlocks && read(hand + GRANULES) !== 0)',
    'if (!isWaiters && read(hand + GRANULES) !== 0)',
    'malloc: room for one of a type that follows a death',
    once,
  ],
  [
    'malloc/marks.js',
    'who frees another’s block unclaims it before it is his own',
    '                uma.owners[block >>> GRANULE_SHIFT] = threads.slot;',
    '',
    'malloc: each frees what the other took, of a type that follows a death',
    once,
  ],
  [
    'malloc/zone-set.js',
    'blocks of a type that follows a death do not say whether they are counted',
    'machine.checkLevel >= CheckLevel.TRASH || onOwnerDeath !== OwnerDeath.keep',
    'machine.checkLevel >= CheckLevel.TRASH',
    'malloc: room for one of a type that follows a death',
    once,
  ],
  [
    'malloc/accounts.js',
    'who is given room is not woken',
    `            waiting.unlock(locks, type + LOCK);
        }
    }
    function give`,
    `            locks.release(type + LOCK);
        }
    }
    function give`,
    both,
  ],
  [
    'malloc/accounts.js',
    'who gives up keeps the room that it was granted',
    `                if (waiting.isGranted(waiter))
                    returnGiftLocked(type, waiter);`,
    `                if (waiting.isGranted(waiter))
                    waiting.takeGrant(waiter);`,
    'malloc: one gives up waiting for room while it comes',
    { preemptions: 2 },
  ],
  [
    'malloc/accounts.js',
    'room is charged before the hand has it',
    '                commit(type, read(type + USED) + granules, hand + GRANULES, granules);',
    `                words[type + USED] = read(type + USED) + granules;
                words[hand + GRANULES] = granules;`,
    'malloc: room for one, and both try',
    once,
  ],
  [
    'malloc/accounts.js',
    'what a dead thread had charged for stays charged',
    `        if (!isWaiters && !isBlocks && read(hand + GRANULES) !== 0)
            give(type, read(hand + GRANULES), hand + GRANULES, 0);
        words[hand] = 0;`,
    '        words[hand] = 0;',
    'malloc: room for one, and both try',
    once,
  ],
  [
    'malloc/accounts.js',
    'what a dead waiter was granted stays granted',
    `                        if (read(waiter + Waiter.queue) === type + LINE && waiting.isGranted(waiter))
                            returnGiftLocked(type, waiter);`,
    '',
    both,
    once,
  ],
  [
    'malloc/accounts.js',
    'a hand has the room before it names the waiter',
    `            words[hand + WAITER] = waiter;
            words[hand + GRANULES] = waiting.giftOf(waiter);`,
    `            words[hand + GRANULES] = waiting.giftOf(waiter);
            words[hand + WAITER] = waiter;`,
    both,
    once,
  ],
  [
    'malloc/accounts.js',
    'a dead thread’s hands are emptied after its gifts went back',
    `            for (const hand of hands.ofSlot(slot))
                if (hands.kindOf(hand) === HandKind.CHARGE)
                    emptyHand(hand);
            for (let index`,
    '            for (let index',
    both,
    once,
  ],
  [
    'malloc/accounts.js',
    'a limit that rises serves nobody',
    `                registry.writeBounds(type);
                serveLocked(type);
            });
        },`,
    `                registry.writeBounds(type);
            });
        },`,
    rises,
  ],
  [
    'malloc/returns.js',
    'a block is free before a hand has its room',
    `block, granules, 0);
        let found;
        try {
            marks.unclaim(of, index, block);
            // From here on the room is the hand's: the block may soon be another's.
            words[hand + HELD] = 0;
            found = giveBack(of, index, block);`,
    `block, 0, 0);
        let found;
        try {
            marks.unclaim(of, index, block);
            words[hand + HELD] = 0;
            found = giveBack(of, index, block);
            words[hand + GRANULES] = granules;`,
    'malloc: room for one, and both try',
    once,
  ],
  [
    'malloc/registry.js',
    'a type is counted before it is whole',
    '        const type = at(count());\n        words[type + MallocType.cells] = cell;',
    '        const type = at(count());\n        store(COUNT, count() + 1);\n        words[type + MallocType.cells] = cell;',
    'malloc: both make the same type, and another',
    { kill, preemptions: 0 },
  ],
];
