// The Worker's side: does what the window asks of it, one command after the other, and may block in each.

import { attachMemory } from '../../../dist/index.js';
import { equal, sumOf } from './checks.mjs';
import { fillItem, itemZone, verifyItem } from './items.mjs';

let memory = null;
let polling;

const commands = {
  attach(handle) {
    memory = attachMemory(handle);
    polling = setInterval(() => memory.poll(), 10);
    return memory.thread;
  },
  readWord: (address) => memory.words[address >> 2],
  /** Takes `count` items out of a ring, one at a time and blocking; looks at them and frees them. */
  consumeItems(count) {
    const zone = memory.zone(itemZone);
    const ring = memory.ring({ name: 'to worker', capacity: 8 });
    let sum = 0;
    for (let n = 0; n < count; n++) {
      const item = ring.take();
      sum += verifyItem(memory, item);
      zone.free(item);
    }
    return sum;
  },
  produceItems(count) {
    const zone = memory.zone(itemZone);
    const ring = memory.ring({ name: 'to window', capacity: 8 });
    for (let n = 1; n <= count; n++) ring.put(fillItem(memory, zone.alloc(), n));
  },
  /** Sends every word of one ring back through the other, until the first is closed. */
  echo(from, to, capacity) {
    const source = memory.ring({ name: from, capacity });
    const target = memory.ring({ name: to, capacity });
    const words = new Int32Array(16);
    let total = 0;
    for (let count = source.takeMany(words, 16); count !== 0; count = source.takeMany(words, 16)) {
      equal(target.putMany(words, count), count, 'words put');
      total += count;
    }
    target.close();
    return total;
  },
  async echoAsync(from, to, capacity) {
    const source = memory.ring({ name: from, capacity });
    const target = memory.ring({ name: to, capacity });
    let total = 0;
    for (let word = await source.takeAsync(); word !== 0; word = await source.takeAsync()) {
      await target.putAsync(word);
      total++;
    }
    target.close();
    return total;
  },
  /** Sum of a packet's bytes, read twice: by copying, and in place. Frees the packet. */
  sumPacket(packet) {
    const { mbufs } = memory;
    const bytes = new Uint8Array(mbufs.packetLength(packet));
    mbufs.copyOut(packet, 0, bytes.length, bytes);
    const inPlace = [];
    for (const { view, start, end } of mbufs.segments(packet)) inPlace.push(...view.subarray(start, end));
    equal(sumOf(inPlace), sumOf(bytes), 'the sum in place');
    mbufs.freeChain(packet);
    return sumOf(bytes);
  },
  makePacket(length) {
    const { mbufs } = memory;
    const packet = mbufs.getjcl(4096);
    equal(
      mbufs.append(
        packet,
        Uint8Array.from({ length }, (_, at) => at * 7),
      ),
      true,
      'append',
    );
    return packet;
  },
  /** A blocking call, and what it answered; the window sees meanwhile that it sleeps. */
  alloc: (options, timeoutMs) => memory.zone(options).alloc(0, timeoutMs),
  async allocAsync(options) {
    return memory.zone(options).allocAsync();
  },
  free: (options, item) => memory.zone(options).free(item),
  getcl: (timeoutMs) => memory.mbufs.getcl(0, timeoutMs),
  freeMbuf: (m) => memory.mbufs.freeChain(m),
  /** Takes and frees, `times` times, a few items of a zone that others want too. */
  churn(options, times) {
    const zone = memory.zone(options);
    for (let n = 0; n < times; n++) {
      const item = zone.alloc();
      memory.words[item >> 2] = memory.thread;
      const other = zone.tryAlloc();
      if (other !== 0) zone.free(other);
      if (memory.words[item >> 2] !== memory.thread) throw new Error('another thread has the same item');
      zone.free(item);
    }
  },
  detach() {
    clearInterval(polling);
    memory.detach();
  },
};

addEventListener('message', async ({ data: { call, command, values } }) => {
  try {
    postMessage({ call, value: await commands[command](...values) });
  } catch (error) {
    postMessage({ call, error: { code: error.code, name: error.name, stack: error.stack } });
  }
});
