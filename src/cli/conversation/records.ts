/**
 * The records of conversations. All of one worker: nobody else touches them before it has said that it is
 * done.
 *
 * Guards: `W` the worker whose packets the conversation belongs to; the main thread once that has finished.
 *
 *   directory ─► segment ─► conversation ─► conversation ...     (one list for each place of the index)
 *   4096 bytes    4096 bytes       │
 *   1024 segments 1024 places      └─► next use of the same ports ...
 */

import { addr, array, f64, i32, struct, u32 } from '../../record/index.js';

export const Conversation = struct(
  'conversation',
  {
    // Line 0: what a search reads, in the shape in which the parser leaves its fields.
    next: addr('W', 'Next conversation at the same place of the index.'),
    hash: i32('W', 'Hash of the key.'),
    kind: u32('W', 'Key: protocol, and the address family in the next byte.'),
    ports: u32('W', "Key: the low end's port in the upper half, the high end's in the lower."),
    low: array(4, 'W', 'Key: address of the low end.'),
    high: array(4, 'W', 'Key: address of the high end.'),
    pass: u32('W', 'Pass of the replay in which `current` was last looked at. First use only.'),
    current: addr('W', 'The use of these ports that packets belong to now. First use only.'),
    nextUse: addr('W', 'The next use of the same ports: TCP, after a SYN with another number.'),
    state: u32('W', 'Which numbers are known, and who sent the first packet: `STATE_...`.'),
    // Line 1: what is counted.
    packetsUp: f64('W', 'Packets from the low end to the high end.'),
    bytesUp: f64('W', 'Their bytes on the wire.'),
    packetsDown: f64('W', 'Packets from the high end to the low end.'),
    bytesDown: f64('W', 'Their bytes on the wire.'),
    lowSequence: i32('W', "First sequence number of the low end's, if known."),
    highSequence: i32('W', "First sequence number of the high end's, if known."),
    listed: addr('W', 'Next in the list of all conversations of this worker.'),
    spare: u32('W', 'Fills the record.'),
  },
  { words: 28 },
);

export const CONVERSATION_BYTES: number = 28 * 4;

/** The low end's first sequence number is known. */
export const STATE_LOW_SEQUENCE = 1;
/** The high end's is. */
export const STATE_HIGH_SEQUENCE = 2;
/** The first packet came from the high end. */
export const STATE_HIGH_FIRST = 4;

/** Bytes of a segment of the index, and of its directory. */
export const INDEX_PAGE_BYTES = 4096;
/** Places of a segment; segments of the directory. */
export const INDEX_PAGE_WORDS = 1024;
