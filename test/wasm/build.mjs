// Builds the C program of the tests with clang and the wasi-libc of Debian, as README.md tells users to.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repository } from '../source.mjs';

const folder = join(repository, 'test/wasm');

const target = [
  '--target=wasm32-wasi',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-O2',
  '-I',
  join(repository, 'include'),
];

/** For code that runs in several threads. */
const threaded = ['-matomics', '-mbulk-memory', '-mmutable-globals', '-ftls-model=local-exec'];

/** -O0: else clang calls wasm-opt where there is one, which has not been told of threads. */
const link = [
  '--target=wasm32-wasi',
  '-O0',
  '-mexec-model=reactor',
  `-Wl,${[
    '--import-memory',
    '--shared-memory',
    '--max-memory=4294967296',
    '--no-check-features',
    '--export=__heap_base',
    '--export=__stack_pointer',
    '--export=__wasm_init_tls',
    '--export=__tls_size',
    '--export=__tls_align',
  ]}`,
];

function clang(args) {
  const { error, status, stderr } = spawnSync('clang', args, { encoding: 'utf8' });
  if (error !== undefined) throw new Error(`clang: ${error.message}`);
  if (status !== 0) throw new Error(`clang ${args.join(' ')}:\n${stderr}`);
}

function inFolder(use) {
  const out = mkdtempSync(join(tmpdir(), 'mbuma-wasm-'));
  try {
    return use(out);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** Why no module can be built here: a word for the tests that are skipped; '' when one can. */
export function whyNoClang() {
  return inFolder((out) => {
    try {
      clang([...link, join(folder, 'empty.c'), '-o', join(out, 'empty.wasm')]);
      return '';
    } catch (error) {
      const [reason] = error.message.split('\n');
      return `clang, lld or wasi-libc is not installed: ${reason}`;
    }
  });
}

/** The bytes of the program. */
export function buildProgram() {
  return inFolder((out) => {
    const at = (name) => join(out, name);
    clang([...target, '-c', join(folder, 'malloc.c'), '-o', at('malloc.o')]);
    clang([...target, ...threaded, '-c', join(folder, 'program.c'), '-o', at('program.o')]);
    clang([...link, at('program.o'), at('malloc.o'), '-o', at('program.wasm')]);
    return readFileSync(at('program.wasm'));
  });
}
