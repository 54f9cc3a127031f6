// A small fast generator: the same seed gives the same run.

/** `random(n)` is a whole number below n. */
export function randomFrom(seed) {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.floor(seed / 0x1_0000_0000) || 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  for (let round = 0; round < 4; round++) next();
  return (below) => Math.floor((next() / 0x1_0000_0000) * below);
}

/** The seed of step `index` of a run: neighbours have nothing in common. */
export function seedOf(seed, index) {
  return (Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca77)) >>> 0;
}

export function pick(random, list) {
  return list[random(list.length)];
}
