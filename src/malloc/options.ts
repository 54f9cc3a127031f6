/** What a type is made of, checked. */

import {
  MbumaError,
  optionalBoolean,
  optionalInteger,
  refuseFor,
  requireName,
  requireObject,
} from '../check/index.js';
import { GRANULE_SHIFT, OwnerDeath, readOwnerDeath } from '../uma/index.js';
import { DESCRIPTION_LENGTH_MAX } from './records.js';
import type { NewType } from './registry.js';

/** Highest limit, in bytes. */
export const LIMIT_MAX = 0x7fffffff;

/** The granules of a limit: at least one, if there is one. */
export function granulesFor(bytes: number): number {
  return bytes === 0 ? 0 : Math.max(1, bytes >>> GRANULE_SHIFT);
}

function requireDescription(value: unknown): string {
  if (value === undefined) return '';
  if (typeof value === 'string' && value.length <= DESCRIPTION_LENGTH_MAX && /^[\x20-\x7e]*$/.test(value))
    return value;
  throw new MbumaError(
    'BAD_ARGUMENT',
    `description must be a string of up to ${DESCRIPTION_LENGTH_MAX} printable ASCII characters`,
  );
}

function readZones(value: unknown): 'shared' | 'own' | undefined {
  if (value === undefined || value === 'shared' || value === 'own') return value;
  throw new MbumaError('BAD_ARGUMENT', "zones must be 'shared' or 'own'");
}

/** @throws BAD_ARGUMENT, also for options that cannot stand together; BAD_CONFIGURATION with every reason of several */
export function readTypeOptions(given: unknown): NewType {
  const options = requireObject(given, 'options') as Record<string, unknown>;
  const name = requireName(options.name, 'name');
  const description = requireDescription(options.description);
  const limit = granulesFor(optionalInteger(options.max, 'max', 0, LIMIT_MAX, 0));
  const zones = readZones(options.zones);
  const guarded = optionalBoolean(options.guard, 'guard') === true;
  const onOwnerDeath = readOwnerDeath(options.onOwnerDeath);
  const ownZones = zones === 'own' || guarded;
  const reasons: string[] = [];
  if (guarded && zones === 'shared')
    reasons.push("guard and zones: 'shared' contradict each other: the blocks of all types would be guarded");
  if (onOwnerDeath !== OwnerDeath.keep && !ownZones)
    reasons.push(
      `onOwnerDeath: '${options.onOwnerDeath}' needs zones: 'own', where blocks say whose they are`,
    );
  refuseFor(`malloc type ${name}: `, reasons);
  return { name, description, limit, ownZones, guarded, onOwnerDeath };
}
