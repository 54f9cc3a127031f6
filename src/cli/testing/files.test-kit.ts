/** Files of a test, in a folder of their own that goes with it. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The capture that is part of the repository. */
export const SAMPLE: string = fileURLToPath(new URL('../../../samples/office.pcap', import.meta.url));
export const MAIN: string = fileURLToPath(new URL('../main.js', import.meta.url));

let folder: string | undefined;
let count = 0;

/** Writes a file; gives its path. */
export function fileOf(bytes: Uint8Array | string, name: string = `${count++}.pcap`): string {
  if (folder === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'mbuma-test-'));
    folder = made;
    // Not `after`: inside of a test that would be the end of that test.
    process.on('exit', () => rmSync(made, { recursive: true, force: true }));
  }
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}
