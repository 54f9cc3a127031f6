/** How a memory is made, and what is wrong with that. */

import {
  attemptWith,
  CHECK_LEVEL_MAX,
  type CheckLevel,
  describeValue,
  MbumaError,
  optionalInteger,
  refuseFor,
  requireInteger,
  requireObject,
} from './check/index.js';
import { type AreaPlanner, PAGE_SIZE, planLayout, SETTING_RANGES, THREADS_MAX } from './machine/index.js';
import { THRESHOLD_NAMES, type Thresholds, thresholdReasons, thresholdsFor } from './phys/index.js';
import { alignUp } from './record/index.js';

/**
 * The start of the memory belongs to a WebAssembly module that imports it: its data, its stack. mbuma neither
 * reads nor writes anything there, up to the next multiple of 4096. Say one of the two.
 */
export type WasmReservation =
  | {
      /** Bytes from address 0 on, 1 and up. They count in the memory's `bytes`. */
      readonly reservedBytes: number;
      readonly heapBase?: undefined;
    }
  | {
      /** Value of the module's `__heap_base`: where its data and stack end. `heapBaseOf` reads it. */
      readonly heapBase: number;
      readonly reservedBytes?: undefined;
    };

/** How a memory is made. */
export interface MemoryOptions {
  /**
   * Size of the whole memory, what is reserved for a module included: 1 MiB to 2 GiB; rounded up to 64 KiB.
   * Committed lazily by the platform.
   */
  readonly bytes: number;
  /** Threads that can be attached at one time, 1 to 254. Default 32. */
  readonly maxThreads?: number;
  /** Zones that can exist at one time, 16 to 1024. Default 128. */
  readonly maxZones?: number;
  /**
   * How much is checked beyond what always is: 0 nothing, 1 lock order, 2 trash in free items, 3 redzones
   * around all items, and who allocated and freed them. Default 0.
   */
  readonly checkLevel?: CheckLevel;
  /**
   * false: never use WebAssembly; true: refuse to do without it; a reservation: the same, and the memory is
   * shared with a module. Default: use it where it is allowed.
   */
  readonly wasm?: boolean | WasmReservation;
  /**
   * Milliseconds between two runs of each thread's periodic timer, 0 to 3,600,000; 0: it is off. It does what
   * others ask of an idle thread, and gives back what zones have cached in vain for a quarter of an hour and
   * more. Default 20,000.
   */
  readonly timerMs?: number;
  /**
   * Free pages at which something happens; what is not said is computed from the memory's size: see the
   * README. `vm.v_free_min` and its kin change them while the memory runs.
   */
  readonly pages?: Partial<Thresholds>;
  /** Limits of the network buffers. `max`: clusters, 0 for no limit. Default: from the memory's size. */
  readonly mbufs?: { readonly max?: number };
}

const BYTES_MIN = 1 << 20;
const BYTES_MAX = 2 ** 31;
/** The explorer audits a memory after every schedule: the smaller the better. */
const MODEL_BYTES_MIN = 1 << 18;
const UNIT = 65536;
const PAGES_MAX: number = BYTES_MAX / PAGE_SIZE;

/** Options that are well, in the units of the layers. */
export interface CheckedOptions {
  readonly pageCount: number;
  readonly maxThreads: number;
  readonly maxZones: number;
  readonly checkLevel: CheckLevel;
  readonly wasm: boolean | undefined;
  readonly reservedPages: number;
  readonly mbufs: { max?: number };
  readonly timerMs: number;
  readonly thresholds: Thresholds;
}

/** Thresholds of a memory of so many pages; what is wrong with them goes to `reasons`. */
function readThresholds(given: unknown, pages: number, reasons: string[]): Thresholds {
  const usual = thresholdsFor(Math.max(0, pages));
  if (given === undefined) return usual;
  const before = reasons.length;
  const attempt = attemptWith(reasons);
  const options = attempt(() => requireObject(given, 'pages'), {}) as Partial<Record<string, unknown>>;
  const chosen: Record<string, number> = {};
  for (const name of Object.keys(options))
    if (!THRESHOLD_NAMES.some((known) => known === name)) reasons.push(`pages.${name} is no threshold`);
  for (const name of THRESHOLD_NAMES)
    chosen[name] = attempt(
      () => optionalInteger(options[name], `pages.${name}`, 0, PAGES_MAX, usual[name]),
      0,
    );
  const thresholds = chosen as unknown as Thresholds;
  // One that is no number would be told twice.
  if (reasons.length === before)
    reasons.push(...thresholdReasons(thresholds, pages).map((reason) => `pages: ${reason}`));
  return thresholds;
}

/** Bytes that the option `wasm` leaves to a module. */
function requireReservation(wasm: unknown, bytes: number): number {
  if (wasm === undefined || typeof wasm === 'boolean') return 0;
  if (typeof wasm !== 'object' || wasm === null) {
    throw new MbumaError(
      'BAD_ARGUMENT',
      `wasm must be true, false, { reservedBytes } or { heapBase }, not ${describeValue(wasm)}`,
    );
  }
  const { reservedBytes, heapBase } = wasm as Partial<Record<'reservedBytes' | 'heapBase', unknown>>;
  if ((reservedBytes === undefined) === (heapBase === undefined)) {
    const which = reservedBytes === undefined ? 'none' : 'both';
    throw new MbumaError('BAD_ARGUMENT', `wasm must have one of reservedBytes and heapBase, not ${which}`);
  }
  return heapBase === undefined
    ? requireInteger(reservedBytes, 'wasm.reservedBytes', 1, bytes)
    : requireInteger(heapBase, 'wasm.heapBase', 1, bytes);
}

/** All reasons why the options cannot be, at once. */
export function readOptions(
  options: MemoryOptions,
  planners: readonly AreaPlanner[],
  isModel: boolean,
): CheckedOptions {
  const bytesMin = isModel ? MODEL_BYTES_MIN : BYTES_MIN;
  requireObject(options, 'options');
  const reasons: string[] = [];
  const attempt = attemptWith(reasons);
  const bytes = attempt(() => requireInteger(options.bytes, 'bytes', bytesMin, BYTES_MAX), bytesMin);
  const reservedMost = reasons.length === 0 ? bytes : BYTES_MAX;
  const maxThreads = attempt(() => optionalInteger(options.maxThreads, 'maxThreads', 1, THREADS_MAX, 32), 32);
  const maxZones = attempt(() => optionalInteger(options.maxZones, 'maxZones', 16, 1024, 128), 128);
  const checkLevel = attempt(
    () => optionalInteger(options.checkLevel, 'checkLevel', 0, CHECK_LEVEL_MAX, 0),
    0,
  );
  const { wasm } = options;
  const reservedBytes = attempt(() => requireReservation(wasm, reservedMost), 0);
  const mbufs = options.mbufs ?? {};
  attempt(() => {
    requireObject(mbufs, 'mbufs');
    return optionalInteger(mbufs.max, 'mbufs.max', 0, 0x7fffffff, 0);
  }, 0);
  const { initial, least, most } = SETTING_RANGES.timerMs;
  const timerMs = attempt(() => optionalInteger(options.timerMs, 'timerMs', least, most, initial), initial);
  const pageCount = alignUp(bytes, UNIT) / PAGE_SIZE;
  const reservedPages = Math.ceil(reservedBytes / PAGE_SIZE);
  const { firstPage } = planLayout({ pageCount, maxThreads, maxZones, reservedPages }, planners);
  if (reasons.length === 0 && pageCount - firstPage < 16) {
    const owners = `${maxThreads} threads and ${maxZones} zones need in such a memory`;
    const beside =
      reservedPages === 0
        ? `the ${firstPage * PAGE_SIZE} that ${owners}`
        : `the ${reservedPages * PAGE_SIZE} of the module and the ${(firstPage - reservedPages) * PAGE_SIZE} that ${owners}`;
    reasons.push(`bytes: ${bytes} leave no room beside ${beside}`);
  }
  const thresholds = readThresholds(options.pages, pageCount - firstPage, reasons);
  refuseFor('', reasons);
  return {
    pageCount,
    maxThreads,
    maxZones,
    checkLevel: checkLevel as CheckLevel,
    wasm: typeof wasm === 'object' ? true : wasm,
    reservedPages,
    mbufs,
    timerMs,
    thresholds,
  };
}
