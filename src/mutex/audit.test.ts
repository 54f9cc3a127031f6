import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Waiter, WaiterState, WaitQueue } from '../machine/index.js';
import { attachmentOf } from '../memory.js';
import type { Memory } from '../memory-api.js';
import { layoutOf } from '../record/index.js';
import { assertClean, makeThreads } from './mutex.test-kit.js';
import { Mutex, MutexClass, MutexOrder, MutexRegistry, mutexesMax, SEEN } from './records.js';

interface Places {
  readonly words: Int32Array;
  /** Word index of the registry. */
  readonly registry: number;
  mutex(index: number): number;
  classAt(number: number): number;
  order(first: number, second: number): number;
  /** A waiter of the second thread, which waits for the first mutex. */
  readonly waiter: number;
}

/**
 * Three mutexes: `a`, had by one thread and awaited twice by the other; `b`; `c`. `a` comes before `b`, and
 * `b` before `c`. `damage` then changes a word; the answer is what the audit says of mutexes.
 */
function findings(damage: (places: Places, memory: Memory) => void): string[] {
  const [memory, other] = makeThreads(2) as [Memory, Memory];
  const { machine } = attachmentOf(memory);
  const [a, b, c] = ['a', 'b', 'c'].map((name) => memory.mutex(name));
  assert.ok(a && b && c);
  const nest = (outer: typeof a, inner: typeof a): void => {
    const token = outer.lock();
    inner.lock().unlock();
    token.unlock();
  };
  nest(a, b);
  nest(b, c);
  a.lock();
  for (let calls = 0; calls < 2; calls++) other.mutex('a').lockAsync().catch(String);
  assertClean(memory);
  const mutexes = machine.area('mutexes');
  const most = mutexesMax(machine.layout.parameters.pageCount);
  const places: Places = {
    words: memory.words,
    registry: machine.area('mutex registry'),
    mutex: (index) => mutexes + index * layoutOf(Mutex).words,
    classAt: (number) => machine.area('mutex classes') + (number - 1) * layoutOf(MutexClass).words,
    order: (first, second) => machine.area('mutex orders') + ((first - 1) * most + second - 1) * 2,
    waiter: memory.words[mutexes + Mutex.waiters + WaitQueue.head] as number,
  };
  damage(places, memory);
  const { violations } = memory.audit();
  other.detach();
  return violations.map(({ rule, message }) => `${rule} ${message}`);
}

/** Each damage is one word: where it is, and what is written there. */
const cases: [string, RegExp, (places: Places) => number, number][] = [
  ['X1', /65 mutexes/, ({ registry }) => registry + MutexRegistry.count, 65],
  ['X1', /-1 mutexes/, ({ registry }) => registry + MutexRegistry.count, -1],
  ['X1', /of 4 classes/, ({ registry }) => registry + MutexRegistry.classes, 4],
  ['X1', /2 mutexes of 3 classes/, ({ registry }) => registry + MutexRegistry.count, 2],
  ['X1', /mutexes that are not there/, ({ registry }) => registry + MutexRegistry.spare, 1],
  ['X1', /mutexes that are not there/, ({ mutex }) => mutex(3) + Mutex.owner, 1],
  ['X1', /classes that are not there/, ({ classAt }) => classAt(4) + MutexClass.rank, 1],
  ['X1', /class 1 is unsound/, ({ classAt }) => classAt(1) + MutexClass.name, 1],
  ['X1', /class 1 is unsound/, ({ classAt }) => classAt(1) + MutexClass.rank, -1],
  ['X1', /class 2 has no name of its own/, ({ classAt }) => classAt(2) + MutexClass.name, 0x61],
  ['X1', /mutex 1 has no name of its own/, ({ mutex }) => mutex(1) + Mutex.name, 0x61],
  ['X1', /mutex 1 has an unsound spare0/, ({ mutex }) => mutex(1) + Mutex.spare0, 1],
  ['X1', /mutex b is of class 4/, ({ mutex }) => mutex(1) + Mutex.class, 4],
  ['X1', /a class has no mutex/, ({ mutex }) => mutex(1) + Mutex.class, 1],
  ['X2', /mutex a: its owner 9 does not live/, ({ mutex }) => mutex(0) + Mutex.owner, 0x109],
  ['X2', /mutex b: its owner 1 does not live/, ({ mutex }) => mutex(1) + Mutex.owner, 0x201],
  ['X2', /mutex a: abandoned is 2/, ({ mutex }) => mutex(0) + Mutex.abandoned, 2],
  ['X2', /mutex a: it was taken at site 99/, ({ mutex }) => mutex(0) + Mutex.site, 99],
  ['X2', /mutex b: it was taken at site 1/, ({ mutex }) => mutex(1) + Mutex.site, 1],
  ['X3', /its count is 3/, ({ mutex }) => mutex(0) + Mutex.waiters + WaitQueue.count, 3],
  ['X3', /its count is 1/, ({ mutex }) => mutex(0) + Mutex.waiters + WaitQueue.count, 1],
  ['X3', /not with its tail/, ({ mutex }) => mutex(0) + Mutex.waiters + WaitQueue.tail, 0],
  ['X3', /is no waiter/, ({ mutex }) => mutex(0) + Mutex.waiters + WaitQueue.head, 77],
  ['X3', /does not know it/, ({ waiter }) => waiter + Waiter.queue, 4],
  ['X3', /wrong link back/, ({ waiter }) => waiter + Waiter.previous, 4],
  ['X3', /does not wait/, ({ waiter }) => waiter + Waiter.state, WaiterState.IDLE],
  ['X3', /of thread 9, which does not live/, ({ waiter }) => waiter + Waiter.slot, 9],
  ['X4', /it is free, and somebody waits/, ({ mutex }) => mutex(0) + Mutex.owner, 0],
  ['X5', /held by thread 9/, ({ mutex }) => mutex(1) + Mutex.lock, (1 << 9) | (9 << 1)],
  ['X5', /held by thread 9/, ({ registry }) => registry + MutexRegistry.lock, (1 << 9) | (9 << 1)],
  ['X6', /class 1 before 3: it is not known/, ({ order }) => order(1, 3) + MutexOrder.site, 1],
  ['X6', /class 1 before 2: it was seen by thread 0/, ({ order }) => order(1, 2), SEEN],
  ['X6', /seen by thread 255/, ({ order }) => order(1, 2), SEEN | (255 << 16)],
  ['X6', /class 1 before 2: a site of it is none/, ({ order }) => order(1, 2) + MutexOrder.site, 99],
  ['X6', /a site of it is none/, ({ order }) => order(1, 2), SEEN | (1 << 16) | 99],
  ['X6', /class 3 before 1: and the other way round/, ({ order }) => order(3, 1), SEEN | (1 << 16)],
  ['X6', /class 4 before 1: there are no such/, ({ order }) => order(4, 1), SEEN | (1 << 16)],
];

describe('the audit of mutexes', () => {
  it('is content with what is sound', () => {
    assert.deepEqual(
      findings(() => {}),
      [],
    );
  });

  for (const [rule, message, place, value] of cases) {
    it(`finds ${rule}: ${message.source}`, () => {
      const found = findings((places) => {
        places.words[place(places)] = value;
      });
      assert.ok(
        found.some((each) => each.startsWith(rule) && message.test(each)),
        found.join('\n'),
      );
    });
  }
});
