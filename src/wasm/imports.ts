/** What a module calls: malloc of C and its relatives, over a malloc type. */

import { describeValue, MbumaError, requireInteger, requireObject } from '../check/index.js';
import type { Machine } from '../machine/index.js';
import type { MallocType } from '../malloc/index.js';
import type { Addr } from '../record/index.js';

/** Numbers of WASI, which wasi-libc and Emscripten use. */
const EINVAL = 28;
const ENOMEM = 48;

/** Bytes of a pointer of wasm32. */
const POINTER_SIZE = 4;

/** What a size_t can say. */
const SIZE_MAX = 0xffffffff;

/** How a module allocates. */
export interface MallocImportOptions {
  /** Type of the module's blocks, of the same memory object. Default: the one named `wasm`. */
  readonly type?: MallocType;
  /**
   * Address of the module's `errno`, or a function that answers it, called at each failure: the module's
   * `__errno_location`, as a rule. It gets WASI's numbers. Default: nothing is written, as is right for
   * modules with `mbuma-malloc.h`, which sets `errno` itself.
   */
  readonly errno?: number | (() => number);
}

/**
 * Functions for a module's imports, for this thread. Addresses and sizes are unsigned 32-bit numbers; as
 * WebAssembly passes them signed, either form is right. 0 is NULL.
 */
export type MallocImports = {
  /**
   * A block of at least `size` bytes at a multiple of 16, the caller's until it is freed; NULL and ENOMEM. Of
   * size 0: the smallest block. About 15 ns, called from WebAssembly.
   */
  malloc(size: number): number;
  /**
   * Gives a block back; NULL: nothing. Any thread may, in C or JavaScript. About 15 ns from WebAssembly.
   *
   * @throws as `MallocType.free`, through the module: C has no answer to a wrong free
   */
  free(block: number): void;
  /** `count` times `size` bytes of zeros; NULL and ENOMEM, also where the product is above 2^32 - 1. */
  calloc(count: number, size: number): number;
  /**
   * The block in another size, maybe elsewhere; NULL and ENOMEM: it is as it was. Of NULL: as `malloc`. To
   * size 0: the smallest block; never frees, as in BSD.
   *
   * @throws as `MallocType.realloc`
   */
  realloc(block: number, size: number): number;
  /** A block at a multiple of `alignment`; NULL, and EINVAL where that is no power of two, or ENOMEM. */
  aligned_alloc(alignment: number, size: number): number;
  /**
   * Writes the address of such a block to `place`; answers 0, EINVAL (28) or ENOMEM (48), and leaves `errno`
   * as it was. The alignment is a power of two, 4 and up.
   *
   * @throws BAD_ARGUMENT where no pointer can lie at `place`
   */
  posix_memalign(place: number, alignment: number, size: number): number;
  /** Bytes of a block that may be used; of NULL: 0. @throws as `MallocType.usableSize` */
  malloc_usable_size(block: number): number;
};

/**
 * A number of C, which WebAssembly passes signed.
 *
 * @throws BAD_ARGUMENT for what no module passes
 */
function unsigned(value: number, name: string): number {
  if (typeof value === 'number' && ((value | 0) === value || value >>> 0 === value)) return value >>> 0;
  throw new MbumaError('BAD_ARGUMENT', `${name} must be a 32-bit number, not ${describeValue(value)}`);
}

const isPowerOfTwo = (value: number): boolean => value !== 0 && (value & (value - 1)) === 0;

/** Zones for another size class are memory that there is not; all else is no answer of malloc. */
function refuseUnlessNoZone(error: unknown): void {
  if (!(error instanceof MbumaError) || error.code !== 'TOO_MANY_ZONES') throw error;
}

/** @throws BAD_CONFIGURATION where no module can share the memory */
function requireShared({ handle }: Machine): void {
  if (handle.wasm === null) {
    throw new MbumaError(
      'BAD_CONFIGURATION',
      'the memory is no WebAssembly.Memory: make it with wasm: { heapBase } or { reservedBytes }',
    );
  }
  if (handle.reservedBytes === 0) {
    throw new MbumaError(
      'BAD_CONFIGURATION',
      'nothing is reserved for the module’s data and stack: make the memory with wasm: { heapBase } or { reservedBytes }',
    );
  }
}

/** Writes to the module's errno, if it has said where that is. */
function createErrno({ words, bytes }: Machine, errno: unknown): (code: number) => void {
  function requirePlace(value: unknown): number {
    const address = requireInteger(value, 'errno', 4, bytes.length - 4);
    if (address % 4 !== 0)
      throw new MbumaError('BAD_ARGUMENT', `errno must be a multiple of 4, not ${address}`);
    return address >>> 2;
  }

  if (errno === undefined) return () => {};
  if (typeof errno === 'function') {
    return (code) => {
      words[requirePlace(errno())] = code;
    };
  }
  if (typeof errno !== 'number') {
    throw new MbumaError(
      'BAD_ARGUMENT',
      `errno must be an address or a function that answers one, not ${describeValue(errno)}`,
    );
  }
  const word = requirePlace(errno);
  return (code) => {
    words[word] = code;
  };
}

/**
 * The imports for one thread.
 *
 * @param typeOf the type that the options ask for
 * @throws BAD_ARGUMENT, BAD_CONFIGURATION
 */
export function createImports(
  machine: Machine,
  options: MallocImportOptions,
  typeOf: (given: unknown) => MallocType,
): MallocImports {
  requireObject(options, 'options');
  requireShared(machine);
  const { words, bytes, fillBytes } = machine;
  const setErrno = createErrno(machine, options.errno);
  const type = typeOf(options.type);

  function fail(code: number): 0 {
    setErrno(code);
    return 0;
  }

  /** 0: there is no memory. */
  function tryAligned(alignment: number, size: number): number {
    try {
      return type.tryAlignedAlloc(alignment, size);
    } catch (error) {
      refuseUnlessNoZone(error);
      return 0;
    }
  }

  // A call from WebAssembly costs some 10 ns; a `try` around what it calls adds nothing that can be measured.
  return {
    malloc(size) {
      try {
        const block = type.tryAlloc(unsigned(size, 'size'));
        if (block !== 0) return block;
      } catch (error) {
        refuseUnlessNoZone(error);
      }
      return fail(ENOMEM);
    },
    free(block) {
      type.free(unsigned(block, 'block') as Addr | 0);
    },
    calloc(count, size) {
      const length = unsigned(count, 'count') * unsigned(size, 'size');
      if (length > SIZE_MAX) return fail(ENOMEM);
      try {
        const block = type.tryAlloc(length);
        if (block !== 0) {
          fillBytes(block, 0, length);
          return block;
        }
      } catch (error) {
        refuseUnlessNoZone(error);
      }
      return fail(ENOMEM);
    },
    realloc(block, size) {
      try {
        const other = type.tryRealloc(unsigned(block, 'block') as Addr | 0, unsigned(size, 'size'));
        if (other !== 0) return other;
      } catch (error) {
        refuseUnlessNoZone(error);
      }
      return fail(ENOMEM);
    },
    aligned_alloc(alignment, size) {
      const multiple = unsigned(alignment, 'alignment');
      const length = unsigned(size, 'size');
      if (!isPowerOfTwo(multiple)) return fail(EINVAL);
      const block = tryAligned(multiple, length);
      return block === 0 ? fail(ENOMEM) : block;
    },
    posix_memalign(place, alignment, size) {
      const multiple = unsigned(alignment, 'alignment');
      const length = unsigned(size, 'size');
      const at = requireInteger(unsigned(place, 'place'), 'place', POINTER_SIZE, bytes.length - POINTER_SIZE);
      if (at % POINTER_SIZE !== 0)
        throw new MbumaError('BAD_ARGUMENT', `place must be a multiple of ${POINTER_SIZE}, not ${at}`);
      if (!isPowerOfTwo(multiple) || multiple < POINTER_SIZE) return EINVAL;
      const block = tryAligned(multiple, length);
      if (block === 0) return ENOMEM;
      words[at >>> 2] = block;
      return 0;
    },
    malloc_usable_size: (block) => (block === 0 ? 0 : type.usableSize(unsigned(block, 'block') as Addr)),
  };
}
