// The API's reference as pages, by typedoc, into .build/docs. typedoc and the TypeScript that it reads lie in
// tools/typedoc.

import { join } from 'node:path';
import { say } from './failure.mjs';
import { installIfNeeded } from './install.mjs';
import { withLock } from './lock.mjs';
import { runNode } from './run.mjs';

const toolFolder = 'tools/typedoc';
const out = '.build/docs';

/** Makes the pages; answers typedoc's exit status, which is not 0 when a comment links to nothing. */
export async function makeDocs(root) {
  await withLock(join(root, '.build/lock'), () => installIfNeeded(join(root, toolFolder), 'typedoc'));
  const options = [
    '--tsconfig',
    'tsconfig.json',
    '--entryPoints',
    'src/index.ts',
    '--entryPoints',
    'src/wasm.ts',
    '--out',
    out,
    '--name',
    'mbuma',
  ];
  const strict = ['--treatValidationWarningsAsErrors', '--excludeInternal', '--githubPages', 'false'];
  const status = await runNode(root, `${toolFolder}/node_modules/typedoc/bin/typedoc`, [
    ...options,
    ...strict,
  ]);
  if (status === 0) say(`open ${out}/index.html`);
  return status;
}
