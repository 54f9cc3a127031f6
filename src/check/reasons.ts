/** Bad configuration lists every reason at once: options are read one by one, and what each throws is kept. */

import { type ErrorPlace, MbumaError } from './errors.js';

/** Reads one option. What it throws becomes a reason, and the fallback stands in its place. */
export type Attempt = <Type>(read: () => Type, fallback: Type) => Type;

/** An `Attempt` that adds to these reasons. */
export function attemptWith(reasons: string[]): Attempt {
  return (read, fallback) => {
    try {
      return read();
    } catch (error) {
      reasons.push((error as Error).message);
      return fallback;
    }
  };
}

/**
 * Throws when there are reasons, all of them in one message.
 *
 * @param what stands before them: `zone points: `, or nothing
 * @throws BAD_ARGUMENT for one, BAD_CONFIGURATION for several
 */
export function refuseFor(what: string, reasons: readonly string[], place: ErrorPlace = {}): void {
  if (reasons.length === 0) return;
  const code = reasons.length === 1 ? 'BAD_ARGUMENT' : 'BAD_CONFIGURATION';
  throw new MbumaError(code, what + reasons.join('; '), place);
}
