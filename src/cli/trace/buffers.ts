/** Does the steps of a trace with Buffers, as a Node programmer would: freeing is forgetting. */

import { fillPattern, findDamage, findNonZero } from './pattern.js';
import { DAMAGED, DONE, type Player } from './player.js';
import { OP_CALLOC, OP_FREE, OP_REALLOC } from './trace-file.js';

/** The memory that Buffers lie in, as words and as bytes. */
interface Slab {
  readonly memory: ArrayBufferLike;
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
}

export interface BufferPlayer extends Player {
  /** Forgets what is live. */
  clear(): void;
}

export function createBufferPlayer(objectMax: number, fills: boolean): BufferPlayer {
  const buffers = new Array<Buffer | undefined>(objectMax + 1).fill(undefined);
  /** Small Buffers share their memory: the views of it are made once. */
  const slabs = new Array<Slab | undefined>(objectMax + 1).fill(undefined);
  let latest = slabOver(Buffer.alloc(0).buffer);

  function slabOver(memory: ArrayBufferLike): Slab {
    return {
      memory,
      words: new Int32Array(memory, 0, memory.byteLength >>> 2),
      bytes: new Uint8Array(memory),
    };
  }

  function slabOf(buffer: Buffer): Slab {
    if (latest.memory !== buffer.buffer) latest = slabOver(buffer.buffer);
    return latest;
  }

  function isDamaged(object: number, length: number): boolean {
    const { words, bytes } = slabs[object] as Slab;
    const start = (buffers[object] as Buffer).byteOffset;
    return findDamage(words, bytes, start, length, object) >= 0;
  }

  function fill(object: number, from: number, to: number): void {
    const { words, bytes } = slabs[object] as Slab;
    fillPattern(words, bytes, (buffers[object] as Buffer).byteOffset, from, to, object);
  }

  function hold(object: number, buffer: Buffer): void {
    buffers[object] = buffer;
    if (fills) slabs[object] = slabOf(buffer);
  }

  function forget(object: number, before: number): number {
    if (fills && isDamaged(object, before)) return DAMAGED;
    buffers[object] = undefined;
    slabs[object] = undefined;
    return DONE;
  }

  function resize(object: number, size: number, before: number): number {
    const kept = Math.min(before, size);
    const buffer = Buffer.allocUnsafe(size);
    (buffers[object] as Buffer).copy(buffer, 0, 0, kept);
    hold(object, buffer);
    if (!fills) return DONE;
    if (isDamaged(object, kept)) return DAMAGED;
    fill(object, kept, size);
    return DONE;
  }

  return {
    play(operation, object, size, before) {
      if (operation === OP_FREE) return forget(object, before);
      if (operation === OP_REALLOC) return resize(object, size, before);
      const isZeroed = operation === OP_CALLOC;
      hold(object, isZeroed ? Buffer.alloc(size) : Buffer.allocUnsafe(size));
      if (!fills) return DONE;
      if (isZeroed) {
        const { words, bytes } = slabs[object] as Slab;
        if (findNonZero(words, bytes, (buffers[object] as Buffer).byteOffset, size) >= 0) return DAMAGED;
      }
      fill(object, 0, size);
      return DONE;
    },
    clear() {
      buffers.fill(undefined);
      slabs.fill(undefined);
    },
  };
}
