import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMemory } from '../index.js';
import { TRY_METHODS } from './methods.js';

/** Names of all that an object can be asked for, also by way of its class. */
function namesOf(object: object): string[] {
  const names: string[] = [];
  for (let at = object; at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    names.push(...Object.getOwnPropertyNames(at));
  }
  return names;
}

test('the list has every try... of every object that users get, and nothing else', () => {
  const memory = createMemory({ bytes: 4 << 20 });
  const objects = [
    memory,
    memory.zone({ name: 'zone', size: 64 }),
    memory.zone({ name: 'counted', size: 64, referenceCounted: true }),
    memory.zone({ name: 'epoch', size: 64, epoch: true }),
    memory.keg({ name: 'keg', size: 64 }),
    memory.foreignKeg({ name: 'foreign', size: 64, allocRun: () => 0, freeRun: () => {} }),
    memory.backend({ name: 'backend', max: 4 }),
    memory.mallocType({ name: 'type' }),
    memory.mbufs,
    ...Object.values(memory.mbufs.zones),
    memory.ring({ name: 'ring', capacity: 4 }),
    memory.mutex('mutex'),
    memory.sysctl,
    memory.failpoints,
  ];
  const found = objects.flatMap(namesOf).filter((name) => /^try[A-Z]/.test(name));
  assert.deepEqual([...new Set(found)].sort(), [...TRY_METHODS].sort());
  assert.ok(memory.audit().clean);
});
