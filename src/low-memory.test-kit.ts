/** Memories that are short of pages, for the tests of what is done then. */

import {
  type Addr,
  attachMemory,
  createMemory,
  type Memory,
  type MemoryOptions,
  USE_INTERRUPT_RESERVE,
  USE_RESERVE,
  type Zone,
} from './index.js';

export const CRITICAL = USE_RESERVE | USE_INTERRUPT_RESERVE;
export const PAGE = 4096;

export function make(options: Partial<MemoryOptions> = {}): Memory {
  const memory = createMemory({ bytes: 1 << 21, timerMs: 0, wasm: false, ...options });
  memory.onWarning(() => {});
  return memory;
}

export function join(memory: Memory): Memory {
  const other = attachMemory(memory.handle);
  other.onWarning(() => {});
  return other;
}

/** Items of one page, without a cache: one free item is one free page. */
export function pagesOf(memory: Memory, name = 'pages'): Zone {
  return memory.zone({ name, size: PAGE, noBucket: true });
}

/** Takes all that a call without flags gets. */
export function fill(zone: Zone): Addr[] {
  const items: Addr[] = [];
  for (let item = zone.tryAlloc(); item !== 0; item = zone.tryAlloc()) items.push(item);
  return items;
}

export function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'nothing';
}

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((done) => setTimeout(done, milliseconds));
