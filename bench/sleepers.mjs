// The cell of a zone at its limit: the one item that it may have goes round three threads, so that two sleep
// for it. The second and the third are consumer.mjs with the role 'sleepers'.
import { startConsumer } from './handoff.mjs';

const options = { name: 'bench', size: 64, max: 1 };
const OTHERS = [2, 3];

/** Word of the control block that tells a consumer its number. */
export const SELF = 0;

// Words of the item.
const HOLDER = 0;
/** Times that the item came to another thread than the one that had it before. */
const HANDED_OVER = 1;

/** Waits for the item and hands it on. How often it has been handed over. */
function passOn(zone, words, self) {
  const item = zone.alloc();
  const word = item >> 2;
  if (words[word + HOLDER] !== self) {
    words[word + HOLDER] = self;
    words[word + HANDED_OVER]++;
  }
  const handedOver = words[word + HANDED_OVER];
  zone.free(item);
  return handedOver;
}

/** What the others do, until the process ends. */
export function passOnForEver(memory, control) {
  const self = Atomics.load(control, SELF);
  const zone = memory.zone(options);
  for (;;) passOn(zone, memory.words, self);
}

/** A turn is a hand-over, whoever has the item then. */
export async function makeSleepersLoop(memory) {
  const { words } = memory;
  const zone = memory.zone(options);
  for (const other of OTHERS) {
    await startConsumer(memory, 'sleepers', null, (control) => Atomics.store(control, SELF, other));
  }
  const loop = (turns) => {
    const begun = passOn(zone, words, 1);
    while (passOn(zone, words, 1) - begun < turns);
  };
  return { loop, itemsPerTurn: 1 };
}
