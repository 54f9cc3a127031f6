/**
 * What a zone's object turns into when its thread has closed the zone: whatever it is asked, it refuses.
 *
 * The object gets another prototype. So no fast function asks whether its zone is closed, and no field of it
 * changes, which V8 has folded into them.
 */

import { MbumaError } from '../check/index.js';

/** The prototypes of closed zones, by that of the open ones. */
const closedPrototypes = new WeakMap<object, object>();

function refuse(this: { readonly name: string }): never {
  throw new MbumaError('ZONE_CLOSED', `zone ${this.name} is closed in this thread`, { zone: this.name });
}

function closedPrototypeOf(open: object): object {
  const known = closedPrototypes.get(open);
  if (known !== undefined) return known;
  const closed: object = {};
  for (let each = open; each !== Object.prototype; each = Object.getPrototypeOf(each)) {
    for (const key of Object.getOwnPropertyNames(each)) {
      if (key === 'constructor' || Object.hasOwn(closed, key)) continue;
      const isMethod = Object.getOwnPropertyDescriptor(each, key)?.value !== undefined;
      Object.defineProperty(closed, key, isMethod ? { value: refuse } : { get: refuse, set: refuse });
    }
  }
  closedPrototypes.set(open, closed);
  return closed;
}

/** From now on every method and accessor of the zone throws ZONE_CLOSED. */
export function closeObject(zone: object): void {
  Object.setPrototypeOf(zone, closedPrototypeOf(Object.getPrototypeOf(zone)));
}
