// The loops of the suites, once, as text. A competitor pastes in its expressions and the names that they use,
// so that everybody runs the same statements and nobody pays for a callback; bench/native/loops.h holds the
// same loops as macros.
//
// A competitor says
//   names  the objects that its expressions use, by name
//   alloc  the expression that gives an item
//   touch  the statement that writes the first word of `item` (`value` is a small number)
//   free   the statement that gives `item` back
//   slots  makes an array that can hold items
// and, where it has them,
//   each       a statement before every item of the pair loop
//   allocMany  the statement that takes `count` items into `many`
//   freeMany   the statement that gives them back
//   many       makes the array for them (default: an Int32Array of its own)

const BATCH = 1000;
const SLOTS = 10_000;

const PAIR = (way) => `
  for (let turn = 0; turn < turns; turn++) {
    ${way.each ?? ''}
    const item = ${way.alloc};
    { const value = turn; ${way.touch}; }
    ${way.free};
  }`;

// An inner loop is a function of its own: V8 compiles it about a third faster than nested in another loop.
const TAKE_ALL_GIVE_ALL = (way) => `
  function takeAll() {
    for (let i = 0; i < ${BATCH}; i++) {
      const item = ${way.alloc};
      { const value = i; ${way.touch}; }
      slots[i] = item;
    }
  }
  function giveAll() {
    for (let i = 0; i < ${BATCH}; i++) {
      const item = slots[i];
      ${way.free};
    }
  }`;

const BATCH_OF_1000 = `
  for (let turn = 0; turn < turns; turn++) {
    takeAll();
    giveAll();
  }`;

const RANDOM_FILL = (way) => `
  for (let i = 0; i < ${SLOTS}; i++) slots[i] = ${way.alloc};`;

const RANDOM = (way) => `
  let random = state[0];
  for (let turn = 0; turn < turns; turn++) {
    random ^= random << 13;
    random ^= random >>> 17;
    random ^= random << 5;
    const slot = ((random >>> 16) * ${SLOTS}) >>> 16;
    {
      const item = slots[slot];
      ${way.free};
    }
    const item = ${way.alloc};
    { const value = turn; ${way.touch}; }
    slots[slot] = item;
  }
  state[0] = random;`;

const TOUCH_ALL = (way, count) => `
  function touchAll() {
    for (let i = 0; i < ${count}; i++) {
      const item = many[i];
      { const value = i; ${way.touch}; }
    }
  }`;

const BULK = (way, count) => `
  for (let turn = 0; turn < turns; turn++) {
    ${way.allocMany(count)};
    touchAll();
    ${way.freeMany(count)};
  }`;

/** A function of `body` over the names of a competitor and those of its own. */
export function compile(way, parameter, body, own, functions = '') {
  const names = { ...way.names, ...own };
  const make = new Function(
    ...Object.keys(names),
    `'use strict'; ${functions}\nreturn function (${parameter}) {${body}\n};`,
  );
  return make(...Object.values(names));
}

/** The loop of a suite for one competitor, and how many items one turn takes and gives back. */
export function makeLoop(suite, way) {
  switch (suite) {
    case 'a':
    case 'zones8':
    case 'epoch':
    case 'section':
    case 'packet':
      return { loop: compile(way, 'turns', PAIR(way), {}), itemsPerTurn: 1 };
    case 'b':
      return {
        loop: compile(way, 'turns', BATCH_OF_1000, { slots: way.slots(BATCH) }, TAKE_ALL_GIVE_ALL(way)),
        itemsPerTurn: BATCH,
      };
    case 'c': {
      const own = { slots: way.slots(SLOTS), state: new Int32Array([0x9e3779b9]) };
      compile(way, '', RANDOM_FILL(way), own)();
      return { loop: compile(way, 'turns', RANDOM(way), own), itemsPerTurn: 1 };
    }
    case 'bulk32':
    case 'bulk1000':
    case 'packet32': {
      const count = suite === 'bulk1000' ? 1000 : 32;
      const own = { many: way.many?.(count) ?? new Int32Array(count) };
      const loop = compile(way, 'turns', BULK(way, count), own, TOUCH_ALL(way, count));
      return { loop, itemsPerTurn: count };
    }
    default:
      throw new RangeError(`no loop for suite ${suite}`);
  }
}
