// Compiles the native peers into .build/bench, each only when its source is newer. What cannot be built is
// said with the reason and left out.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCES = fileURLToPath(new URL('./native/', import.meta.url));
const BINARIES = fileURLToPath(new URL('../.build/bench/', import.meta.url));

const COMPILER = process.env.CC ?? 'cc';
const FLAGS = ['-O2', '-std=gnu11', '-Wall', '-Wno-unused', '-fno-builtin-malloc', '-fno-builtin-free'];

/** Any header may have changed what any program does, so the newest file of the folder counts. */
function isFresh(binary) {
  if (!existsSync(binary)) return false;
  const built = statSync(binary).mtimeMs;
  return readdirSync(SOURCES).every((name) => statSync(join(SOURCES, name)).mtimeMs < built);
}

/** Where the commands come from. */
const PACKAGES = {
  cc: 'gcc libc6-dev',
  'pkg-config': 'pkg-config libdpdk-dev',
  clang: 'clang lld',
  emcc: 'emscripten',
};

function notInstalled(command) {
  const packages = PACKAGES[command];
  return `${command}: not installed${packages === undefined ? '' : ` (apt-get install ${packages})`}`;
}

function run(command, args) {
  const { error, status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (error)
    return { reason: error.code === 'ENOENT' ? notInstalled(command) : `${command}: ${error.message}` };
  if (status !== 0) return { reason: `${command}: ${stderr.trim().split('\n')[0]}` };
  return { words: stdout.trim().split(/\s+/).filter(Boolean) };
}

/** Gives `{ binary }` or `{ reason }`. */
function compile(name, flags, libraries) {
  return make(name, COMPILER, (binary) => [
    ...[...FLAGS, ...flags, '-o', binary],
    join(SOURCES, `${name}.c`),
    ...libraries,
  ]);
}

function make(name, command, argsFor) {
  const binary = join(BINARIES, name);
  if (isFresh(binary)) return { binary };
  mkdirSync(BINARIES, { recursive: true });
  const { reason } = run(command, argsFor(binary));
  return reason === undefined ? { binary } : { reason };
}

export const buildDriver = () => compile('driver', ['-pthread'], []);
export const buildMagazine = () => compile('magazine', [], []);

export function buildDpdk() {
  const flags = run('pkg-config', ['--cflags', 'libdpdk']);
  if (flags.reason) return flags;
  const libraries = run('pkg-config', ['--libs', 'libdpdk']);
  if (libraries.reason) return libraries;
  return compile('dpdk', flags.words, libraries.words);
}

const WASM_CALLER_FLAGS = [
  ...['--target=wasm32', '-O2', '-nostdlib', '-ffreestanding', '-fno-builtin', '-matomics', '-mbulk-memory'],
  ...['--no-entry', '--allow-undefined', '--import-memory', '--shared-memory', '--max-memory=2147483648'].map(
    (flag) => `-Wl,${flag}`,
  ),
];

/** A module that calls the malloc it is given. */
export const buildWasmCaller = () =>
  make('wasm-caller.wasm', 'clang', (binary) => [
    ...WASM_CALLER_FLAGS,
    ...['-o', binary, join(SOURCES, 'wasm-caller.c')],
  ]);

/** Emscripten's `dlmalloc` or `emmalloc`, in a memory that has its full size from the start. */
export const buildEmscripten = (malloc) =>
  make(`${malloc}.wasm`, 'emcc', (binary) => [
    ...['-O3', '--no-entry', '-fno-builtin-malloc', '-fno-builtin-free', `-sMALLOC=${malloc}`],
    ...['-sINITIAL_MEMORY=1GB', '-sEXPORTED_FUNCTIONS=_malloc,_calloc,_realloc,_free'],
    ...['-o', binary, join(SOURCES, 'wasm-malloc.c')],
  ]);

/** The allocator of AssemblyScript; its compiler is too large to be a development dependency. */
export function buildTlsf() {
  const compiler = join(BINARIES, 'node_modules/assemblyscript/bin/asc.js');
  if (!existsSync(compiler))
    return { reason: 'assemblyscript is not installed (npm install --prefix .build/bench assemblyscript)' };
  return make('tlsf.wasm', process.execPath, (binary) => [
    ...[compiler, join(SOURCES, 'tlsf.ts'), '-O3', '--noAssert', '--runtime', 'minimal'],
    ...['--initialMemory', '16384', '--outFile', binary],
  ]);
}

/** Where the loader finds a shared library, by its file name. */
export function findLibrary(fileName) {
  const found = spawnSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' });
  for (const line of (found.stdout ?? '').split('\n')) {
    const [name, path] = line.trim().split(/ \(.*\) => /);
    if (name === fileName && path) return { path };
  }
  return { reason: `${fileName} is not installed` };
}
