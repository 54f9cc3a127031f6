/**
 * Every failure that mbuma reports, by a stable code.
 *
 * *No memory* is 0 from `try...`, sleeping, or `OUT_OF_MEMORY`. *Misuse* leaves the memory as it was
 * and names address, zone and owner. *Bad configuration* lists every reason at once.
 */

/** What each code means; `docs/errors.md` has a row for each, and a test holds the two together. */
export const ERROR_CODES = {
  BAD_ARGUMENT: 'an argument has the wrong type, is not an integer, or is out of its range',
  BAD_CONFIGURATION: 'several options are wrong, or it is not to be had here; every reason is listed',
  BAD_HANDLE: 'what was given is not the handle of a memory, or the memory is of another build',
  DETACHED: 'this thread has detached from the memory',
  TOO_MANY_THREADS: 'every thread slot of the memory is taken',
  TOO_MANY_ZONES: 'every zone of the memory is taken',
  TOO_MANY_BACKENDS: 'every backend of the memory is taken',
  LAYOUT_MISMATCH: 'the name exists with another layout',
  HOOKS_MISSING: 'the zone has hooks that this thread has not registered',
  ZONE_BUSY: 'the zone is in use: it can be neither closed nor destroyed now, or not opened',
  ZONE_NOT_EMPTY: 'the zone has items in use, and stays',
  ZONE_CLOSED: 'the zone has been closed or destroyed',
  HOOK_FAILED: 'a constructor or initialiser said that it failed',
  OUT_OF_MEMORY: 'there is no memory, and waiting was not wanted or could not help',
  MEMORY_DEADLOCK: 'all threads wait for pages, and none can free any',
  TIMED_OUT: 'the wait took longer than the caller allowed',
  WOULD_BLOCK: 'this thread is not allowed to block',
  SLEEP_WITH_LOCK: 'a call that may sleep was made while a lock is held',
  READ_SECTION: 'read sections do not nest, end once, and must not wait',
  LOCK_ORDER: 'locks were taken against their rank, or twice',
  OWNER_DIED: 'a thread died while it held a lock that is needed',
  GIVEN_UP: 'this thread was declared dead, and what it held has been or will be cleaned up',
  MEMORY_DAMAGED: 'the memory contradicts itself',
  FREE_FOREIGN: 'the address does not lie in a slab of this memory',
  FREE_WRONG_ZONE: 'the item belongs to another zone',
  FREE_WRONG_TYPE:
    'the block belongs to a malloc type with other zones, or is another type’s run; from check level 2 on: to another type',
  FREE_UNALIGNED: 'the address lies inside an item, not at its start',
  FREE_TWICE: 'the item is free already',
  STILL_REFERENCED: 'the item has more than one reference',
  ITEM_FREE: 'the item is free: there is no reference that another could be made of',
  TOO_MANY_REFERENCES: 'the item has as many references as can be counted',
  MODIFIED_AFTER_FREE: 'a free item was written to',
  REDZONE_DAMAGED: 'the bytes before or behind an item were written to',
  ALLOC_TWICE: 'an item that is in use was about to be handed out again',
  USE_AFTER_FREE: 'the range lies in an item that is free',
  OUT_OF_BOUNDS: 'the range does not lie inside one item',
  RING_CLOSED: 'the ring is closed for new words',
  CHAIN_TOO_SHORT: 'the chain ends before the range that was asked for',
  CHAIN_CYCLE: 'the chain of mbufs runs in a circle',
  NOT_AN_MBUF: 'the address is not an mbuf that is in use',
  NO_SUCH_SYSCTL: 'there is no leaf of this name in the tree of tunables and figures',
  READ_ONLY: 'the leaf is for reading',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** Where an error happened, as far as it is known. */
export interface ErrorPlace {
  /** Byte address of the item. */
  readonly address?: number | undefined;
  /** Name of the zone. */
  readonly zone?: string | undefined;
  /** Slot of the thread that owns the item; 0 when it is free. */
  readonly owner?: number | undefined;
  /** Several lines for a person: item, owner, sites, the bytes around. */
  readonly details?: string | undefined;
  readonly cause?: unknown;
}

/** The one class of error that mbuma throws. */
export class MbumaError extends Error {
  /** Stable: compare this, not the message. */
  readonly code: ErrorCode;
  readonly address: number | undefined;
  readonly zone: string | undefined;
  readonly owner: number | undefined;
  /** What a person needs to find the fault: item, owner, sites, the bytes around. Of some codes only. */
  readonly details: string | undefined;

  constructor(code: ErrorCode, message: string, place: ErrorPlace = {}) {
    super(message, place.cause === undefined ? undefined : { cause: place.cause });
    this.name = 'MbumaError';
    this.code = code;
    this.address = place.address;
    this.zone = place.zone;
    this.owner = place.owner;
    this.details = place.details;
  }
}

/** The error of whoever finds that what the memory says of itself cannot be. */
export function damaged(what: string, place: ErrorPlace = {}): MbumaError {
  return new MbumaError('MEMORY_DAMAGED', `the memory is damaged: ${what}`, place);
}

/** `0x1000` for an address, for messages. */
export function hex(address: number): string {
  return `0x${(address >>> 0).toString(16)}`;
}
