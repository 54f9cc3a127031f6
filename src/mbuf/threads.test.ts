/** Real Workers: reference counts, and clusters that run out. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { publishMachine } from '../machine/index.js';
import type { Addr } from '../record/index.js';
import { Mbuf } from './index.js';
import { makeMailboxWords, openMailbox } from './mailbox.test.kit.js';
import { assertClean, assertNothingUsed, type Kit, makeKit, must } from './mbuf.test.kit.js';
import { END, type Task } from './threads.test.worker.js';

function startWorker(kit: Kit, task: Omit<Task, 'handle'>): Promise<number> {
  publishMachine(kit.machine);
  const file = new URL('./threads.test.worker.js', import.meta.url);
  const worker = new Worker(file, { workerData: { ...task, handle: kit.machine.handle } });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

function fillCookie({ words, bytes, mbufs }: Kit, m: Addr, cookie: number): void {
  const data = mbufs.dataOf(m);
  mbufs.setLength(m, 16);
  words[(m >> 2) + Mbuf.user0] = cookie;
  for (let byte = 0; byte < 16; byte++) bytes[data + byte] = (cookie + byte) & 255;
}

describe('threads', () => {
  for (const wasm of [true, false]) {
    for (const checkLevel of [0, 2, 3] as const) {
      it(`share buffers, and the last one frees them (wasm ${wasm}, check level ${checkLevel})`, async () => {
        const kit = makeKit({ pageCount: 2048, checkLevel, wasm });
        const { mbufs } = kit;
        mbufs.registerFree('note', (address) => {
          Atomics.add(kit.words, (address >> 2) + 8, 1);
        });
        const zone = kit.context.uma.zone({ name: 'external', size: 64 });
        const externals: Addr[] = [];
        const mailbox = makeMailboxWords(2000);
        const box = openMailbox(mailbox);
        for (let cookie = 1; cookie <= 60; cookie++) {
          let m: Addr;
          if (cookie % 5 === 0) {
            m = must(mbufs.tryGethdr());
            const address = must(zone.tryAlloc());
            kit.words[(address >> 2) + 8] = 0;
            externals.push(address);
            mbufs.attach(m, { address, length: 64 }, 'note');
          } else {
            m = must(mbufs.tryGetjcl([2048, 4096, 9216, 16384][cookie % 4] as number));
          }
          fillCookie(kit, m, cookie);
          box.put(m);
        }
        const workers = [1, 2, 3].map((seed) =>
          startWorker(kit, { job: 'mix', mailbox, rounds: 3000, seed }),
        );
        const done = await Promise.all(workers);
        assert.ok(done.reduce((a, b) => a + b) > 1000, `${done}`);
        assertClean(kit);
        for (let m = box.take(0); m !== 0; m = box.take(0)) mbufs.free(m as Addr);
        assertNothingUsed(kit);
        for (const address of externals) {
          assert.equal(kit.words[(address >> 2) + 8], 1);
          zone.free(address);
        }
        assertClean(kit);
      });
    }
  }

  for (const max of [8, 64]) {
    it(`wait for clusters and are served as packets are freed (${max} clusters)`, async () => {
      const kit = makeKit({ pageCount: 1024, max });
      const { mbufs } = kit;
      const mailbox = makeMailboxWords(1000);
      const box = openMailbox(mailbox);
      const workers = [1, 2].map((seed) => startWorker(kit, { job: 'consume', mailbox, rounds: 0, seed }));
      const packets = 3000;
      const start = performance.now();
      for (let cookie = 1; cookie <= packets; cookie++) {
        const m = mbufs.getcl(0, 20_000);
        fillCookie(kit, m, cookie);
        box.put(m);
      }
      for (const _ of workers) box.put(END);
      const done = await Promise.all(workers);
      assert.equal((done[0] as number) + (done[1] as number), packets);
      // Woken each time by the free itself, not by the end of a slice of sleep.
      assert.ok(performance.now() - start < 15_000, `${performance.now() - start} ms`);
      assert.ok(mbufs.zones.cluster.stats().sleeps > 0);
      assertNothingUsed(kit);
    });
  }
});
