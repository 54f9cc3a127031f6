// What the processes said, and the rows made of it.
import { median, pairedRatio } from './statistics.mjs';

const keyOf = (cell, competitor) => `${cell.suite} ${cell.size} ${competitor.name}`;

const OURS = { name: 'ours' };

const NO_GC = { count: 0, major: 0, ms: 0, maxMs: 0 };

/** Medians and bests over processes; the worst process counts for garbage collection. */
function summarize(processes) {
  if (processes.length === 0) return null;
  const gcs = processes.map((figures) => figures.gc ?? NO_GC);
  return {
    median: median(processes.map((figures) => figures.median)),
    best: Math.min(...processes.map((figures) => figures.best)),
    gcCount: Math.max(...gcs.map((gc) => gc.count)),
    gcMaxMs: Math.max(...gcs.map((gc) => gc.maxMs)),
  };
}

/** The most bytes that a competitor used, by what it calls them; null: it tells none. */
function peaksOf(processes) {
  const [first] = processes;
  if (first?.peaks === undefined) return null;
  const names = Object.keys(first.peaks);
  return Object.fromEntries(names.map((name) => [name, median(processes.map(({ peaks }) => peaks[name]))]));
}

/** Figures are told to a thousandth, which keeps the JSON readable. */
const rounded = (value) => (Number.isFinite(value) ? Math.round(value * 1000) / 1000 : null);

export class Results {
  #cells;
  #processes = new Map();
  #pairs = new Map();
  #failed = new Set();

  constructor(cells) {
    this.#cells = [...cells];
  }

  addCell(cell) {
    this.#cells.push(cell);
  }

  addProcess(cell, competitor, figures) {
    push(this.#processes, keyOf(cell, competitor), figures);
  }

  addFailure(cell, competitor) {
    this.#failed.add(keyOf(cell, competitor));
  }

  hasFailed(cell, competitor) {
    return this.#failed.has(keyOf(cell, competitor));
  }

  /** Whether every cell that ran has figures of ours. */
  get oursComplete() {
    return this.#cells.every((cell) => this.#processes.has(keyOf(cell, OURS)));
  }

  /** Two processes that ran next to each other; either may be missing (null). */
  addPair(cell, peer, ours, theirs) {
    if (ours === null || theirs === null) return;
    push(this.#pairs, keyOf(cell, peer), { ours: ours.median, theirs: theirs.median });
  }

  /**
   * One row for each peer of each cell, and one without a peer for a cell that nobody else can run; after
   * them those of bytes, where ours told how many it used.
   */
  rows() {
    return this.#cells.flatMap((cell) => [...this.#timeRows(cell), ...this.#byteRows(cell)]);
  }

  #processesOf(cell, competitor) {
    return this.#processes.get(keyOf(cell, competitor)) ?? [];
  }

  #timeRows(cell) {
    const ours = summarize(this.#processesOf(cell, OURS));
    if (cell.peers.length === 0) return ours === null ? [] : [rowOf(cell, null, ours, null, [])];
    return cell.peers.flatMap((peer) => {
      const theirs = summarize(this.#processesOf(cell, peer));
      if (theirs === null) return [];
      return [rowOf(cell, peer, ours, theirs, this.#pairs.get(keyOf(cell, peer)) ?? [])];
    });
  }

  #byteRows(cell) {
    const ours = peaksOf(this.#processesOf(cell, OURS));
    if (ours?.used === undefined) return [];
    const peers = cell.peers.flatMap((peer) =>
      Object.entries(peaksOf(this.#processesOf(cell, peer)) ?? {})
        .filter(([figure]) => figure !== 'live')
        .map(([figure, bytes]) => byteRowOf(cell, ours, `${peer.name} ${figure}`, bytes)),
    );
    return peers.length > 0 ? peers : [byteRowOf(cell, ours, null, null)];
  }
}

function push(map, key, value) {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else values.push(value);
}

/** `trace:redis` has its bytes in the rows of `traceBytes:redis`. */
function byteRowOf(cell, ours, peer, theirs) {
  return {
    suite: cell.suite.replace(':', 'Bytes:'),
    size: cell.size,
    peer,
    unit: 'bytes',
    live: ours.live,
    ours: ours.used,
    theirs,
    ratio: theirs === null ? null : rounded(ours.used / theirs),
  };
}

function rowOf(cell, peer, ours, theirs, pairs) {
  return {
    suite: cell.suite,
    size: cell.size,
    peer: peer?.name ?? null,
    ours: rounded(ours?.median),
    theirs: rounded(theirs?.median),
    ratio: rounded(pairedRatio(pairs)),
    oursBest: rounded(ours?.best),
    theirsBest: rounded(theirs?.best),
    oursGc: ours === null ? null : { count: ours.gcCount, maxMs: rounded(ours.gcMaxMs) },
    theirsGc:
      theirs === null || !peer.inJavaScript
        ? null
        : { count: theirs.gcCount, maxMs: rounded(theirs.gcMaxMs) },
    rounds: pairs.length,
  };
}
