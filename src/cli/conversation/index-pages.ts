/**
 * The index: a hash table that grows by doubling, in segments of 1024 places. A segment never moves; doubling
 * adds as many segments as there are, and moves the conversations of each place to itself or to its new twin.
 * Without memory for that, the lists grow instead.
 */

import { CANFAIL, type Memory, ZERO, type Zone } from '../../index.js';
import { Conversation, INDEX_PAGE_BYTES, INDEX_PAGE_WORDS } from './records.js';

export interface ConversationIndex {
  /** Word of the memory where the list for `hash` begins. */
  placeOf(hash: number): number;
  /** Takes note of one more conversation. */
  grow(): void;
  /** Gives the segments back. The conversations are not touched. */
  free(): void;
}

/** The zone of the segments, the same in every thread. */
export function conversationIndexZone(memory: Memory): Zone {
  return memory.zone({ name: 'conversation_index', size: INDEX_PAGE_BYTES });
}

/** @throws OUT_OF_MEMORY */
export function createConversationIndex(memory: Memory): ConversationIndex {
  const { words } = memory;
  const zone = conversationIndexZone(memory);
  const { next: NEXT, hash: HASH } = Conversation;
  const SEGMENT_SHIFT = 10;
  const PLACE_MASK = INDEX_PAGE_WORDS - 1;
  const TIMEOUT_MS = 2000;

  const directory = zone.alloc(ZERO | CANFAIL, TIMEOUT_MS);
  const directoryWord = directory >> 2;
  try {
    words[directoryWord] = zone.alloc(ZERO | CANFAIL, TIMEOUT_MS);
  } catch (error) {
    zone.free(directory);
    throw error;
  }
  let segments = 1;
  let mask = INDEX_PAGE_WORDS - 1;
  let count = 0;

  function placeOf(hash: number): number {
    const place = hash & mask;
    const segment = words[directoryWord + (place >> SEGMENT_SHIFT)] as number;
    return (segment >> 2) + (place & PLACE_MASK);
  }

  /** Adds as many segments as there are; false when there is no memory for all of them. */
  function addSegments(): boolean {
    for (let added = 0; added < segments; added++) {
      const segment = zone.tryAlloc(ZERO);
      if (segment === 0) {
        for (let index = 0; index < added; index++) freeSegment(segments + index);
        return false;
      }
      words[directoryWord + segments + added] = segment;
    }
    return true;
  }

  function freeSegment(index: number): void {
    const word = directoryWord + index;
    zone.free(words[word] as Parameters<Zone['free']>[0]);
    words[word] = 0;
  }

  /** Moves those conversations of the list at `from` whose hash has `bit` to the list at `to`. */
  function splitList(from: number, to: number, bit: number): void {
    let stay = 0;
    let leave = 0;
    let each = words[from] as number;
    while (each !== 0) {
      const word = each >> 2;
      const next = words[word + NEXT] as number;
      if (((words[word + HASH] as number) & bit) === 0) {
        words[word + NEXT] = stay;
        stay = each;
      } else {
        words[word + NEXT] = leave;
        leave = each;
      }
      each = next;
    }
    words[from] = stay;
    words[to] = leave;
  }

  function grow(): void {
    count++;
    if (count <= mask || segments * 2 > INDEX_PAGE_WORDS || !addSegments()) return;
    const bit = mask + 1;
    for (let index = 0; index < segments; index++) {
      const from = (words[directoryWord + index] as number) >> 2;
      const to = (words[directoryWord + segments + index] as number) >> 2;
      for (let place = 0; place < INDEX_PAGE_WORDS; place++) splitList(from + place, to + place, bit);
    }
    segments *= 2;
    mask = mask * 2 + 1;
  }

  function free(): void {
    for (let index = 0; index < segments; index++) freeSegment(index);
    segments = 0;
    zone.free(directory);
  }

  return { placeOf, grow, free };
}
