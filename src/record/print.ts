/** Prints a shared record for people, through the registry. Slow, never on a fast path. */

import { layoutOf, type PlacedField } from './struct.js';

/** Reads `byteCount` bytes of padded ASCII that start at word `index`. */
export function readText(words: Int32Array, index: number, wordCount: number): string {
  let result = '';
  for (let word = 0; word < wordCount; word++) {
    const packed = words[index + word] ?? 0;
    for (let shift = 0; shift < 32; shift += 8) {
      const code = (packed >>> shift) & 0xff;
      if (code === 0) return result;
      result += String.fromCharCode(code);
    }
  }
  return result;
}

/** Writes ASCII `value`, padded with zero bytes, over `wordCount` words from word `index` on. */
export function writeText(words: Int32Array, index: number, wordCount: number, value: string): void {
  for (let word = 0; word < wordCount; word++) {
    let packed = 0;
    for (let byte = 3; byte >= 0; byte--) {
      packed = (packed << 8) | (value.charCodeAt(word * 4 + byte) & 0xff || 0);
    }
    words[index + word] = packed;
  }
}

function printField(words: Int32Array, at: number, field: PlacedField): string {
  const value = words[at] ?? 0;
  switch (field.kind) {
    case 'u32':
      return String(value >>> 0);
    case 'i32':
      return String(value);
    case 'ref':
      return value === 0 ? 'null' : `${field.target}@${value}`;
    case 'addr':
      return value === 0 ? 'null' : `0x${(value >>> 0).toString(16)}`;
    case 'f64': {
      const pair = new Int32Array([value, words[at + 1] ?? 0]);
      return String(new Float64Array(pair.buffer)[0]);
    }
    case 'text':
      return JSON.stringify(readText(words, at, field.words));
    case 'array':
      return `[${Array.from(words.subarray(at, at + field.words), (each) => each >>> 0).join(' ')}]`;
  }
}

/** Several lines: the record's name and place, then `field = value  (guard) sentence` for each field. */
export function printRecord(words: Int32Array, declared: object, index: number): string {
  const layout = layoutOf(declared);
  const lines = [`${layout.name}@${index}`];
  for (const field of layout.fields) {
    lines.push(
      `  ${field.name} = ${printField(words, index + field.offset, field)}  (${field.guard}) ${field.doc}`,
    );
  }
  return lines.join('\n');
}
