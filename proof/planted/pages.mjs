// Planted in requests for pages: floors, queues, tickets, hands, the line. Entries: see bugs.mjs.

import { kill } from './names.mjs';

const wanted = 'pages: a run is set aside, cache, and the other needs its page';
const takenBack = 'pages: two take back the same run';
const inVain = 'pages: all wait for good, and who may take every page is told of the deadlock';
const once = { kill, preemptions: 1 };
const atDeath = { kill, preemptions: 0 };

const resized = 'pages: a run is made longer and shorter, and the other takes the page behind it';

export const pagesBugs = [
  [
    'phys/runs.js',
    'a run is made longer by what is in use',
    ' || !extents.isFree(page + before, more)',
    '',
    resized,
    { preemptions: 1 },
  ],
  [
    'phys/runs.js',
    'a run is longer before its new pages are its own',
    'takePages(page + before, more);',
    'words[record + LENGTH] = count; takePages(page + before, more);',
    resized,
    { kill, preemptions: 0 },
  ],
  [
    'phys/runs.js',
    'the end of a run is free before the run is shorter',
    `words[record + LENGTH] = count; // from here on the end is free
        freePages(page + count, end);`,
    'freePages(page + count, end); words[record + LENGTH] = count;',
    resized,
    { kill, preemptions: 0 },
  ],
  [
    'phys/runs.js',
    'a normal request takes what is reserved',
    'if (left + cached < level.floorOf(pageClass))',
    'if (left + cached < 0)',
    'pages: a normal request leaves the reserves, and others find them',
    { preemptions: 1 },
  ],
  [
    'phys/pages.js',
    'who takes a run back does not look at the ticket',
    ' && words[record + TICKET] === ticket;',
    ';',
    takenBack,
    { preemptions: 1 },
  ],
  [
    'phys/pages.js',
    'a run is out of its queue before a hand has it',
    `            if (held !== 0)
                words[held] = page;
            queues.remove(record);`,
    `            queues.remove(record);
            if (held !== 0)
                words[held] = page;`,
    takenBack,
    once,
  ],
  [
    'phys/pages.js',
    'a dead thread’s hand keeps a run that is in a queue',
    'isHeld = runLength(page) !== 0 && words[recordOf(page) + QUEUE] === PageQueue.NONE;',
    'isHeld = runLength(page) !== 0;',
    wanted,
    atDeath,
  ],
  [
    'phys/runs.js',
    'a run is out of its queue before it is free',
    `        words[record + STATE] = FREE_TAIL;
        queues.remove(record);`,
    `        queues.remove(record);
        words[record + STATE] = FREE_TAIL;`,
    wanted,
    { ...once, maxSchedules: 8000 },
  ],
  [
    'phys/runs.js',
    'who takes the lock over links runs into queues that have them',
    '            queues.clear();',
    '',
    wanted,
    atDeath,
  ],
  [
    'phys/page-line.js',
    'a dead thread stays in the line of those who wait for runs',
    '            change(() => waiting.removeAllOf(queue, slot));',
    '',
    'pages: both wait for the same run',
    once,
  ],
  [
    'uma/obtaining.js',
    'who waits for pages wakes the others while it looks',
    'found === null && !isQuiet()',
    'found === null',
    inVain,
    { preemptions: 1 },
  ],
  [
    'uma/shortage.js',
    'a deadlock is told of while one sleeps for a time',
    "sleepsBefore !== '' && sleepsForGood() === sleepsBefore",
    'true',
    'pages: one frees after a time what the other waits for, who may take every page',
    { preemptions: 1 },
  ],
];
