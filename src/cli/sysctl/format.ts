/** Leaves as lines. */

import type { SysctlLeaf, SysctlValue } from '../../index.js';

/** What is told of each leaf. */
export type Detail = 'value' | 'value alone' | 'name alone' | 'description' | 'type';

/** A value as sysctl(8) prints it: true is 1. */
export function formatValue(value: SysctlValue): string {
  return typeof value === 'boolean' ? String(Number(value)) : String(value);
}

/** Type, unit, range, and whether it can be written. */
export function formatType({ type, unit, least, most, writable }: SysctlLeaf): string {
  return [
    type,
    ...(unit === '' ? [] : [unit]),
    // The end of all numbers is no range.
    ...(type === 'integer' && most !== Number.MAX_SAFE_INTEGER ? [`${least} to ${most}`] : []),
    ...(writable ? ['writable'] : []),
  ].join(', ');
}

export function formatLeaf(leaf: SysctlLeaf, detail: Detail): string {
  const { name, value, description } = leaf;
  switch (detail) {
    case 'value':
      return `${name}: ${formatValue(value)}`.trimEnd();
    case 'value alone':
      return formatValue(value);
    case 'name alone':
      return name;
    case 'description':
      return `${name}: ${description}`;
    case 'type':
      return `${name}: ${formatType(leaf)}`;
  }
}

/** As sysctl(8) tells of a change. */
export function formatChange(before: SysctlLeaf, after: SysctlLeaf): string {
  return `${before.name}: ${formatValue(before.value)} -> ${formatValue(after.value)}`;
}

/** Names and values, for one object of JSON. */
export function valuesOf(leaves: readonly SysctlLeaf[]): Record<string, SysctlValue> {
  return Object.fromEntries(leaves.map(({ name, value }) => [name, value]));
}

/** The same with all that is told of each leaf. */
export function detailsOf(leaves: readonly SysctlLeaf[]): Record<string, object> {
  return Object.fromEntries(
    leaves.map(({ name, type, value, unit, least, most, writable, description }) => [
      name,
      { type, value, unit, least, most, writable, description },
    ]),
  );
}
