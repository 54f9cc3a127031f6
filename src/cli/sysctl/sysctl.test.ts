import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { createMemory, type SysctlLeaf } from '../../index.js';
import { UsageError } from '../errors.js';
import { ended, mbuma, plainEnv, start } from '../testing/command.test-kit.js';
import { MAIN, SAMPLE } from '../testing/files.test-kit.js';
import { assign, readAssignment } from './assignments.js';
import { formatChange, formatLeaf, formatType } from './format.js';

const leaf: SysctlLeaf = {
  name: 'a.b',
  type: 'integer',
  value: 7,
  unit: 'items',
  least: 1,
  most: 9,
  writable: true,
  description: 'How many.',
};

test('a leaf, in all details', () => {
  assert.equal(formatLeaf(leaf, 'value'), 'a.b: 7');
  assert.equal(formatLeaf(leaf, 'value alone'), '7');
  assert.equal(formatLeaf(leaf, 'name alone'), 'a.b');
  assert.equal(formatLeaf(leaf, 'description'), 'a.b: How many.');
  assert.equal(formatLeaf(leaf, 'type'), 'a.b: integer, items, 1 to 9, writable');
  assert.equal(formatType({ ...leaf, unit: '', most: Number.MAX_SAFE_INTEGER, writable: false }), 'integer');
  const text: SysctlLeaf = { ...leaf, type: 'string', value: '', unit: '', least: null, most: null };
  assert.equal(formatLeaf(text, 'value'), 'a.b:');
  assert.equal(formatChange(leaf, { ...leaf, value: 8 }), 'a.b: 7 -> 8');
});

test('an assignment is cut at its first equals sign', () => {
  assert.deepEqual(readAssignment('a.b=5'), { name: 'a.b', value: '5' });
  assert.deepEqual(readAssignment('a==5'), { name: 'a', value: '=5' });
  assert.deepEqual(readAssignment('=5'), { name: '', value: '5' });
  assert.equal(readAssignment('a.b'), null);
});

test('values are read by the type of the leaf, and nothing is guessed', () => {
  const memory = createMemory({ bytes: 1 << 20 });
  const set = (name: string, value: string): unknown => {
    assign(memory, { name, value });
    return memory.sysctl.get(name);
  };
  assert.equal(set('vm.zone_warnings', '0'), false);
  assert.equal(set('vm.zone_warnings', 'true'), true);
  assert.equal(set('vm.zone_warnings', 'false'), false);
  assert.equal(set('vm.uma_timeout_ms', '0'), 0);
  assert.equal(set('vm.uma_timeout_ms', '3600000'), 3_600_000);
  assert.equal(set('vm.uma_timeout_ms', '00012'), 12);
  for (const value of ['', ' 1', '1 ', '+1', '-1', '3600001', '1.0', '1e3', '0x10', '1_000', 'NaN', '١'])
    assert.throws(() => set('vm.uma_timeout_ms', value), UsageError, value);
  for (const value of ['', '2', 'yes', 'TRUE'])
    assert.throws(() => set('vm.zone_warnings', value), UsageError, value);
  assert.throws(() => set('vm.zone_count', '1'), /vm\.zone_count is for reading/);
  assert.throws(() => set('vm.zone', '1'), /there is no sysctl "vm\.zone"/);
  assert.equal(memory.sysctl.get('vm.uma_timeout_ms'), 12);
});

suite('mbuma sysctl', () => {
  const page = readFileSync(new URL('../../../src/cli/sysctl/README.md', import.meta.url), 'utf8');
  const examples = [...page.matchAll(/^\$ mbuma (.*)\n((?:(?!\$ |```).*\n)*)/gm)];

  test('the README has examples', () => {
    assert.ok(examples.length >= 9);
  });
  for (const [, args = '', expected] of examples) {
    test(`as the README says: mbuma ${args}`, async () => {
      const { status, stdout, stderr } = await mbuma(...args.split(' '));
      const isError = stderr !== '';
      assert.deepEqual([status, stdout + stderr], [isError ? 2 : 0, expected]);
      assert.equal(stdout === '', isError);
    });
  }

  test('everything: each leaf of a fresh memory once, depth first', async () => {
    const memory = createMemory({ bytes: 64 << 20 });
    memory.mbufs.stats();
    const leaves = memory.sysctl.list();
    const names = await mbuma('sysctl', '-N');
    assert.deepEqual(
      names.stdout.trimEnd().split('\n'),
      leaves.map(({ name }) => name),
    );
    const { status, stdout, stderr } = await mbuma('sysctl');
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
    assert.deepEqual(
      stdout.trimEnd().split('\n'),
      leaves.map((each) => formatLeaf(each, 'value')),
    );
    const { stdout: all } = await mbuma('sysctl', 'all');
    assert.equal(all, stdout);
  });

  test('JSON: one object with all that is told of each', async () => {
    const { status, stdout } = await mbuma('sysctl', '--json', 'kern.ipc.nmbufs=9', 'vm.zone_warnings');
    assert.equal(status, 0);
    assert.equal(stdout.split('\n').length, 2);
    assert.deepEqual(JSON.parse(stdout), {
      'kern.ipc.nmbufs': {
        type: 'integer',
        value: 9,
        unit: 'items',
        least: 0,
        most: 0x7fffffff,
        writable: true,
        description: 'Most mbufs, those of packets not counted; 0: no limit.',
      },
      'vm.zone_warnings': {
        type: 'boolean',
        value: true,
        unit: '',
        least: null,
        most: null,
        writable: true,
        description: '1: who meets the limit of a zone that has a warning is told; 0: nobody is.',
      },
    });
  });

  const refused: readonly (readonly [args: readonly string[], message: RegExp, status?: number])[] = [
    [['sysctl', '-x'], /-x/],
    [['sysctl', '--json=1'], /--json/],
    [['sysctl', '-d', '-t'], /exclude each other/],
    [['sysctl', '--json', '-n'], /exclude each other/],
    [['sysctl', ''], /must not be empty/],
    [['sysctl', '='], /there is no sysctl ""/],
    [['sysctl', 'vm.'], /there is no sysctl "vm\."/],
    [['sysctl', 'vm=1'], /vm is a branch/],
    [['sysctl', 'hw.pagesize', 'vm.x'], /there is no sysctl "vm\.x"/],
    [['sysctl', 'kern.ipc.nmbufs=5', 'kern.ipc.nmbufs=-5'], /from 0 to 2147483647, not "-5"/],
    [['sysctl', '--memory', 'much'], /--memory must be a size/],
    [['sysctl', '--memory', '64K'], /65536 bytes are too small/, 1],
    [['sysctl', '--memory', '4G'], /bytes are too large/, 1],
    [['--json', 'sysctl'], /options stand behind it/],
    [['replay', SAMPLE, '--set'], /--set/],
    [['replay', SAMPLE, '--set', 'vm.zone_warnings'], /--set must be NAME=VALUE, not "vm\.zone_warnings"/],
    [['replay', SAMPLE, '--set', 'vm.x=1'], /there is no sysctl "vm\.x"/],
    [['replay', SAMPLE, '--set', 'vm.x=1', '--compare'], /there is no sysctl "vm\.x"/],
    [['replay', SAMPLE, '--set', 'vm.zone_count=1'], /for reading/],
    [['replay', '/nowhere/x.pcap', '--set', 'vm.zone_warnings=9'], /must be 0 or 1, not "9"/],
    [['replay', SAMPLE, '--sysctl'], /--sysctl/],
    [['replay', SAMPLE, '--sysctl', ''], /must not be empty/],
    [['replay', '/nowhere/x.pcap', '--sysctl', 'vm.x'], /there is no sysctl "vm\.x"/],
    [['replay', SAMPLE, '--set', 'kern.ipc.nmbjumbo16=1'], /too small, or --set has made too little/, 1],
  ];
  for (const [args, message, wanted = 2] of refused) {
    test(`refused: mbuma ${args.map((arg) => (arg === SAMPLE ? 'FILE' : arg || "''")).join(' ')}`, async () => {
      const { status, stdout, stderr } = await mbuma(...args);
      assert.deepEqual({ status, stdout }, { status: wanted, stdout: '' });
      assert.match(stderr, message);
      assert.match(stderr, /^mbuma: [^\n]+\n$/);
    });
  }

  test('a reader that has seen enough is no error', async () => {
    const child = start(['sysctl']);
    child.stdout?.destroy();
    const { status, stderr } = await ended(child);
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  });

  test('a full disk is told in one line', { skip: !existsSync('/dev/full') && 'no /dev/full' }, async () => {
    const child = spawn('sh', ['-c', `"$1" "$2" sysctl > /dev/full`, 'sh', process.execPath, MAIN], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: plainEnv(),
    });
    const { status, stderr } = await ended(child);
    assert.equal(status, 1);
    assert.match(stderr, /^mbuma: standard output: [^\n]*no space left[^\n]*\n$/);
  });
});

suite('mbuma replay', () => {
  const stats = 'vm.uma.conversation.stats';
  const names = [`${stats}.frees`, `${stats}.allocs`, 'kern.ipc.nmbufs'].flatMap((name) => [
    '--sysctl',
    name,
  ]);

  test('--sysctl tells of the memory that the replay used, --set sets it before', async () => {
    const set = ['--set', 'kern.ipc.nmbufs=20000', '--set', 'vm.zone_warnings=0'];
    const { status, stdout, stderr } = await mbuma('replay', SAMPLE, '--workers', '2', ...set, ...names);
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
    const [, section] = /Tunables and figures \(sysctl\)\n\n([\s\S]*?)\n\nAudit: clean/.exec(stdout) ?? [];
    assert.deepEqual(section?.split('\n'), [
      'vm.uma.conversation.stats.frees: 97',
      'vm.uma.conversation.stats.allocs: 97',
      'kern.ipc.nmbufs: 20000',
    ]);
    assert.match(stdout, /^mbuf: +256, +20000,/m);
  });

  test('as JSON: names and values; with --compare, too; rings are there, threads have gone', async () => {
    const more = ['--sysctl', 'kern.ipc.rings', '--sysctl', 'kern.thread.2', '--sysctl', 'vm.zone_warnings'];
    const { stdout } = await mbuma(
      'replay',
      SAMPLE,
      '--json',
      '--compare',
      '--workers',
      '1',
      ...names,
      ...more,
    );
    const { sysctl } = JSON.parse(stdout);
    const wanted = {
      'vm.uma.conversation.stats.frees': 97,
      'vm.uma.conversation.stats.allocs': 97,
      // An eighth of the pages: how many these are depends on the layout.
      'kern.ipc.nmbufs': sysctl['kern.ipc.nmbufs'],
      'kern.ipc.rings.packets_0.capacity': 4096,
      'kern.ipc.rings.packets_0.closed': true,
      'kern.ipc.rings.packets_0.used': 0,
      'vm.zone_warnings': true,
    };
    assert.deepEqual({ ...sysctl, ...wanted }, sysctl);
    assert.ok(sysctl['kern.ipc.nmbufs'] > 25_000 && sysctl['kern.ipc.nmbufs'] < 32_768);
    assert.deepEqual(
      Object.keys(sysctl).filter(
        (name) => !Object.hasOwn(wanted, name) && !name.startsWith('kern.ipc.rings.'),
      ),
      [],
    );
  });
});
