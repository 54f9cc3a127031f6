/** The bytes of a chain as parts of buffers, without an object for each part. */

import type { Addr } from '../record/index.js';
import type { Chains } from './chains.js';
import { Mbuf } from './records.js';
import type { MbufContext, Segment } from './types.js';
import { createViews } from './views.js';

export interface Segments {
  segments(m: Addr): Iterable<Segment>;
  view(m: Addr): Uint8Array;
}

export function createSegments({ machine }: MbufContext, chains: Chains): Segments {
  const { words, bytes } = machine;
  const { next: NEXT, data: DATA, length: LENGTH, buffer: BUFFER, capacity: CAPACITY } = Mbuf;
  const bufferView = createViews(machine);
  const dataView = createViews(machine);
  /** Cursors at rest. There are as many as loops have been nested. */
  const resting: Cursor[] = [];

  /** Iterable, iterator, result and segment in one: a loop over a chain makes nothing. */
  class Cursor implements Iterable<Segment>, Iterator<Segment, undefined>, Segment {
    view: Uint8Array = bytes;
    start = 0;
    end = 0;
    done = false;
    at = 0;
    readonly value = this as never;

    [Symbol.iterator](): this {
      return this;
    }

    next(): never {
      while (this.at !== 0) {
        const at = this.at >> 2;
        const length = words[at + LENGTH] as number;
        this.at = words[at + NEXT] as number;
        if (length === 0) continue;
        const buffer = words[at + BUFFER] as number;
        this.view = bufferView(buffer, buffer, words[at + CAPACITY] as number);
        this.start = (words[at + DATA] as number) - buffer;
        this.end = this.start + length;
        return this as never;
      }
      return this.return();
    }

    /** A loop that is left calls this. */
    return(): never {
      if (!this.done) {
        this.done = true;
        resting.push(this);
      }
      return this as never;
    }
  }

  return {
    segments(m) {
      chains.requireChain(m);
      const cursor = resting.pop() ?? new Cursor();
      cursor.at = m;
      cursor.done = false;
      return cursor;
    },
    view(m) {
      const at = chains.requireMbuf(m);
      return dataView(m, words[at + DATA] as number, words[at + LENGTH] as number);
    },
  };
}
