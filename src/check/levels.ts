/**
 * How much is checked. Each level adds to the one below; the choice is folded into constants when a
 * memory is made, so that what is off costs nothing.
 */
export const CheckLevel = {
  /** Owner bytes, argument checks, errors by code: always there, in production too. */
  PRODUCTION: 0,
  /** Adds the witness: the order of locks, and sleeping while one is held. */
  WITNESS: 1,
  /** Adds trash: free items are filled with a pattern that is verified when they are handed out. */
  TRASH: 2,
  /** Adds redzones around each item, and who allocated and freed it, and where. */
  REDZONE: 3,
} as const;

export type CheckLevel = (typeof CheckLevel)[keyof typeof CheckLevel];

/** The highest level there is. */
export const CHECK_LEVEL_MAX: CheckLevel = CheckLevel.REDZONE;
