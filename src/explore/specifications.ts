/** Sequential objects that operations are often compared with. */

import type { Specification } from './history.js';

function unknownOperation(name: string): never {
  throw new Error(`the specification knows no operation ${name}`);
}

/** `put(value)` answers whether there was room, `take()` the oldest value or null. */
export function queueSpecification(
  capacity: number = Number.POSITIVE_INFINITY,
  init: readonly unknown[] = [],
): Specification<readonly unknown[]> {
  return {
    init,
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

/**
 * `take()` answers a thing that nobody has, `give(thing)` gives it back. At most `limit` are out at one time;
 * a take may be refused, by 0 or an error, whenever it likes.
 */
export function poolSpecification(
  limit: number = Number.POSITIVE_INFINITY,
): Specification<readonly unknown[]> {
  return {
    init: [],
    apply(state, name, args, answer) {
      if (name === 'give') return { state: state.filter((each) => each !== args[0]), result: undefined };
      if (name !== 'take') return unknownOperation(name);
      if (typeof answer !== 'number' || answer === 0) return { state, result: undefined };
      const free = state.length < limit && !state.includes(answer);
      return { state: [...state, answer], result: free ? answer : 0 };
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
