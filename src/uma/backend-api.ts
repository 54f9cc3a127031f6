/** Backends as users see them: made and found by name. */

import {
  LockRank,
  MbumaError,
  optionalInteger,
  requireInteger,
  requireName,
  requireObject,
} from '../check/index.js';
import type { Backends } from './backends.js';
import type { UmaContext } from './context.js';
import { OWN_PAGES, UmaState } from './records.js';
import type { Backend } from './zone-api.js';

export interface BackendOptions {
  /** Unique among the backends of the memory: 1 to 47 printable ASCII characters. `pages` is the memory's own. */
  readonly name: string;
  /** Most pages of its kegs together; 0 or absent: no bound. Only the thread that makes it sets it. */
  readonly max?: number;
}

export interface BackendApi {
  open(options: BackendOptions): Backend;
  /** The number of a backend of this memory; 0 for undefined. */
  numberOf(backend: Backend | undefined): number;
}

/** More pages than any memory has. */
const PAGES_MAX = 1 << 19;

export function createBackendApi({ machine, locks }: UmaContext, backends: Backends): BackendApi {
  const lock = machine.area('uma') + UmaState.lock;
  const opened = new Map<string, { readonly backend: Backend; readonly number: number }>();

  class OpenBackend implements Backend {
    readonly name: string;
    readonly #number: number;

    constructor(name: string, number: number) {
      this.name = name;
      this.#number = number;
    }

    get max(): number {
      return backends.stats(this.#number).pagesMax;
    }

    set max(pages: number) {
      if (this.#number === OWN_PAGES)
        throw new MbumaError('BAD_ARGUMENT', "the memory's own pages have no bound but its size");
      backends.setMax(this.#number, requireInteger(pages, 'max', 0, PAGES_MAX));
    }

    stats(): ReturnType<Backend['stats']> {
      return backends.stats(this.#number);
    }
  }

  return {
    open(options) {
      requireObject(options, 'options');
      const name = requireName(options.name, 'name');
      const max = optionalInteger(options.max, 'max', 0, PAGES_MAX, 0);
      const known = opened.get(name);
      if (known !== undefined) return known.backend;
      locks.acquire(lock, LockRank.REGISTRY);
      let number = 0;
      try {
        number = backends.open(name, max);
      } finally {
        locks.release(lock);
      }
      const backend = new OpenBackend(name, number);
      opened.set(name, { backend, number });
      return backend;
    },
    numberOf(backend) {
      if (backend === undefined) return 0;
      const found = opened.get((backend as { name?: string } | null)?.name ?? '');
      if (found === undefined || found.backend !== backend)
        throw new MbumaError('BAD_ARGUMENT', 'backend must be a backend of this memory');
      return found.number;
    },
  };
}
