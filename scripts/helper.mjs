// Assembles src/machine/helper/helper.wat into src/machine/helper/helper.generated.ts.
// The module's bytes are inlined as numbers: about 300 of them, readable by every bundler and every runtime.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Failure } from './failure.mjs';
import { writeFileAtomically } from './files.mjs';

export const helperSource = 'src/machine/helper/helper.wat';
export const helperOutput = 'src/machine/helper/helper.generated.ts';

/**
 * Text of the TypeScript file for the module written in `wat`. A Failure with line and column when it is
 * wrong.
 */
export async function assembleHelper(root, wat) {
  const loadWabt = createRequire(join(root, 'package.json'))('wabt');
  const wabt = await loadWabt();
  const features = { threads: true, bulk_memory: true };
  let bytes;
  try {
    const module = wabt.parseWat(helperSource, wat, features);
    module.validate(features);
    bytes = module.toBinary({}).buffer;
    module.destroy();
  } catch (error) {
    throw new Failure(error.message.trim());
  }
  const lines = [];
  for (let offset = 0; offset < bytes.length; offset += 20) {
    lines.push(`  ${Array.from(bytes.subarray(offset, offset + 20)).join(', ')},`);
  }
  return [
    '// Made from helper.wat by scripts/helper.mjs. Do not edit.',
    '',
    `/** The helper module, ${bytes.length} bytes. */`,
    'export const helperModule: Uint8Array<ArrayBuffer> = new Uint8Array([',
    ...lines,
    ']);',
    '',
  ].join('\n');
}

/**
 * Assembles the helper of the work tree at `root`; leaves the output alone when its text would be the same.
 */
export async function generateHelper(root) {
  const text = await assembleHelper(root, readFileSync(join(root, helperSource), 'utf8'));
  writeFileAtomically(join(root, helperOutput), text);
}
