// A worker of the killer: works on the memory until it is killed, or until its plan says that it ends itself.
// It is no module: kills.mjs makes one script of the package (`mbuma`) and of the text of `work` below.

/**
 * @param mbuma what the package exports
 * @param threads what node:worker_threads exports
 * @param kernelThread the number of this thread in Linux, or 0
 */
export function work(mbuma, threads, kernelThread) {
  const { parentPort, workerData } = threads;
  const { handle, control, index, incarnation, seed, plan, useMbufs } = workerData;
  const { attachMemory, MbumaError } = mbuma;
  // Words of `control`: 0 says PARK, then four of each worker.
  const STATE = 1 + 4 * index;
  const PROGRESS = STATE + 1;
  const SLOT = STATE + 2;
  const DOOMED = STATE + 3;
  const WORKING = 1;
  const PARKED = 2;
  const STAMP = 0x5a000000 | (incarnation & 0xffffff);
  const CARRIED = 0x0ca221ed;
  const INIT = 0x1217a11e;
  const HELD_MOST = 24;

  let state = seed | 1;
  const random = (n) => {
    state = Math.imul(state ^ (state >>> 15), state | 1);
    state ^= state + Math.imul(state ^ (state >>> 7), state | 61);
    return ((state ^ (state >>> 14)) >>> 0) % n;
  };

  function fail(what, detail = {}) {
    parentPort.postMessage({ finding: what, detail: { ...detail, incarnation, worker: index } });
    // Whoever finds something stops, so that what it saw stays as it is.
    Atomics.store(control, STATE, PARKED);
    Atomics.wait(control, STATE, PARKED);
  }

  /** Only between two operations: whoever is parked holds what it says it holds. */
  function enter() {
    for (;;) {
      Atomics.store(control, STATE, WORKING);
      if (Atomics.load(control, 0) === 0) return;
      park();
    }
  }

  function park() {
    const turn = Atomics.load(control, 0);
    parentPort.postMessage({ holds: kinds.map(({ name, held }) => [name, held]), carrying });
    Atomics.store(control, STATE, PARKED);
    Atomics.notify(control, STATE);
    while (Atomics.load(control, 0) === turn) Atomics.wait(control, 0, turn, 1000);
  }

  // --- what it works on ---

  let dying = false;
  const hoard = [];
  function endIfDying(where) {
    if (!dying || (plan.where !== where && where !== 'last')) return;
    if (plan.death === 'exit') process.exit(7);
    if (plan.death === 'throw') {
      dying = false;
      throw Object.assign(new Error('planned'), { planned: true });
    }
    if (plan.death === 'oom') for (;;) hoard.push(new Array(4096).fill({ hoard }));
  }

  let memory;
  let words;
  const kinds = [];
  const carrying = [];
  const hooks = {
    init(item) {
      words[(item >> 2) + 8] = INIT;
      endIfDying('init');
    },
    fini(item) {
      endIfDying('fini');
      words[(item >> 2) + 8] = 0;
    },
  };
  const constructors = {
    ctor(item) {
      if (words[(item >> 2) + 8] !== INIT) fail('ctor saw an item that init had not', { item });
      endIfDying('ctor');
    },
    dtor() {
      endIfDying('dtor');
    },
  };

  function kind(name, options) {
    const zone = memory.zone({ name, ...options });
    const found = { name, zone, held: [], batch: new Int32Array(64) };
    kinds.push(found);
    return found;
  }

  enter();
  memory = attachMemory(handle);
  words = memory.words;
  Atomics.store(control, SLOT, memory.thread);
  const free = { onOwnerDeath: 'free' };
  const plain = kind('plain', { size: 64, ...free });
  const limited = kind('limited', { size: 128, max: 30, ...free });
  const all = { finiIsSafe: true, ...free, ...hooks, ...constructors };
  const hooked = kind('hooked', { size: 96, ...all });
  const hookedLimited = kind('both', { size: 200, max: 24, ...all });
  // With one reference each: of more than that, a dead thread's would stay.
  const counted = kind('counted', { size: 400, referenceCounted: true, ...free });
  const big = kind('big', { size: 3000, ...free });
  const guarded = kind('guarded', { size: 120, max: 40, guard: true, ...all });
  const prim = kind('prim', { size: 256 });
  const second = kind('second', { primary: prim.zone, finiIsSafe: true, ...hooks });
  const carried = kind('carried', { size: 48 });
  const rings = [0, 1].map((each) => memory.ring({ name: `ring ${each}`, capacity: 24 }));
  const sleepy = [limited, hookedLimited];
  const cheap = [plain, limited, hooked, hookedLimited, counted, big, guarded, prim, second];

  // --- stamps ---

  function take(kind, item) {
    const at = item >> 2;
    words[at] = STAMP;
    words[at + 1] = ~item;
    kind.held.push(item);
  }

  function check(kind, item) {
    const at = item >> 2;
    if (words[at] !== STAMP || words[at + 1] !== ~item) {
      const found = [words[at], words[at + 1]];
      fail('an item in use was changed by somebody else', { zone: kind.name, item, found, stamp: STAMP });
    }
  }

  /** Gives `item` out of the hands: before the call, for the call may be the last. */
  function leave(kind) {
    const at = random(kind.held.length);
    const item = kind.held[at];
    check(kind, item);
    kind.held[at] = kind.held[kind.held.length - 1];
    kind.held.pop();
    return item;
  }

  const usual = new Set(['OUT_OF_MEMORY', 'TIMED_OUT', 'RING_CLOSED', 'TOO_MANY_ZONES']);
  const tolerate = (error) => {
    if (!(error instanceof MbumaError) || !usual.has(error.code)) throw error;
    return 0;
  };
  const attempt = (call) => {
    try {
      return call();
    } catch (error) {
      return tolerate(error);
    }
  };

  // --- operations ---

  function churn(kind) {
    for (let n = random(40); n > 0; n--) {
      if (kind.held.length < HELD_MOST && random(2) === 0) {
        const item = attempt(() => kind.zone.tryAlloc());
        if (item !== 0) take(kind, item);
      } else if (kind.held.length > 0) {
        if (kind === counted) kind.zone.drop(leave(kind) + random(400));
        else kind.zone.free(leave(kind));
      }
    }
  }

  function bulk(kind) {
    const { batch } = kind;
    const got = attempt(() => kind.zone.tryAllocMany(batch, 1 + random(60)));
    for (let at = 0; at < got; at++) {
      words[batch[at] >> 2] = STAMP;
      words[(batch[at] >> 2) + 1] = ~batch[at];
    }
    for (let at = 0; at < got; at++) check(kind, batch[at]);
    kind.zone.freeMany(batch, got);
  }

  function sleep(kind) {
    if (kind.held.length >= HELD_MOST / 2) kind.zone.free(leave(kind));
    const item = attempt(() => kind.zone.alloc(0, random(12)));
    if (item !== 0) take(kind, item);
    for (let n = random(4); n > 0 && kind.held.length > 0; n--) kind.zone.free(leave(kind));
  }

  async function sleepAsync(kind) {
    if (kind.held.length >= HELD_MOST) return;
    try {
      const item = await kind.zone.allocAsync(0, { signal: AbortSignal.timeout(1 + random(10)) });
      take(kind, item);
    } catch (error) {
      if (error.name !== 'TimeoutError') tolerate(error);
    }
  }

  function stampCarried(item) {
    words[item >> 2] = CARRIED;
    words[(item >> 2) + 1] = ~item;
  }

  function received1(item) {
    if (item === 0) return;
    const found = [words[item >> 2], words[(item >> 2) + 1]];
    if (found[0] !== CARRIED || found[1] !== ~item) {
      fail('an item that came through a ring is not what was put', { item, found });
    }
    take(carried, item);
  }

  /** One carried item, out of the hands and ready to be put. */
  function ready() {
    let item = carried.held.length > 8 ? leave(carried) : 0;
    if (item === 0) item = attempt(() => carried.zone.tryAlloc());
    if (item !== 0) {
      stampCarried(item);
      carrying.push(item);
    }
    return item;
  }

  const carriedOff = () => carrying.splice(0);
  const back = (items) => {
    for (const item of items) take(carried, item);
  };

  async function useRing() {
    const ring = rings[random(2)];
    const batch = carried.batch;
    const room = carried.held.length < HELD_MOST;
    const form = random(12);
    const signal = form >= 8 ? AbortSignal.timeout(1 + random(8)) : undefined;
    if (form % 2 === 0) {
      for (let n = form < 6 ? 1 : 1 + random(6); n > 0; n--) ready();
      const items = [...carrying];
      if (items.length === 0) return;
      let put = 0;
      try {
        batch.set(items);
        if (form === 0) put = ring.tryPut(items[0]) ? 1 : 0;
        else if (form === 2 || form === 4) {
          ring.put(items[0], random(8));
          put = 1;
        } else if (form === 6) put = ring.putMany(batch, items.length, random(8));
        else if (form === 8) put = ring.tryPutMany(batch, items.length);
        else put = await ring.putManyAsync(batch, items.length, { signal });
      } catch (error) {
        if (error.name !== 'TimeoutError') tolerate(error);
      }
      carriedOff();
      back(items.slice(put));
    } else if (room) {
      try {
        if (form === 1) received1(ring.tryTake());
        else if (form === 3 || form === 5) received1(ring.take(random(8)));
        else if (form === 7) receivedMany(batch, ring.takeMany(batch, 6, random(8)));
        else if (form === 9) receivedMany(batch, ring.tryTakeMany(batch, 6));
        else received1(await ring.takeAsync({ signal }));
      } catch (error) {
        if (error.name !== 'TimeoutError') tolerate(error);
      }
    } else while (carried.held.length > 6) carried.zone.free(leave(carried));
  }

  function receivedMany(batch, count) {
    const items = [...batch.subarray(0, count)];
    for (const item of items) received1(item);
  }

  function drain() {
    const form = random(6);
    if (form === 0) memory.drain();
    else if (form < 3) cheap[random(cheap.length)].zone.drain();
    else if (form === 3) cheap[random(cheap.length)].zone.trim();
    else memory.poll();
  }

  /** Little but locks: most deaths are to find one held. */
  function contend() {
    for (let n = 0; n < 30; n++) {
      const ring = rings[random(2)];
      const zone = sleepy[random(2)].zone;
      const form = random(4);
      if (form === 0) zone.max = zone === limited.zone ? 30 : 24;
      else if (form === 1) plain.zone.drain();
      else if (form === 2) attempt(() => big.zone.freeMany(big.batch, big.zone.tryAllocMany(big.batch, 3)));
      else if (room() && form === 3) received1(ring.tryTake());
      Atomics.add(control, PROGRESS, 1);
    }
  }

  /** The last that it does, in a loop: so that it dies of this. */
  function finale() {
    const { batch } = plain;
    for (let n = 0; n < 16; n++) {
      if (plan.finale === 0) limited.zone.max = 30;
      else if (plan.finale === 1) {
        if (carried.held.length < HELD_MOST) received1(rings[n & 1].tryTake());
        if (ready() !== 0) {
          const put = rings[n & 1].tryPut(carrying[0]);
          const items = carriedOff();
          if (!put) back(items);
        }
      } else if (plan.finale === 2)
        big.zone.freeMany(
          batch,
          attempt(() => big.zone.tryAllocMany(batch, 12)),
        );
      else if (plan.finale === 3) plain.zone.drain();
      else if (plan.finale === 4) memory.zone({ name: `made ${n}`, size: 80, ...free });
      else if (plan.finale === 5) sleep(sleepy[n & 1]);
      else if (plan.finale === 6) {
        bulk(plain);
        plain.zone.drain();
      } else memory.ring({ name: `made ${n}`, capacity: 8 });
    }
  }

  const room = () => carried.held.length < HELD_MOST;

  function create() {
    if (random(2) === 0) {
      const zone = attempt(() => memory.zone({ name: `made ${random(40)}`, size: 80, ...free }));
      if (zone === 0) return;
      const item = attempt(() => zone.tryAlloc());
      if (item !== 0) zone.free(item);
      return;
    }
    const ring = attempt(() => memory.ring({ name: `made ${random(40)}`, capacity: 8 }));
    if (ring !== 0 && ring.tryPut(7)) ring.tryTake();
  }

  function attachAgain() {
    const other = attachMemory(handle);
    const zone = other.zone({ name: 'plain', size: 64, ...free });
    const items = [1, 2, 3].map(() => zone.tryAlloc());
    for (const item of items) if (item !== 0) zone.free(item);
    other.detach();
  }

  const chains = [];
  function useMbuf() {
    const { mbufs } = memory;
    const form = random(6);
    if (form < 3 && chains.length < 12) {
      const m = attempt(() =>
        form === 0 ? mbufs.tryGet() : form === 1 ? mbufs.tryGetcl() : mbufs.getcl(0, random(8)),
      );
      if (m !== 0) chains.push(m);
    } else if (form === 3 && chains.length > 0 && chains.length < 12) {
      const copy = attempt(() => mbufs.reference?.(chains[random(chains.length)]) ?? 0);
      if (copy !== 0) chains.push(copy);
    } else if (form === 4 && chains.length > 2) {
      const many = Int32Array.from(chains.splice(0));
      mbufs.freeMany(many, many.length);
    } else if (chains.length > 0) mbufs.freeChain(chains.pop());
  }

  // --- the loop ---

  async function loop() {
    parentPort.postMessage({ attached: true, kernelThread });
    const until = plan.ops;
    for (let op = 0; ; op++) {
      if (op === until) dying = true;
      if (dying && random(4) === 0) endIfDying('last');
      if (Atomics.load(control, 0) !== 0) {
        if (op > until + 200) endIfDying('last');
        park();
        enter();
      }
      const what = random(useMbufs ? 30 : 26);
      if (Atomics.load(control, DOOMED) !== 0) finale();
      else if (what < 6) churn(cheap[random(cheap.length)]);
      else if (what < 9) bulk(cheap[random(5)]);
      else if (what < 11) sleep(sleepy[random(2)]);
      else if (what < 12) await sleepAsync(sleepy[random(2)]);
      else if (what < 16) await useRing();
      else if (what < 18) drain();
      else if (what < 19) create();
      else if (what < 20) attachAgain();
      else if (what < 26) contend();
      else useMbuf();
      Atomics.add(control, PROGRESS, 1);
      if (plan.rest > 0 && op % 16 === 0) Atomics.wait(control, SLOT, memory.thread, plan.rest);
    }
  }

  loop().catch((error) => {
    if (error.planned === true || error.cause?.planned === true) throw error;
    fail(`a call failed: ${error.code ?? error.name}: ${error.message}`, { stack: error.stack });
  });
}
