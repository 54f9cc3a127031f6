import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { filler, pcap, pcapng, udpFrame } from './testing/captures.test-kit.js';
import { ended, mbuma, plainEnv, start } from './testing/command.test-kit.js';
import { fileOf, MAIN, SAMPLE } from './testing/files.test-kit.js';

suite('usage', () => {
  test('help goes to standard output', async () => {
    for (const args of [['--help'], ['-h'], ['replay', '--help'], ['sysctl', '-h']]) {
      const { status, stdout, stderr } = await mbuma(...args);
      assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
      const replayOptions = ['--workers', '--repeat', '--memory', '--top', '--set', '--sysctl', '--compare'];
      for (const option of [...replayOptions, '--json', '--writable', '--description']) {
        assert.ok(stdout.includes(option), option);
      }
      for (const line of stdout.split('\n')) assert.ok(line.length <= 100, line);
    }
  });

  test('the version is that of the package', async () => {
    const file = fileURLToPath(new URL('../../package.json', import.meta.url));
    const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
    assert.deepEqual(await mbuma('--version'), { status: 0, stdout: `${version}\n`, stderr: '' });
  });

  const refused: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [[], /a command is missing/],
    [['replay'], /a capture or trace file is missing/],
    [['play', SAMPLE], /unknown command "play"/],
    [['replay', SAMPLE, '--bogus'], /--bogus/],
    [['replay', SAMPLE, '--json=yes'], /--json/],
    [['replay', SAMPLE, '--workers'], /--workers/],
    [['replay', SAMPLE, '--workers', '0'], /--workers must be a whole number from 1 to 64, not "0"/],
    [['replay', SAMPLE, '--workers', '65'], /--workers/],
    [['replay', SAMPLE, '--workers', '1.5'], /--workers/],
    [['replay', SAMPLE, '--workers', '0x2'], /--workers/],
    [['replay', SAMPLE, '--workers', ''], /--workers/],
    [['replay', SAMPLE, '--workers=-1'], /--workers/],
    [['replay', SAMPLE, '--repeat', '0'], /--repeat/],
    [['replay', SAMPLE, '--repeat', '99999999999999999999'], /--repeat/],
    [['replay', SAMPLE, '--top', 'all'], /--top/],
    [['replay', SAMPLE, '--memory', 'much'], /--memory must be a size such as 64M or 1G, not "much"/],
    [['replay', SAMPLE, '--memory', '64X'], /--memory/],
    [['replay', SAMPLE, '--memory', ''], /--memory/],
    [['replay', SAMPLE, '--memory', '1.5G'], /--memory/],
    [['replay', SAMPLE, '--memory', '1e9'], /--memory/],
    [['replay', SAMPLE, '--memory', '999999999999G'], /--memory/],
  ];
  for (const [args, message] of refused) {
    test(`refused: mbuma ${args.map((arg) => (arg === SAMPLE ? 'FILE' : arg || "''")).join(' ')}`, async () => {
      const { status, stdout, stderr } = await mbuma(...args);
      assert.deepEqual({ status, stdout }, { status: 2, stdout: '' });
      assert.match(stderr, message);
      assert.match(stderr, /^mbuma: [^\n]+\n$/);
    });
  }
});

suite('bad input: one line, status 1', () => {
  const whole = pcap([{ data: filler(100) }]);
  const cases: readonly (readonly [name: string, file: string, message: RegExp])[] = [
    ['missing', '/nowhere/x.pcap', /^mbuma: \/nowhere\/x\.pcap: no such file\n$/],
    ['a folder', '/', /^mbuma: \/: at byte offset 0: is a directory\n$/],
    ['empty', fileOf(''), /\.pcap: at byte offset 0: the file is empty\n$/],
    ['foreign', fileOf('hello, world\n'), /at byte offset 0: not a pcap or pcapng capture/],
    ['cut', fileOf(whole.subarray(0, 100)), /at byte offset 24: the record is longer than the file/],
    ['cut pcapng', fileOf(pcapng([{ kind: 'section' }]).subarray(0, 20)), /at byte offset 0: the file ends/],
  ];
  for (const [name, file, message] of cases) {
    test(name, async () => {
      const { status, stdout, stderr } = await mbuma('replay', file, '--json');
      assert.deepEqual({ status, stdout }, { status: 1, stdout: '' });
      assert.match(stderr, message);
      assert.match(stderr, /^mbuma: [^\n]+\n$/);
    });
  }

  test('a memory that is too small', async () => {
    const { status, stdout, stderr } = await mbuma('replay', SAMPLE, '--memory', '64K');
    assert.deepEqual({ status, stdout }, { status: 1, stdout: '' });
    assert.match(stderr, /^mbuma: --memory: 65536 bytes are too small[^\n]*\n$/);
  });
});

suite('output', () => {
  test('text: totals, conversations, tables, verdict; no escapes', async () => {
    const { status, stdout, stderr } = await mbuma('replay', SAMPLE, '--workers', '1', '--top', '3');
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
    for (const wanted of [
      /^1,790 packets, 1,977,819 bytes on the wire, from 1 file$/m,
      /TCP 1,710, UDP 80, other IP 0, not IP 0/,
      /57 TCP conversations, 40 UDP conversations/,
      /packets\/s, .*B\/s/,
      /^tcp +127\.0\.0\.1:60484 +127\.0\.0\.1:16379 +75 +287,644 +49 +4,188 +26 +283,456$/m,
      /^\d+\/\d+\/\d+ mbufs in use \(current\/cache\/total\)$/m,
      /^ITEM +SIZE +LIMIT +USED +FREE +REQ FAIL SLEEP XDOM$/m,
      /^conversation: +112, /m,
      /^Audit: clean/m,
    ]) {
      assert.match(stdout, wanted);
    }
    assert.equal(stdout.match(/^tcp /gm)?.length, 3);
    assert.ok(!stdout.includes('\u001b'));
  });

  test('JSON: one object with the documented fields and no others', async () => {
    const { status, stdout, stderr } = await mbuma(
      'replay',
      SAMPLE,
      '--json',
      '--top',
      '1',
      '--workers',
      '2',
    );
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
    assert.equal(stdout.split('\n').length, 2);
    const result = JSON.parse(stdout);
    assert.deepEqual(Object.keys(result).sort(), [
      'audit',
      'bytes',
      'conversations',
      'files',
      'fragments',
      'gc',
      'memory',
      'nonIp',
      'otherIp',
      'packets',
      'packetsPerSecond',
      'peakRss',
      'seconds',
      'tcp',
      'top',
      'udp',
      'workers',
    ]);
    assert.deepEqual(result.top, [
      { protocol: 'tcp', a: '127.0.0.1:60484', b: '127.0.0.1:16379', packets: 75, bytes: 287_644 },
    ]);
    assert.deepEqual(Object.keys(result.gc), ['count', 'ms', 'maxMs']);
    assert.deepEqual(result.conversations, { tcp: 57, udp: 40 });
    assert.deepEqual(result.audit, { clean: true, violations: [] });
    assert.deepEqual([result.files, result.packets, result.workers], [1, 1790, 2]);
    for (const zone of result.memory.zones) {
      assert.deepEqual(Object.keys(zone), [
        'name',
        'size',
        'limit',
        'used',
        'free',
        'requests',
        'failures',
        'sleeps',
      ]);
    }
    assert.ok(Math.abs(result.packetsPerSecond - result.packets / result.seconds) < 1);
  });

  test('compare: both sides, with the same counts', async () => {
    const text = await mbuma('replay', SAMPLE, '--compare', '--workers', '1');
    assert.deepEqual([text.status, text.stderr], [0, '']);
    assert.match(text.stdout, /^packets\/s +\S+( [kM])? +\S+( [kM])? +[\d.]+$/m);
    assert.match(text.stdout, /^peak RSS .*MiB/m);
    assert.match(text.stdout, /^GC pauses/m);
    const { stdout } = await mbuma(
      'replay',
      SAMPLE,
      '--compare',
      '--json',
      '--workers',
      '2',
      '--repeat',
      '2',
    );
    const { compare, ...ours } = JSON.parse(stdout);
    for (const figure of [
      'packets',
      'bytes',
      'tcp',
      'udp',
      'otherIp',
      'nonIp',
      'fragments',
      'workers',
      'files',
    ]) {
      assert.equal(compare[figure], ours[figure], figure);
    }
    assert.deepEqual(compare.conversations, ours.conversations);
    for (const figure of ['seconds', 'packetsPerSecond', 'peakRss']) assert.ok(compare[figure] > 0, figure);
    assert.deepEqual(Object.keys(compare.gc), ['count', 'ms', 'maxMs']);
  });

  test('a reader that has seen enough is no error', async () => {
    const child = start(['replay', SAMPLE]);
    child.stdout?.destroy();
    const { status, stderr } = await ended(child);
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  });

  test('from a pipe, whose size nobody knows', async () => {
    const shell = spawn(
      'sh',
      ['-c', `cat "$1" | "$2" "$3" replay /dev/stdin --json`, 'sh', SAMPLE, process.execPath, MAIN],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: plainEnv(),
      },
    );
    const { status, stdout, stderr } = await ended(shell);
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
    assert.equal(JSON.parse(stdout).packets, 1790);
  });
});

suite('interrupted', () => {
  const endless = fileOf(
    pcap(
      Array.from({ length: 2000 }, () => ({ data: udpFrame('10.0.0.1', '10.0.0.2', { from: 1, to: 2 }) })),
    ),
  );

  for (const compare of [[], ['--compare']]) {
    test(`Ctrl-C ends it promptly with status 130 ${compare.join('')}`, async () => {
      const child = start(['replay', endless, '--repeat', '1000000', ...compare]);
      setTimeout(() => child.kill('SIGINT'), 700);
      const before = performance.now();
      const { status, stdout, stderr } = await ended(child);
      assert.deepEqual(
        { status, stdout, stderr },
        { status: 130, stdout: '', stderr: 'mbuma: interrupted\n' },
      );
      assert.ok(performance.now() - before < 20_000);
    });
  }
});

/** `script` gives the command a terminal. */
const hasScript = spawnSync('script', ['--version'], { stdio: 'ignore' }).status === 0;

suite('on a terminal', { skip: !hasScript && 'script(1) is not installed' }, () => {
  async function typed(env: NodeJS.ProcessEnv): Promise<string> {
    const command = `"${process.execPath}" "${MAIN}" replay "${SAMPLE}" --repeat 300 --workers 1`;
    const child = spawn('script', ['-qec', command, '/dev/null'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: plainEnv({ TERM: 'xterm', ...env }),
    });
    const output = ended(child);
    const [status] = await once(child, 'exit');
    assert.equal(status, 0);
    return (await output).stdout;
  }

  test('a progress bar, which is gone at the end, and a cursor that is always there', async () => {
    const output = await typed({});
    assert.match(output, /\[=* *\] +\d+ % +\S+( [kM])? packets/);
    assert.ok(!output.includes('\u001b[?25l'), 'the cursor is hidden');
    assert.match(output, /537,000 packets/);
  });

  test('nothing but text with NO_COLOR or a dumb terminal', async () => {
    for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) {
      const output = await typed(env);
      assert.ok(!output.includes('\u001b'));
      assert.ok(!output.includes('%'));
    }
  });
});
