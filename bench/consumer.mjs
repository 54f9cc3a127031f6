// The other thread of the cells with more than one. Of d, mallocD, ring, ring1 and ringBlocking it takes what
// handoff.mjs puts, for ever; of refShared and sleepers it does what the first one does.
import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { attachMemory } from '../dist/index.js';
import { BULK, CONSUMED, FIRST_SLOT, PUBLISHED, RING_NAME, RING_SLOTS } from './handoff.mjs';
import { holdAndDropForEver } from './references.mjs';
import { passOnForEver } from './sleepers.mjs';

const { handle, control, role, options } = workerData;
const memory = attachMemory(handle);

/** @param from the zone or the malloc type of the items */
function freeItems(from) {
  const { words } = memory;
  let taken = 0;
  let sum = 0;
  for (;;) {
    if (Atomics.load(control, PUBLISHED) === taken) continue;
    for (let i = 0; i < BULK; i++) {
      const item = control[FIRST_SLOT + ((taken + i) & (RING_SLOTS - 1))];
      sum = (sum + words[item >> 2]) | 0;
      from.free(item);
    }
    taken = (taken + BULK) | 0;
    Atomics.store(control, CONSUMED, taken);
    control[CONSUMED + 1] = sum;
  }
}

/** The progress is a plain store: only the producer's wait at the end of a repetition reads it. */
function takeBulk(ring) {
  const out = new Int32Array(BULK);
  for (let taken = 0; ; ) {
    const got = ring.tryTakeMany(out, BULK);
    if (got === 0) continue;
    taken = (taken + got) | 0;
    control[CONSUMED] = taken;
  }
}

function takeSingly(ring) {
  for (let taken = 0; ; ) {
    if (ring.tryTake() === 0) continue;
    taken = (taken + 1) | 0;
    control[CONSUMED] = taken;
  }
}

function takeBlocking(ring) {
  const out = new Int32Array(BULK);
  for (let taken = 0; ; ) {
    taken = (taken + ring.takeMany(out, BULK)) | 0;
    control[CONSUMED] = taken;
  }
}

function consume() {
  if (role === 'd') return freeItems(memory.zone(options));
  if (role === 'mallocD') return freeItems(memory.mallocType(options));
  if (role === 'refShared') return holdAndDropForEver(memory, control);
  if (role === 'sleepers') return passOnForEver(memory, control);
  const take = { ring: takeBulk, ring1: takeSingly, ringBlocking: takeBlocking }[role];
  take(memory.ring({ name: RING_NAME, capacity: RING_SLOTS }));
}

parentPort.postMessage('ready');
try {
  consume();
} catch (error) {
  // The producer spins and would never hear of it: end the whole process from here.
  writeSync(2, `${error.stack}\n`);
  process.kill(process.pid, 'SIGKILL');
}
