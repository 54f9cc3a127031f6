// Planted in machine: locks, waiting, intents, hands, threads. Entries: see bugs.mjs.

import { bothFull, cleanUp, drains, elsewhere, kill, limitByThree, limitOfOne } from './names.mjs';

export const machineBugs = [
  // --- locks, waiting, intents, hands ---
  [
    'machine/locks.js',
    'a lock is taken by a load and a store',
    `        if (compareExchange(lock, 0, mine) !== 0)
            acquireSlow(lock);`,
    `        if (load(lock) !== 0)
            acquireSlow(lock);
        else
            machine.atomics.store(lock, mine);`,
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
    '        machine.atomics.store(lock, 0);',
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
    '        machine.atomics.store(lock, mine | CONTENDED);',
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
    'a sleeper sleeps on what it was asked',
    '                wait(attention, 0,',
    '                wait(attention, load(attention),',
    limitOfOne,
  ],
  [
    'machine/waiting.js',
    'a sleeper does not look whether it was granted something before its poll',
    'load(waiter + STATE) === WAITING && rings === before',
    'rings === before',
    limitOfOne,
  ],
  [
    'machine/waiting.js',
    'a sleeper that has heard a ring sleeps',
    ' && rings === before;',
    ';',
    'pages: one frees the run that the other waits for',
    { preemptions: 1 },
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
    // Whoever attaches does much now: the two stores are far from the start.
    { maxSchedules: 20_000 },
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
    'who counts the threads overwrites what another has counted since',
    'if (compareExchange(ATTACHED, before, after) === before)',
    'store(ATTACHED, after); if (true)',
    'attach and detach',
    { preemptions: 2 },
  ],
  [
    'machine/threads.js',
    'nobody is asked to clean up',
    '                ask(each, Attention.REAP);',
    '                ;',
    'one waits for what a thread has that dies',
    { kill: { threads: [1] }, preemptions: 0 },
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
  [
    'machine/intents.js',
    'a granted item has no owner yet',
    '            setOwner(mine);\n',
    '',
    limitByThree,
    { third: true, preemptions: 1, kill },
  ],
];
