/** A thread that dies between any two of its stores, for the tests of all layers. */

import type { Machine } from './index.js';

/** Thrown in a thread that was told to die, at every store from then on. */
export class Death extends Error {}

export interface Mortal {
  /** The machine to attach with. Its thread must not sleep. */
  readonly machine: Machine;
  /** Lets it die before its store number `count` from now on, counted from 1. Notifying counts as a store. */
  dieAt(count: number): void;
  /** Stores until now. Counters for statistics (`floats`) are none. */
  stores(): number;
}

/** Stores one by one what a whole run of `fill` stores: a thread may die in the middle of that. */
function filling(view: Int32Array | Uint8Array): (value: number, start?: number, end?: number) => void {
  return (value, start = 0, end = view.length) => {
    for (let index = start; index < end; index++) view[index] = value;
  };
}

export function makeMortal(machine: Machine): Mortal {
  const { atomics } = machine;
  let stores = 0;
  let last = Number.POSITIVE_INFINITY;
  function live(): void {
    stores++;
    if (stores >= last) throw new Death('dead');
  }
  function watch<View extends Int32Array | Uint8Array>(view: View): View {
    const watched: View = new Proxy(view, {
      get(target, key) {
        if (key === 'fill') return filling(watched);
        const value: unknown = Reflect.get(target, key);
        return typeof value === 'function' ? value.bind(target) : value;
      },
      set(target, key, value) {
        live();
        return Reflect.set(target, key, value);
      },
    });
    return watched;
  }
  const guard =
    <Arguments extends unknown[], Result>(call: (...values: Arguments) => Result) =>
    (...values: Arguments): Result => {
      live();
      return call(...values);
    };
  return {
    machine: {
      ...machine,
      words: watch(machine.words),
      bytes: watch(machine.bytes),
      atomics: {
        load: atomics.load,
        store: guard(atomics.store),
        add: guard(atomics.add),
        exchange: guard(atomics.exchange),
        compareExchange: guard(atomics.compareExchange),
        compareExchangeByte: guard(atomics.compareExchangeByte),
        notify: guard(atomics.notify),
      },
    },
    dieAt(count) {
      last = stores + count;
    },
    stores: () => stores,
  };
}
