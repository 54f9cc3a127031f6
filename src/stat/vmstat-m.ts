/** The table of `vmstat -m` as FreeBSD 7 prints it, with a highest use, which that one leaves out. */

/** The figures of a malloc type, as plain data. `memory.stats().malloc` gives them. */
export interface TypeFigures {
  readonly name: string;
  /** Blocks in use. */
  readonly used: number;
  readonly bytes: number;
  readonly bytesHigh: number;
  readonly requests: number;
  /** Sizes of blocks that were asked for; what is larger than every class, Infinity, has no column. */
  readonly sizes: readonly number[];
}

const kilobytes = (bytes: number): string => `${Math.ceil(bytes / 1024)}K`;

function line(type: string, used: string, memory: string, high: string, requests: string): string {
  return `${type.padStart(13)} ${used.padStart(5)} ${memory.padStart(6)} ${high.padStart(7)} ${requests.padStart(8)}  `;
}

function typeLine({ name, used, bytes, bytesHigh, requests, sizes }: TypeFigures): string {
  const head = line(name, String(used), kilobytes(bytes), kilobytes(bytesHigh), String(requests));
  return head + sizes.filter(Number.isFinite).join(',');
}

/** A header line, then one line for each type that was ever used; no newline at the end of the last. */
export function formatVmstatM(types: readonly TypeFigures[]): string {
  const header = `${line('Type', 'InUse', 'MemUse', 'HighUse', 'Requests')}Size(s)`;
  return [header, ...types.filter(({ requests }) => requests > 0).map(typeLine)].join('\n');
}
