/** The oracle: what tshark says of a capture, where it is installed. */

import { spawnSync } from 'node:child_process';

export interface Oracle {
  readonly packets: number;
  /** On the wire. */
  readonly bytes: number;
  /** Sorted lines. */
  readonly rows: readonly string[];
}

const OPTIONS = ['-o', 'ip.defragment:FALSE', '-o', 'ipv6.defragment:FALSE'];

export const hasTshark: boolean = spawnSync('tshark', ['--version'], { stdio: 'ignore' }).status === 0;

function tshark(file: string, args: readonly string[]): string {
  const { stdout, stderr, status } = spawnSync('tshark', ['-r', file, ...OPTIONS, ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  });
  if (status !== 0) throw new Error(`tshark: ${stderr}`);
  return stdout;
}

/** The conversations that tshark counts, one line each: protocol, ends, packets and bytes each way. */
export function askTshark(file: string): Oracle {
  const lengths = tshark(file, ['-T', 'fields', '-e', 'frame.len']).split('\n').filter(Boolean);
  const text = tshark(file, ['-q', '-z', 'conv,tcp', '-z', 'conv,udp']);
  const rows: string[] = [];
  let protocol = '';
  for (const line of text.split('\n')) {
    const title = /^(TCP|UDP) Conversations/.exec(line);
    if (title) protocol = (title[1] as string).toLowerCase();
    const row =
      /^(\S+)\s+<->\s+(\S+)\s+(\d+) (\d+ \w+)\s+(\d+) (\d+ \w+)\s+(\d+) (\d+ \w+)\s/.exec(line) ?? undefined;
    if (row === undefined) continue;
    const [, a, b, packetsBA, bytesBA, packetsAB, bytesAB] = row;
    rows.push(`${protocol} ${a} ${b} ${packetsAB} ${bytesAB} ${packetsBA} ${bytesBA}`);
  }
  return {
    packets: lengths.length,
    bytes: lengths.reduce((sum, length) => sum + Number(length), 0),
    rows: rows.sort(),
  };
}

/** A number of bytes as tshark prints it. */
export function oracleBytes(bytes: number): string {
  if (bytes < 10_000) return `${bytes} bytes`;
  if (bytes < 10_000_000) return `${Math.floor(bytes / 1000)} kB`;
  return `${Math.floor(bytes / 1_000_000)} MB`;
}
