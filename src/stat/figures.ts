/** What the tables are made of: the figures of a zone, as plain data. `memory.stats().zones` gives them. */
export interface ZoneFigures {
  readonly name: string;
  /** Bytes of an item. */
  readonly size: number;
  /** Most items out at one time; 0 is no limit. */
  readonly limit: number;
  /** Items that users hold. */
  readonly used: number;
  /** Items in caches and slabs. */
  readonly free: number;
  readonly requests: number;
  /** Requests that got nothing. */
  readonly failures: number;
  /** Requests that had to wait. */
  readonly sleeps: number;
}
