// Planted in the end of zones: who may destroy one, and in which order. Entries: see bugs.mjs.

import { kill } from './names.mjs';

const both = 'both destroy the zone that both open';

export const endsBugs = [
  [
    'uma/zone-end.js',
    'a zone is destroyed that another has open',
    '        if (others.length > 0)',
    '        if (others.length > 9)',
    both,
    { preemptions: 1 },
  ],
  [
    'uma/registry.js',
    'a zone is opened that another is about to destroy',
    '                refuseIfDestroyed(known);',
    '',
    both,
  ],
  [
    'uma/reaper.js',
    'a zone keeps a destroyer who is dead',
    '            registry.forgetDestroyer(slot);',
    '',
    both,
    { kill, preemptions: 0 },
  ],
  [
    'uma/registry.js',
    'a zone has its number before it is whole',
    '        writeText(words, record + ZoneRecord.name, 12, name);',
    `        store(state + UmaState.zoneCount, number);
        store(record + ZoneRecord.number, number);
        writeText(words, record + ZoneRecord.name, 12, name);`,
    'both open the same new zone',
    { kill, preemptions: 0 },
  ],
  [
    'uma/registry.js',
    'what is half made stays',
    '        for (let number = 1; number <= Math.min(zoneCount() + 1, maxZones); number++)',
    '        for (let number = 1; number <= 0; number++)',
    both,
    { kill, preemptions: 0 },
  ],
];
