// Items that both sides know: what is written into one, and how that is checked.

import { equal } from './checks.mjs';

export const itemZone = { name: 'items', size: 64, max: 48 };

export function fillItem(memory, item, number) {
  const word = item >> 2;
  memory.words[word] = number;
  memory.words[word + 1] = Math.imul(number, number) ^ item;
  memory.bytes[item + 63] = number;
  return item;
}

export function verifyItem(memory, item) {
  const word = item >> 2;
  const number = memory.words[word];
  equal(memory.words[word + 1], Math.imul(number, number) ^ item, `second word of item ${item}`);
  equal(memory.bytes[item + 63], number & 255, `last byte of item ${item}`);
  return number;
}
