/** Bytes for people: a hex dump in which the bad ones are marked. */

const BYTES_PER_LINE = 16;

/** Lines at most: a person looks at the first ones. */
const LINES_MAX = 12;

/**
 * Lines of 16 bytes from `from` up to `end`, addresses before them; under a line with bad bytes stands one
 * with `^^` below each.
 *
 * @param isBad whether the byte at an address is one that should not be as it is
 */
export function hexDump(
  bytes: Uint8Array,
  from: number,
  end: number,
  isBad: (address: number) => boolean,
): string {
  const lines: string[] = [];
  const first = Math.max(0, from - (from % BYTES_PER_LINE));
  const last = Math.min(end, bytes.length, first + LINES_MAX * BYTES_PER_LINE);
  for (let line = first; line < last; line += BYTES_PER_LINE) {
    const title = `  0x${line.toString(16).padStart(8, '0')} `;
    let shown = title;
    let marks = ' '.repeat(title.length);
    for (let at = line; at < Math.min(line + BYTES_PER_LINE, bytes.length); at++) {
      shown += ` ${(bytes[at] as number).toString(16).padStart(2, '0')}`;
      marks += isBad(at) ? ' ^^' : '   ';
    }
    lines.push(shown);
    if (marks.trim() !== '') lines.push(marks.trimEnd());
  }
  return lines.join('\n');
}
