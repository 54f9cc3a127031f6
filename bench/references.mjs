// The cells of reference counters: an item's life with one reference, and references taken and dropped, by
// one thread and by two at one item. The second thread is consumer.mjs with the role 'refShared': it spins.
import { startConsumer } from './handoff.mjs';

const ITEM_BYTES = 64;

const options = { name: 'shared', size: ITEM_BYTES, referenceCounted: true };

/** Word of the control block in which the second thread finds the item. */
export const ITEM = 0;

/** An item taken, written and dropped again: its count is 1 all the time. */
function lifeLoop(zone, words) {
  return (turns) => {
    for (let turn = 0; turn < turns; turn++) {
      const item = zone.tryAlloc();
      words[item >> 2] = turn;
      zone.drop(item);
    }
  };
}

/** The reference that is taken and dropped is one besides those that the item has. */
function pairLoop(zone, item) {
  return (turns) => {
    for (let turn = 0; turn < turns; turn++) {
      zone.hold(item);
      zone.drop(item);
    }
  };
}

/** What the second thread does, until the process ends. */
export function holdAndDropForEver(memory, control) {
  const zone = memory.zone(options);
  const item = Atomics.load(control, ITEM);
  for (;;) {
    zone.hold(item);
    zone.drop(item);
  }
}

export async function makeReferencesLoop(memory, suite) {
  const zone = memory.zone(options);
  if (suite === 'refLife') return { loop: lifeLoop(zone, memory.words), itemsPerTurn: 1 };
  const item = zone.tryAlloc();
  if (suite === 'refShared') {
    zone.hold(item);
    await startConsumer(memory, suite, null, (control) => Atomics.store(control, ITEM, item));
  }
  return { loop: pairLoop(zone, item), itemsPerTurn: 1 };
}
