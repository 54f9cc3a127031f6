// The scripts behind `npm start` and `npm test`, run in small trees of their own.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { assembleHelper, helperOutput, helperSource } from '../scripts/helper.mjs';
import { whyInstall } from '../scripts/install.mjs';
import { listTests } from '../scripts/tests.mjs';

const repository = dirname(dirname(fileURLToPath(import.meta.url)));
const door = ['-r', './scripts/node-version.cjs', 'scripts/task.mjs'];

/** A tree with our scripts and settings, a few sources, and our node_modules by a link. */
function makeTree() {
  const root = mkdtempSync(join(tmpdir(), 'mbuma-toolchain-'));
  for (const name of ['package.json', 'package-lock.json', 'tsconfig.json', 'scripts']) {
    cpSync(join(repository, name), join(root, name), { recursive: true });
  }
  symlinkSync(join(repository, 'node_modules'), join(root, 'node_modules'));
  write(root, helperSource, readFileSync(join(repository, helperSource), 'utf8'));
  write(root, 'src/one.ts', 'export const one: number = 1;\n');
  write(root, 'src/two.ts', "import { one } from './one.js';\nexport const two: number = one + one;\n");
  write(root, 'src/one.test.ts', testOf('one'));
  write(root, 'src/two.test.ts', testOf('two'));
  return root;
}

function testOf(name) {
  return `import { test } from 'node:test';\ntest('it is run', () => console.log('ran ${name}'));\n`;
}

function write(root, path, text) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

/** Starts a task; `run.ended` is a promise of { status, output }. */
function start(root, args, options = {}) {
  const env = { ...process.env, ...options.env };
  // What the runner of this very test says to its own children is not for ours.
  delete env.NODE_TEST_CONTEXT;
  const child = spawn(process.execPath, [...(options.node ?? []), ...door, ...args], { cwd: root, env });
  const run = { child, output: '' };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      run.output += text;
    });
  }
  run.ended = new Promise((resolve) => {
    child.on('close', (status, signal) => resolve({ status, signal, output: run.output }));
  });
  return run;
}

async function build(root) {
  const { status, output } = await start(root, ['build']).ended;
  return { status, output, built: output.includes('building') };
}

describe('the build', () => {
  let root;
  before(async () => {
    root = makeTree();
    const { status, output, built } = await build(root);
    assert.equal(status, 0, output);
    assert.equal(built, true);
  });
  after(() => rmSync(root, { recursive: true, force: true }));
  beforeEach(async () => {
    assert.equal((await build(root)).status, 0);
    assert.equal((await build(root)).built, false, 'fresh before each test');
  });

  test('makes the helper, the code and nothing else, and then does it not again', async () => {
    assert(existsSync(join(root, helperOutput)));
    assert(existsSync(join(root, 'dist/two.js')));
    assert.match((await build(root)).output, /up to date/);
  });

  test('sees a changed source, and only what is in it, not when it was written', async () => {
    utimesSync(join(root, 'src/one.ts'), new Date(), new Date());
    assert.equal((await build(root)).built, false);
    write(root, 'src/one.ts', 'export const one: number = 11;\n');
    assert.equal((await build(root)).built, true);
    assert.match(readFileSync(join(root, 'dist/one.js'), 'utf8'), /11/);
  });

  for (const [what, spoil] of [
    ['a deleted output', () => rmSync(join(root, 'dist/one.js'))],
    ['a changed output', () => write(root, 'dist/one.js', 'export const one = 2;')],
    ['an output that has no source', () => write(root, 'dist/ghost.test.js', '')],
    ['no dist at all', () => rmSync(join(root, 'dist'), { recursive: true })],
    ['a deleted generated file', () => rmSync(join(root, helperOutput))],
    ['a changed generated file', () => write(root, helperOutput, 'export const helperModule = 1;')],
    ['a broken stamp', () => write(root, '.build/build.json', '{"inputs":')],
    ['what a killed build left', () => write(root, '.build/out-999999999/one.js', '')],
  ]) {
    test(`mends ${what}`, async () => {
      spoil();
      const { status, output } = await build(root);
      assert.equal(status, 0, output);
      assert(!existsSync(join(root, 'dist/ghost.test.js')));
      assert.match(readFileSync(join(root, 'dist/one.js'), 'utf8'), /one = 1/);
      assert.match(readFileSync(join(root, helperOutput), 'utf8'), /0, 97, 115, 109/);
      assert.equal((await build(root)).built, false);
    });
  }

  test('leaves no test of a source that is gone', async () => {
    assert.deepEqual(listTests(root), ['dist/one.test.js', 'dist/two.test.js']);
    rmSync(join(root, 'src/two.test.ts'));
    await build(root);
    assert.deepEqual(listTests(root), ['dist/one.test.js']);
    write(root, 'src/two.test.ts', testOf('two'));
  });

  test('stops at a type error and leaves dist as it was', async () => {
    write(root, 'src/one.ts', "export const one: number = 'one';\n");
    const { status, output } = await build(root);
    assert.equal(status, 1);
    assert.match(output, /src\/one\.ts/);
    assert.match(output, /TS2322/);
    assert(existsSync(join(root, 'dist/one.js')));
    write(root, 'src/one.ts', 'export const one: number = 1;\n');
    assert.equal((await build(root)).status, 0);
  });

  test('stops at an error in the helper, naming line and column', async () => {
    const source = readFileSync(join(root, helperSource), 'utf8');
    write(root, helperSource, source.replace('memory.fill', 'memory.fil'));
    const { status, output } = await build(root);
    assert.equal(status, 1);
    assert.match(output, /helper\.wat:\d+:\d+/);
    assert(output.length < 1000, 'and not the whole of wabt');
    write(root, helperSource, source);
  });

  test('builds once for three terminals at once', async () => {
    write(root, 'src/one.ts', `export const one: number = ${Date.now()};\n`);
    const ends = await Promise.all([build(root), build(root), build(root)]);
    for (const { status, output } of ends) assert.equal(status, 0, output);
    assert.equal(ends.filter(({ built }) => built).length, 1);
  });

  for (const signal of ['SIGKILL', 'SIGTERM', 'SIGINT']) {
    test(`is whole again after ${signal} in the middle`, async () => {
      write(root, 'src/one.ts', `export const one: number = ${Date.now()};\n`);
      const run = start(root, ['build']);
      while (!run.output.includes('building')) await new Promise((resolve) => setTimeout(resolve, 2));
      run.child.kill(signal);
      const ended = await run.ended;
      if (signal !== 'SIGKILL') {
        assert.equal(ended.status, signal === 'SIGINT' ? 130 : 143, ended.output);
        assert(!existsSync(join(root, '.build/lock')));
      }
      const { status, output, built } = await build(root);
      assert.equal(status, 0, output);
      assert.equal(built, true);
    });
  }

  test('takes over a lock whose holder is gone, or has not moved for long', async () => {
    for (const holder of [999999999, process.pid]) {
      write(root, 'src/one.ts', `export const one: number = ${Date.now()};\n`);
      write(root, '.build/lock', `${holder} 0\n`);
      const longAgo = new Date(Date.now() - 120_000);
      if (holder === process.pid) utimesSync(join(root, '.build/lock'), longAgo, longAgo);
      assert.equal((await build(root)).status, 0);
    }
  });

  test('waits for a lock whose holder lives', async () => {
    write(root, 'src/one.ts', `export const one: number = ${Date.now()};\n`);
    write(root, '.build/lock', `${process.pid} 0\n`);
    const run = start(root, ['build']);
    while (!run.output.includes('waiting')) await new Promise((resolve) => setTimeout(resolve, 2));
    assert(!run.output.includes('building'));
    rmSync(join(root, '.build/lock'));
    assert.equal((await run.ended).status, 0);
  });

  test('`npm test WORD` runs the tests whose path contains it, and says so when there are none', async () => {
    const all = await start(root, ['test']).ended;
    assert.match(all.output, /ran one[\s\S]*ran two/);
    const some = await start(root, ['test', 'two']).ended;
    assert.equal(some.status, 0);
    assert.match(some.output, /ran two/);
    assert.doesNotMatch(some.output, /ran one/);
    const none = await start(root, ['test', 'three']).ended;
    assert.equal(none.status, 1);
    assert.match(none.output, /^mbuma: no test file's path contains three\n$/);
  });

  test('a failing test is a failing command', async () => {
    write(root, 'src/two.test.ts', "import { test } from 'node:test';\ntest('no', () => { throw 1; });\n");
    assert.equal((await start(root, ['test', 'two']).ended).status, 1);
  });
});

describe('the install', () => {
  const entry = { version: '1.0.0', integrity: 'sha512-a' };
  const optional = { ...entry, optional: true };
  let root;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'mbuma-install-'));
    write(root, 'node_modules/a/package.json', '{}');
    write(root, 'node_modules/here/package.json', '{}');
    const here = { ...optional, os: [process.platform], cpu: [process.arch] };
    const packages = { 'node_modules/a': entry, 'node_modules/here': here };
    lock('node_modules/.package-lock.json', packages);
    const elsewhere = { ...optional, os: ['plan9'] };
    const absent = {
      'node_modules/elsewhere': elsewhere,
      'node_modules/musl': { ...optional, libc: ['musl'] },
    };
    lock('package-lock.json', { '': {}, ...packages, ...absent });
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));
  const lock = (path, packages) => write(root, path, JSON.stringify({ packages }));
  const change = (path, edit) => {
    const value = JSON.parse(readFileSync(join(root, path), 'utf8'));
    edit(value.packages);
    write(root, path, JSON.stringify(value));
  };

  test('is not needed when every package for this platform is there', () => {
    assert.equal(whyInstall(root), null);
  });

  test('is needed on a first run, after an interrupted one, and when anything differs', () => {
    change('package-lock.json', (packages) => {
      packages['node_modules/a'].version = '1.0.1';
    });
    assert.equal(whyInstall(root), 'a has changed');
    change('node_modules/.package-lock.json', (packages) => {
      packages['node_modules/a'].version = '1.0.1';
    });
    assert.equal(whyInstall(root), null);
    rmSync(join(root, 'node_modules/a'), { recursive: true });
    assert.equal(whyInstall(root), 'node_modules/a is gone');
    write(root, 'node_modules/a/package.json', '{}');
    change('node_modules/.package-lock.json', (packages) => {
      delete packages['node_modules/here'];
    });
    assert.equal(whyInstall(root), 'here has changed', 'installed on another platform');
    rmSync(join(root, 'node_modules/.package-lock.json'));
    assert.equal(whyInstall(root), 'first run');
  });

  test('without a network, and without its packages in the cache, says so in one line', async () => {
    const tree = makeTree();
    rmSync(join(tree, 'node_modules'));
    const env = { npm_config_registry: 'http://127.0.0.1:9/', npm_config_cache: join(tree, 'empty-cache') };
    const { status, output } = await start(tree, ['test'], { env }).ended;
    assert.equal(status, 1);
    assert.match(output, /^mbuma: installing .*\nmbuma: cannot reach the npm registry \(ECONNREFUSED\).*\n$/);
    rmSync(tree, { recursive: true });
  });
});

test('package-lock.json names no host, and the packages of every platform', () => {
  const { packages } = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8'));
  const missing = [];
  for (const [path, { optionalDependencies = {}, resolved }] of Object.entries(packages)) {
    assert.equal(resolved, undefined, path);
    for (const name of Object.keys(optionalDependencies)) {
      if (!Object.keys(packages).some((other) => other.endsWith(`node_modules/${name}`))) missing.push(name);
    }
  }
  assert.deepEqual(missing, []);
});

test('a Node that is too old is told so in one line', async () => {
  for (const [version, enough] of [
    ['18.20.4', false],
    ['20.18.3', false],
    ['20.19.0', true],
    ['26.0.0', true],
  ]) {
    const versions = { ...process.versions, node: version };
    const preload = join(mkdtempSync(join(tmpdir(), 'mbuma-version-')), 'preload.cjs');
    writeFileSync(
      preload,
      `Object.defineProperty(process, 'versions', { value: ${JSON.stringify(versions)} });`,
    );
    const { status, output } = await start(repository, ['no-such-task'], { node: ['-r', preload] }).ended;
    if (enough) assert.equal(status, 2, output);
    else assert.equal(output, `mbuma: needs Node 20.19 or newer; this is Node ${version}\n`);
    rmSync(dirname(preload), { recursive: true });
  }
});

test('the generated helper is what helper.wat gives', async () => {
  const wat = readFileSync(join(repository, helperSource), 'utf8');
  assert.equal(await assembleHelper(repository, wat), readFileSync(join(repository, helperOutput), 'utf8'));
});
