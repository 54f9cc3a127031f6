/**
 * Where everything that exists from the start lies: a plan computed from four numbers, the same in
 * every thread, so that nothing of it needs to be stored.
 *
 *   page 0        what is reserved for a WebAssembly module: as a rule, nothing
 *   then          a page for the superblock
 *   then          one area for each request of each layer, in the order of the layers
 *   firstPage     pages of the page layer, to the end
 */

import { MbumaError } from '../check/index.js';
import { alignUp } from '../record/index.js';
import { PAGE_SIZE, PAGE_WORDS, SUPERBLOCK } from './records.js';

/** The numbers that fix the layout. */
export interface Parameters {
  /** Pages of the whole memory. */
  readonly pageCount: number;
  readonly maxThreads: number;
  readonly maxZones: number;
  /** Pages at the start that are a WebAssembly module's. */
  readonly reservedPages: number;
}

/** Boot memory that a layer asks for. */
export interface AreaRequest {
  readonly name: string;
  readonly words: number;
  /** In words, a power of two; at least a cache line. */
  readonly align?: number;
}

/** Computes a layer's requests from the parameters. */
export type AreaPlanner = (parameters: Parameters) => readonly AreaRequest[];

export interface Layout {
  readonly parameters: Parameters;
  /** Word index of the superblock. */
  readonly superblock: number;
  /** Word index of each area by name. */
  readonly areas: ReadonlyMap<string, number>;
  /** First page after the areas. */
  readonly firstPage: number;
}

const CACHE_LINE_WORDS = 16;

/** Places the areas of all planners after the page of the superblock. */
export function planLayout(parameters: Parameters, planners: readonly AreaPlanner[]): Layout {
  const { pageCount, maxThreads, maxZones, reservedPages } = parameters;
  const areas = new Map<string, number>();
  const start = reservedPages * PAGE_WORDS;
  let next = start + PAGE_WORDS;
  for (const planner of planners) {
    for (const request of planner(parameters)) {
      next = alignUp(next, request.align ?? CACHE_LINE_WORDS);
      areas.set(request.name, next);
      next += request.words;
    }
  }
  return {
    parameters: { pageCount, maxThreads, maxZones, reservedPages },
    superblock: start + SUPERBLOCK,
    areas,
    firstPage: Math.ceil(next / PAGE_WORDS),
  };
}

/** The word index of a named area; a wrong name is an error of ours. */
export function areaOf(layout: Layout, name: string): number {
  const index = layout.areas.get(name);
  if (index === undefined) throw new MbumaError('BAD_CONFIGURATION', `there is no boot area ${name}`);
  return index;
}

/** Bytes before the first page: what is reserved, and what the layout needs. */
export function bootBytes(layout: Layout): number {
  return layout.firstPage * PAGE_SIZE;
}
