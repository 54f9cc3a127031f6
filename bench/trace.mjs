// The suite trace: the calls of a real program, from a file, in their order, by one thread. One turn of the
// loop is the whole trace and what gives the rest back, so that every turn begins with nothing. Of each block
// the first word is written and nothing else: that is the allocator's time, not that of memory.
//
// A file is records of 12 bytes, little-endian: a number of the block (32 bits, from 1, never used again),
// its size (32), what is called (8), the thread (8), microseconds since the record before (16).
// bench/native/trace.h is the same in C.
import { readFileSync } from 'node:fs';
import { compile } from './loops.mjs';

const RECORD_BYTES = 12;
const RECORD_WORDS = RECORD_BYTES / 4;

/** What is called; 5 is memalign, whose alignment a trace does not have: it is a malloc here. */
const Call = { MALLOC: 1, FREE: 2, CALLOC: 3, REALLOC: 4, MEMALIGN: 5 };

/** So many calls lie between two looks at how many bytes are used. */
export const SAMPLE_CALLS = 64;

/** The words of a trace, the numbers that are alive at its end, and the most bytes that were alive. */
export function readTrace(file) {
  const bytes = readFileSync(file);
  if (bytes.length === 0 || bytes.length % RECORD_BYTES !== 0)
    throw new Error(`${file}: no allocation trace: its length is not a multiple of ${RECORD_BYTES}`);
  const records = new Int32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  const sizes = new Map();
  let live = 0;
  let livePeak = 0;
  let idMax = 0;
  for (let at = 0; at < records.length; at += RECORD_WORDS) {
    const id = records[at];
    const call = records[at + 2] & 255;
    const refuse = (what) => {
      throw new Error(`${file}: record ${at / RECORD_WORDS}: ${what}`);
    };
    if (call < Call.MALLOC || call > Call.MEMALIGN) refuse(`there is no call ${call}`);
    if (id < 1 || records[at + 1] < 0) refuse('numbers are from 1, and sizes below 2 GiB');
    const isAlive = sizes.has(id);
    const mustBeAlive = call === Call.FREE || call === Call.REALLOC;
    if (isAlive !== mustBeAlive) refuse(`block ${id} is ${isAlive ? 'alive' : 'not alive'}`);
    live -= sizes.get(id) ?? 0;
    if (call === Call.FREE) {
      sizes.delete(id);
    } else {
      sizes.set(id, records[at + 1]);
      live += records[at + 1];
    }
    livePeak = Math.max(livePeak, live);
    idMax = Math.max(idMax, id);
  }
  const rest = Int32Array.from(sizes.keys());
  return { records, rest, idMax, livePeak, calls: records.length / RECORD_WORDS + rest.length };
}

const PLAY = (way, each) => `
  function play() {
    for (let at = 0; at < records.length; at += ${RECORD_WORDS}) {
      const id = records[at];
      const size = records[at + 1];
      const call = records[at + 2] & 255;
      if (call === ${Call.FREE}) {
        const item = blocks[id];
        ${way.free};
      } else {
        let item = 0;
        if (call === ${Call.REALLOC}) {
          const before = blocks[id];
          item = ${way.realloc};
        } else if (call === ${Call.CALLOC}) {
          item = ${way.calloc};
        } else {
          item = ${way.alloc};
        }
        { const value = at; ${way.touch}; }
        blocks[id] = item;
      }
      ${each}
    }
  }
  function giveRest() {
    for (let i = 0; i < rest.length; i++) {
      const item = blocks[rest[i]];
      ${way.free};
    }
  }`;

const TURNS = `
  for (let turn = 0; turn < turns; turn++) {
    play();
    giveRest();
  }`;

/**
 * `way` as in loops.mjs, with expressions that have `size`; besides, `calloc`, `realloc` (of `before`), and,
 * who can tell, `used`: a function that gives the bytes in use. Plays the trace once, to see that nothing is
 * refused and how many bytes it takes; gives the loop, and these bytes.
 */
export function makeTraceLoop(file, way) {
  const { records, rest, idMax, livePeak, calls } = readTrace(file);
  const own = { records, rest, blocks: new Int32Array(idMax + 1) };
  let usedPeak = 0;
  const look = (at) => {
    const id = records[at];
    if (own.blocks[id] === 0)
      throw new Error(`${file}: record ${at / RECORD_WORDS}: there is no memory left`);
    if (way.used !== undefined && (at / RECORD_WORDS) % SAMPLE_CALLS === 0)
      usedPeak = Math.max(usedPeak, way.used());
  };
  compile(way, 'turns', TURNS, { ...own, look }, PLAY(way, 'look(at);'))(1);
  const loop = compile(way, 'turns', TURNS, own, PLAY(way, ''));
  const peaks = way.used === undefined ? { live: livePeak } : { live: livePeak, used: usedPeak };
  return { loop, itemsPerTurn: calls, peaks };
}
