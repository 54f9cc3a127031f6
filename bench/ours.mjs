// One cell of ours: node bench/ours.mjs SUITE SIZE. Prints one JSON line.
import { createMemory } from '../dist/index.js';
import { makeHandoffLoop, makeRingLoop } from './handoff.mjs';
import { makeLoop } from './loops.mjs';
import { measureLoop } from './timing.mjs';

const MEMORY_BYTES = 256 * 2 ** 20;

const slots = (count) => new Int32Array(count);
const touch = 'words[item >> 2] = value';

function zoneWay(memory, size, epoch = false) {
  return {
    names: { zone: memory.zone({ name: 'bench', size, epoch }), words: memory.words },
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
      return makeLoop(suite, zoneWay(memory, size));
  }
}

const [suite, sizeText] = process.argv.slice(2);
const { loop, itemsPerTurn } = await makeOurLoop(
  createMemory({ bytes: MEMORY_BYTES }),
  suite,
  Number(sizeText),
);
await measureLoop(loop, itemsPerTurn);
// The consumer of a cell with two threads spins until the process ends.
process.exit(0);
