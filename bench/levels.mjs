// What each level of checking costs, and each option of a zone that looks for bugs: the pair of suite a.

/** By suite: what the memory, or the zone, is made with. */
export const LEVELS = {
  level1: { memory: { checkLevel: 1 } },
  level2: { memory: { checkLevel: 2 } },
  level3: { memory: { checkLevel: 3 } },
  redzone: { zone: { redzone: true } },
  sites: { zone: { sites: true } },
  guard: { zone: { guard: true } },
};

export const LEVEL_SUITES = Object.keys(LEVELS);
