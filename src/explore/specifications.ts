/** Sequential objects that operations are often compared with. */

import type { Specification } from './history.js';

function unknownOperation(name: string): never {
  throw new Error(`the specification knows no operation ${name}`);
}

/** `put(value)` answers whether there was room, `take()` the oldest value or null. */
export function queueSpecification(capacity = Number.POSITIVE_INFINITY): Specification<readonly unknown[]> {
  return {
    init: [],
    apply(state, name, args) {
      if (name === 'put') {
        const room = state.length < capacity;
        return { state: room ? [...state, args[0]] : state, result: room };
      }
      if (name !== 'take') return unknownOperation(name);
      return state.length === 0 ? { state, result: null } : { state: state.slice(1), result: state[0] };
    },
  };
}

/** `acquire()` answers whether one was left, `release()` gives one back. */
export function semaphoreSpecification(permits: number): Specification<number> {
  return {
    init: permits,
    apply(state, name) {
      if (name === 'acquire') return { state: state > 0 ? state - 1 : state, result: state > 0 };
      if (name !== 'release') return unknownOperation(name);
      return { state: state + 1, result: undefined };
    },
  };
}

/** `retain()` answers whether the thing was still there; `release()` whether that was the last reference. */
export function referenceSpecification(references = 1): Specification<number> {
  return {
    init: references,
    apply(state, name) {
      if (name === 'retain') return { state: state > 0 ? state + 1 : 0, result: state > 0 };
      if (name !== 'release') return unknownOperation(name);
      return { state: state - 1, result: state === 1 };
    },
  };
}

/**
 * `read()`, `write(value)`, and `compareExchange(expected, value)` and `add(value)`, which answer what was
 * there.
 */
export function registerSpecification(init = 0): Specification<number> {
  return {
    init,
    apply(state, name, args) {
      const [first, second] = args as readonly number[];
      if (name === 'read') return { state, result: state };
      if (name === 'write') return { state: first as number, result: undefined };
      if (name === 'add') return { state: state + (first as number), result: state };
      if (name !== 'compareExchange') return unknownOperation(name);
      return { state: state === first ? (second as number) : state, result: state };
    },
  };
}
