// A Worker that is to be terminated, and one that survives.

// Armed, it stops for good where a lock is to be released: with the lock held.
let armed = false;
const { compareExchange } = Atomics;
Atomics.compareExchange = (view, index, expected, replacement) => {
  if (armed && expected !== 0 && replacement === 0) {
    postMessage(memory.thread);
    for (;;);
  }
  return compareExchange(view, index, expected, replacement);
};

const loading = import('../../../dist/index.js');
const items = { name: 'items', size: 64, onOwnerDeath: 'free' };
let memory;

const tasks = {
  hold(zone) {
    take(zone);
    postMessage(memory.thread);
  },
  async lock(zone) {
    take(zone);
    // The Web Lock is asked for when the thread attaches, and given to it by an event.
    await new Promise((resolve) => setTimeout(resolve, 500));
    armed = true;
    zone.max = 1000;
  },
  detach() {
    memory.detach();
    postMessage(0);
  },
  survive(zone) {
    const counter = memory.zone({ name: 'counter', size: 16 });
    const word = counter.alloc();
    memory.words[word >> 2] = 0;
    const turn = setInterval(() => {
      for (let n = 0; n < 50; n++) {
        const item = zone.tryAlloc();
        if (item !== 0) zone.free(item);
        zone.drain();
      }
      memory.poll();
      Atomics.add(memory.words, word >> 2, 1);
    }, 1);
    addEventListener('message', () => {
      clearInterval(turn);
      counter.free(word);
      memory.detach();
    });
    postMessage(word);
  },
};

function take(zone) {
  for (let n = 0; n < 50; n++) zone.alloc();
}

addEventListener(
  'message',
  async ({ data: { handle, task, port } }) => {
    const { attachMemory } = await loading;
    memory = attachMemory(handle, port === undefined ? {} : { port });
    tasks[task](memory.zone(items));
  },
  { once: true },
);
