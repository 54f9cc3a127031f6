// One cell of ours: node bench/ours.mjs SUITE SIZE. Prints one JSON line.
import { createMemory } from '../dist/index.js';
import { makeHandoffLoop, makeRingLoop } from './handoff.mjs';
import { LEVELS } from './levels.mjs';
import { makeLookupLoop } from './lookup.mjs';
import { makeLoop } from './loops.mjs';
import { makeReferencesLoop } from './references.mjs';
import { measureLoop } from './timing.mjs';

const MEMORY_BYTES = 256 * 2 ** 20;

const slots = (count) => new Int32Array(count);
const touch = 'words[item >> 2] = value';

function zoneWay(memory, size, options = {}) {
  return {
    names: { zone: memory.zone({ name: 'bench', size, ...options }), words: memory.words },
    alloc: 'zone.tryAlloc()',
    touch,
    free: 'zone.free(item)',
    allocMany: (count) => `zone.tryAllocMany(many, ${count})`,
    freeMany: (count) => `zone.freeMany(many, ${count})`,
    // In the memory itself, as README.md advises: items then never pass through JavaScript one by one.
    many(count) {
      const at = memory.zone({ name: 'arrays', size: 4096 }).alloc() >> 2;
      return memory.words.subarray(at, at + count);
    },
    slots,
  };
}

/** A read section in the place of the item. */
function sectionWay(memory) {
  return {
    names: { memory },
    alloc: 'memory.enter()',
    touch: '',
    free: 'memory.leave()',
    slots,
  };
}

/** Eight places, holding `count` zones in turn, and one loop that goes round them. */
function zonesWay(memory, size, count) {
  const zones = Array.from({ length: 8 }, (_, i) => memory.zone({ name: `bench${i % count}`, size }));
  return {
    names: { zones, words: memory.words },
    each: 'const zone = zones[turn & 7];',
    alloc: 'zone.tryAlloc()',
    touch,
    free: 'zone.free(item)',
    slots,
  };
}

/** What is touched of a packet is the first word of its data. */
function packetWay(memory) {
  return {
    names: { mbufs: memory.mbufs, words: memory.words },
    alloc: 'mbufs.tryGetcl()',
    touch: 'words[mbufs.dataOf(item) >> 2] = value',
    free: 'mbufs.free(item)',
    allocMany: (count) => `for (let i = 0; i < ${count}; i++) many[i] = mbufs.tryGetcl()`,
    freeMany: (count) => `for (let i = 0; i < ${count}; i++) mbufs.free(many[i])`,
    slots,
  };
}

function makeOurLoop(memory, suite, size) {
  switch (suite) {
    case 'd':
      return makeHandoffLoop(memory, size);
    case 'ring':
    case 'ring1':
    case 'ringBlocking':
      return makeRingLoop(memory, suite);
    case 'lookup10':
    case 'lookup1000':
    case 'lookup100000':
      return makeLookupLoop(memory, Number(suite.slice('lookup'.length)));
    case 'refLife':
    case 'refPair':
    case 'refShared':
      return makeReferencesLoop(memory, suite);
    case 'zones8':
      return makeLoop('zones8', zonesWay(memory, size, 8));
    case 'zones1':
      return makeLoop('zones8', zonesWay(memory, size, 1));
    case 'epoch':
      return makeLoop('epoch', zoneWay(memory, size, true));
    case 'section':
      return makeLoop('section', sectionWay(memory));
    case 'packet':
    case 'packet32':
      return makeLoop(suite, packetWay(memory));
    default:
      if (suite in LEVELS) return makeLoop('a', zoneWay(memory, size, LEVELS[suite].zone));
      return makeLoop(suite, zoneWay(memory, size));
  }
}

const [suite, sizeText] = process.argv.slice(2);
const { loop, itemsPerTurn } = await makeOurLoop(
  createMemory({ bytes: MEMORY_BYTES, ...LEVELS[suite]?.memory }),
  suite,
  Number(sizeText),
);
await measureLoop(loop, itemsPerTurn);
// The consumer of a cell with two threads spins until the process ends.
process.exit(0);
