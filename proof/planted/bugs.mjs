// The bugs that are planted. Each replaces one text of the compiled code, which must be there exactly once: a
// change of the source that touches it is told, and the bug is to be planted anew. `file` is in dist/.

const kill = { everyStoreOfFills: false };

const drains = 'both drain and trim';
const carries = 'ring: it carries items';
const first = 'the first slab, header in line';
const firstOff = 'the first slab, header off the page';
const full = 'full buckets of the zone';
const goesBack = 'a slab goes back while the other wants it';
const limitOfOne = 'a limit of one, and two who sleep for it';
const bothFull = 'a free that finds both buckets full';
const cleanUp = 'two clean up after a third';
const elsewhere = 'an item on its way to one who is drained';

/** [file, name, find, replace, scenario, options] */
const list = [
  // --- locks, waiting, intents, hands ---
  [
    'machine/locks.js',
    'a lock is taken by a load and a store',
    `        if (compareExchange(lock, 0, mine) !== 0)
            acquireSlow(lock);`,
    `        if (load(lock) !== 0)
            acquireSlow(lock);
        else
            store(lock, mine);`,
    'ring: two putters',
  ],
  [
    'machine/locks.js',
    'who slept takes the lock without the bit for the others',
    'compareExchange(lock, 0, mine | CONTENDED) === 0',
    'compareExchange(lock, 0, mine) === 0',
    'ring: three putters',
  ],
  [
    'machine/locks.js',
    'a release wakes nobody',
    '            notify(lock, 1);',
    '            ;',
    'ring: two putters',
  ],
  [
    'machine/locks.js',
    'a release overlooks who sleeps',
    `        if (compareExchange(lock, mine, 0) !== mine)
            releaseSlow(lock);`,
    '        store(lock, 0);',
    'ring: two putters',
  ],
  [
    'machine/locks.js',
    'what a lock of a dead thread guards is not repaired',
    '            repairer.repair(lock);',
    '            ;',
    limitOfOne,
    { kill, preemptions: 1 },
  ],
  [
    'machine/locks.js',
    'two take over the same lock',
    `        if (compareExchange(lock, word, mine | CONTENDED) !== word)
            return false;`,
    '        store(lock, mine | CONTENDED);',
    'ring: three putters',
    { kill: { threads: [0], deaths: 'at once' } },
  ],
  [
    'machine/locks.js',
    'a dead owner of a lock is waited for',
    'return threads.lives(owner, word >>> GENERATION_SHIFT);',
    'return true;',
    'ring: two putters',
    { kill },
  ],
  [
    'machine/waiting.js',
    'granted, and not woken',
    '                wakeGranted();',
    '                ;',
    limitOfOne,
  ],
  [
    'machine/waiting.js',
    'a waiter is granted before its gift is written',
    `            words[waiter + GRANT] = gift;
            store(waiter + STATE, GRANTED);`,
    `            store(waiter + STATE, GRANTED);
            words[waiter + GRANT] = gift;`,
    limitOfOne,
    { prune: false },
  ],
  [
    'machine/waiting.js',
    'the end of a line is not made anew',
    `            words[queue + TAIL] = previous;
            words[queue + COUNT] = count;`,
    '            words[queue + COUNT] = count;',
    limitOfOne,
    { kill, preemptions: 1 },
  ],
  [
    'machine/waiting.js',
    'a sleeper does not look again',
    '            wait(waiter + STATE, WAITING,',
    '            wait(waiter + STATE, load(waiter + STATE),',
    limitOfOne,
  ],
  [
    'machine/intents.js',
    'the ticket of a waiter is not compared',
    ` &&
            words[waiter + WAITER_TICKET] === words[operands + TICKET]);`,
    ');',
    'granted, and waiting elsewhere',
    { kill: { threads: [0], deaths: 'at once' }, preemptions: 1 },
  ],
  [
    'machine/intents.js',
    'what the dead have begun is not finished',
    'if (words[intent] === 0 || words[operands + LOCK] !== lock)',
    'if (lock !== -1)',
    bothFull,
    { kill, preemptions: 1 },
  ],
  [
    'machine/intents.js',
    'an intent is armed when it has been applied',
    `            words[self + INTENT] = (((next - firstPair) >> 1) << KIND_BITS) | Kind.WRITE;
            apply(firstPair, next);`,
    `            apply(firstPair, next);
            words[self + INTENT] = (((next - firstPair) >> 1) << KIND_BITS) | Kind.WRITE;`,
    bothFull,
    { kill, preemptions: 1 },
  ],
  [
    'machine/intents.js',
    'a grant is disarmed before it is made',
    `            waiting.grant(queue, waiter, gift);
            words[self + INTENT] = 0;`,
    `            words[self + INTENT] = 0;
            waiting.grant(queue, waiter, gift);`,
    limitOfOne,
    { kill, preemptions: 1 },
  ],
  [
    'machine/intents.js',
    'an intent is armed before it is written down',
    `            words[mine + WAITER] = waiter;
            words[mine + TICKET] = words[waiter + WAITER_TICKET];`,
    `            words[self + INTENT] = (((next - firstPair) >> 1) << KIND_BITS) | Kind.GRANT;
            words[mine + WAITER] = waiter;
            words[mine + TICKET] = words[waiter + WAITER_TICKET];`,
    limitOfOne,
    { kill, preemptions: 1 },
  ],
  [
    'machine/hands.js',
    'a hand is opened before it says what it holds',
    `            words[hand + Hand.HELD] = held;
            words[hand + Hand.SECOND] = second;
            words[hand + Hand.THIRD] = third;
            words[hand] = (number << KIND_BITS) | kind;`,
    `            words[hand] = (number << KIND_BITS) | kind;
            words[hand + Hand.HELD] = held;
            words[hand + Hand.SECOND] = second;
            words[hand + Hand.THIRD] = third;`,
    drains,
    { kill, preemptions: 1 },
  ],
  // --- threads ---
  [
    'machine/threads.js',
    'two threads claim the same slot',
    `compareExchange(at + AGENT, 0, agent) !== 0)
                continue;`,
    `load(at + AGENT) !== 0)
                continue;
            store(at + AGENT, agent);`,
    'two attach',
  ],
  [
    'machine/threads.js',
    'two clean up after the same thread',
    `                if (compareExchange(at, state, claimed) === state)
                    return other;`,
    `                store(at, claimed);
                return other;`,
    cleanUp,
  ],
  [
    'machine/threads.js',
    'nobody is asked to clean up',
    '                ask(each, Attention.REAP);',
    '                ;',
    'one waits for what a thread has that dies',
    { kill: { threads: [1] } },
  ],
  [
    'machine/threads.js',
    'who is asked is not woken',
    `        if (sleepingOn !== 0)
            notify(sleepingOn, 1);`,
    '',
    elsewhere,
    { preemptions: 0 },
  ],
  // --- zones ---
  [
    'uma/accounts.js',
    'units come back, and nobody is served',
    `        hands.closed(hand);
        serveWaiters(zone);`,
    '        hands.closed(hand);',
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
    `        words[record + FULL_COUNT] = buckets;
        words[record + CACHED_ITEMS] = items;`,
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
        const capacity = capacityOf(zone);
        const limit = words[record + LIMIT];
        const out = words[record + ITEMS_OUT];`,
    `        const out = words[record + ITEMS_OUT];
        locks.acquire(record, LockRank.ZONE);
        growBuckets(zone);
        const capacity = capacityOf(zone);
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
        const taken = words[record + CACHED_ITEMS] > keep;`,
    `        const taken = words[record + CACHED_ITEMS] > keep;
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
    `            pageKegs.fill(0, page, page + keg.pagesPerSlab);
            pages.setObject(page, keg.pagesPerSlab, 0);
        }
        const header = words[hand + HEADER];
        if (header !== 0)
            giveItem(byNumber(keg.headerKeg), header, hand + HEADER);
        if (page !== 0)
            pages.freeRun(page, keg.pagesPerSlab, hand + HELD);`,
    `        }
        const header = words[hand + HEADER];
        if (header !== 0)
            giveItem(byNumber(keg.headerKeg), header, hand + HEADER);
        if (page !== 0) {
            pages.freeRun(page, keg.pagesPerSlab, hand + HELD);
            pageKegs.fill(0, page, page + keg.pagesPerSlab);
        }`,
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
    'phys/pages.js',
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
    `            runToBlocks(page, count);
            if (held !== 0)
                words[held] = 0;`,
    `            if (held !== 0)
                words[held] = 0;
            runToBlocks(page, count);`,
    'slabs come and go',
    { kill, preemptions: 0 },
  ],
  [
    'phys/pages.js',
    'blocks are not made anew',
    `        rebuildLocked();
        settleHandsLocked();`,
    '        settleHandsLocked();',
    first,
    { kill, preemptions: 0 },
  ],
  [
    'phys/pages.js',
    'a run that is free stays in the hand',
    `        rebuildLocked();
        settleHandsLocked();`,
    '        rebuildLocked();',
    first,
    { kill, preemptions: 0 },
  ],
  [
    'phys/pages.js',
    'the blocks are looked at before the lock is taken',
    `        acquire(LOCK, rank);
        floats[REQUESTS] = floats[REQUESTS] + 1;
        const mask = words[NON_EMPTY] & (-1 << order);`,
    `        const mask = words[NON_EMPTY] & (-1 << order);
        acquire(LOCK, rank);
        floats[REQUESTS] = floats[REQUESTS] + 1;`,
    firstOff,
  ],
  [
    'uma/uma.js',
    'a zone is looked for before the registry is locked',
    `        locks.acquire(state + UmaState.lock, LockRank.REGISTRY);
        let number = 0;
        try {
            number = findByName(options.name);
            if (number === 0)
                number = writeZone(options, given.maxBucket === true);
            else
                checkAgreement(number, options);
        }
        finally {
            locks.release(state + UmaState.lock);
        }`,
    `        let number = 0;
        try {
            number = findByName(options.name);
            locks.acquire(state + UmaState.lock, LockRank.REGISTRY);
            if (number === 0)
                number = writeZone(options, given.maxBucket === true);
            else
                checkAgreement(number, options);
        }
        finally {
            locks.release(state + UmaState.lock);
        }`,
    'both open the same new zone',
  ],
  // --- sleepers ---
  [
    'uma/sleepers.js',
    'who gives up does not look again under the lock',
    `        locks.acquire(zone.record, LockRank.ZONE);
        const granted = waiting.isGranted(waiter);`,
    `        const granted = waiting.isGranted(waiter);
        locks.acquire(zone.record, LockRank.ZONE);`,
    'a sleeper that gives up',
  ],
  [
    'uma/sleepers.js',
    'a raised limit serves nobody',
    `        accounts.serveWaiters(zone);
        const excess`,
    '        const excess',
    'a limit that is raised while somebody sleeps',
    { slicesMayHelp: false },
  ],
  [
    'uma/sleepers.js',
    'others are not asked for what they cache',
    `        waiting.unlock(locks, zone.record);
        askAllToDrain(threads);`,
    '        waiting.unlock(locks, zone.record);',
    elsewhere,
    { preemptions: 0 },
  ],
  [
    'uma/sleepers.js',
    'a unit is taken before a hand has it',
    `        const hand = hands.open(HandKind.ITEM, zone.number, 0, 1, waiter);
        waiting.takeGrant(waiter);`,
    `        waiting.takeGrant(waiter);
        const hand = hands.open(HandKind.ITEM, zone.number, 0, 1, waiter);`,
    limitOfOne,
    { kill, preemptions: 1 },
  ],
  [
    'uma/sleepers.js',
    'others go on caching while somebody waits',
    `        accounts.closeCaches(zone);
        accounts.serveWaiters(zone);
        waiting.unlock`,
    `        accounts.serveWaiters(zone);
        waiting.unlock`,
    'one frees what another waits for',
  ],
  // --- reaper ---
  [
    'uma/reaper.js',
    'gifts of the dead are left',
    '                    returnGift(waiter);',
    '                    ;',
    limitOfOne,
    { kill, preemptions: 1 },
  ],
  [
    'uma/reaper.js',
    'hands of the dead are left',
    '            emptyHands(slot, errors);',
    '',
    first,
    { kill, preemptions: 0 },
  ],
  [
    'uma/reaper.js',
    'caches of the dead are left',
    '                drainCache(zone, slot);',
    '                ;',
    drains,
    { kill, preemptions: 0 },
  ],
  [
    'uma/reaper.js',
    'a unit is in hand and waiter',
    '!goesBack && waiter !== 0 && load(waiter + Waiter.state) === WaiterState.GRANTED',
    'false',
    limitOfOne,
    { kill, preemptions: 1 },
  ],
  [
    'uma/reaper.js',
    'items on their way through a ring are freed',
    '                letGo(keg, items, slot);',
    '                ;',
    carries,
    { kill, preemptions: 1 },
  ],
  [
    'reaping.js',
    'locks of the dead are left',
    'if (threads.isDead(each))\n                locks.takeOverAll(each);',
    ';',
    first,
    { kill, preemptions: 0 },
  ],
  // --- rings ---
  [
    'ring/words.js',
    'the tail moves before the word is there',
    `        words[words[ring + SLOTS] + (tail & words[ring + MASK])] = word;
        store(ring + TAIL, (tail + 1) | 0);`,
    `        store(ring + TAIL, (tail + 1) | 0);
        words[words[ring + SLOTS] + (tail & words[ring + MASK])] = word;`,
    'ring: one puts, one takes',
    { prune: false },
  ],
  [
    'ring/words.js',
    'a put overlooks who waits',
    `        if (load(ring + TAKERS_WAITING) !== 0)
            settlePut(ring);
        return 1;`,
    '        return 1;',
    'ring: a taker that sleeps',
    { slicesMayHelp: false },
  ],
  [
    'ring/words.js',
    'a put looks who waits before its word is there',
    `        words[words[ring + SLOTS] + (tail & words[ring + MASK])] = word;
        store(ring + TAIL, (tail + 1) | 0);
        unlock(ring + PUT_LOCK);
        if (load(ring + TAKERS_WAITING) !== 0)`,
    `        const takers = load(ring + TAKERS_WAITING);
        words[words[ring + SLOTS] + (tail & words[ring + MASK])] = word;
        store(ring + TAIL, (tail + 1) | 0);
        unlock(ring + PUT_LOCK);
        if (takers !== 0)`,
    'ring: a taker that sleeps',
    { slicesMayHelp: false },
  ],
  [
    'ring/words.js',
    'the head is read before the lock is taken',
    `        acquire(ring + TAKE_LOCK, RANK);
        let head = words[ring + HEAD];
        if (head`,
    `        let head = words[ring + HEAD];
        acquire(ring + TAKE_LOCK, RANK);
        if (head`,
    'ring: two takers',
  ],
  [
    'ring/words.js',
    'an item leaves the ring before it is its taker’s',
    `            carry(ring, word);
        store(ring + HEAD, (head + 1) | 0);`,
    `            ;
        store(ring + HEAD, (head + 1) | 0);
        carry(ring, word);`,
    carries,
    { kill, preemptions: 1 },
  ],
  [
    'ring/line.js',
    'who waits is published when the ring was looked at',
    `        store(ring + end.waiting, words[queue + COUNT]);
        const served = end.serveLocked(ring);`,
    '        const served = end.serveLocked(ring);',
    'ring: a taker that sleeps',
    { slicesMayHelp: false },
  ],
  [
    'ring/line.js',
    'who gives up does not look again under the lock (ring)',
    `        const granted = waiting.isGranted(waiter);
        if (!granted) {`,
    `        const granted = false;
        if (!granted) {`,
    'ring: a taker that gives up',
  ],
  [
    'ring/hand-over.js',
    'a word is handed over before the head moves',
    `                intents.set(ring + HEAD, head);
                intents.commitGrant(queue, waiter, word, 0);`,
    `                intents.commitGrant(queue, waiter, word, 0);
                store(ring + HEAD, head);`,
    'ring: three, and two of them take',
    { kill: { threads: [0] }, preemptions: 1 },
  ],
  [
    'ring/hand-over.js',
    'whether the ring is closed is looked at after the tail',
    `        const closed = load(ring + CLOSED) !== 0;
        const tail = load(ring + TAIL);`,
    `        const tail = load(ring + TAIL);
        const closed = load(ring + CLOSED) !== 0;`,
    'ring: the last word before it is closed',
  ],
  [
    'ring/hand-over.js',
    'closing serves no taker',
    `        unlock(ring + PUT_LOCK);
        serveTakers(ring);`,
    '        unlock(ring + PUT_LOCK);',
    'ring: closed while one sleeps',
    { slicesMayHelp: false },
  ],
  [
    'ring/repair.js',
    'a hand-over of the dead is not finished',
    '                intents.finish(slot, lock);',
    '                ;',
    'ring: three, and two of them take',
    { kill: { threads: [0] }, preemptions: 1 },
  ],
  [
    'ring/registry.js',
    'a ring is counted before it has a name',
    `        writeText(words, ring + Ring.name, RING_NAME_WORDS, name);
        store(ring + Ring.state, RingState.OPEN);
        store(registry + RingRegistry.count, index + 1);`,
    `        store(ring + Ring.state, RingState.OPEN);
        store(registry + RingRegistry.count, index + 1);
        writeText(words, ring + Ring.name, RING_NAME_WORDS, name);`,
    'both open the same new ring',
    { kill, preemptions: 0 },
  ],
];

export const bugs = list.map(([file, name, find, replace, scenario, options = {}]) => ({
  name,
  file,
  find,
  replace,
  scenario,
  options,
}));
