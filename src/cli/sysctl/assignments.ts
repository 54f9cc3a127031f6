/** `name=value`, as people write it. */

import { MbumaError, type Memory, type SysctlLeaf, type SysctlValue } from '../../index.js';
import { UsageError } from '../errors.js';

/** A tunable and what it shall be, not yet looked at. */
export interface Assignment {
  readonly name: string;
  readonly value: string;
}

/** No name has an equals sign: what comes after the first one is the value. Null: there is none. */
export function readAssignment(text: string): Assignment | null {
  const at = text.indexOf('=');
  return at < 0 ? null : { name: text.slice(0, at), value: text.slice(at + 1) };
}

/** What the text means for the leaf: nothing is guessed, `0x10` and `1e3` are no numbers here. */
function readValue({ name, type, least, most }: SysctlLeaf, text: string): SysctlValue {
  if (type === 'string') return text;
  const given = JSON.stringify(text);
  if (type === 'boolean') {
    if (text === '1' || text === 'true') return true;
    if (text === '0' || text === 'false') return false;
    throw new UsageError(`${name} must be 0 or 1, not ${given}`);
  }
  const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new UsageError(`${name} must be a whole number from ${least} to ${most}, not ${given}`);
}

/** A name that is not there, or a value that cannot be, is the user's affair. */
export function askSysctl<Value>(ask: () => Value): Value {
  try {
    return ask();
  } catch (error) {
    const code = error instanceof MbumaError ? error.code : '';
    if (code !== 'NO_SUCH_SYSCTL' && code !== 'READ_ONLY' && code !== 'BAD_ARGUMENT') throw error;
    throw new UsageError((error as MbumaError).message);
  }
}

/**
 * Sets a tunable of the memory; how it was, and how it is.
 *
 * @throws UsageError for a name that is not there or for reading, or a value that cannot be
 */
export function assign({ sysctl }: Memory, { name, value }: Assignment): readonly [SysctlLeaf, SysctlLeaf] {
  return askSysctl(() => {
    const before = sysctl.describe(name);
    if (before.writable) sysctl.set(name, readValue(before, value));
    // Says in its own words that it is for reading.
    else sysctl.set(name, before.value);
    return [before, sysctl.describe(name)] as const;
  });
}
