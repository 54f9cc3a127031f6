/** The program of the comparison of traces: one rival, one thread, the order of the trace. */

import { performance } from 'node:perf_hooks';
import { peakRssBytes } from '../compare/index.js';
import { serve } from '../compare/serve.js';
import { type GcFigures, sumGc, watchGc } from '../replay/gc-watch.js';
import { createBufferPlayer } from './buffers.js';
import { createPlayer, DONE, NO_MEMORY, type Player } from './player.js';
import { openPool } from './pool.js';
import type { RivalOptions, RivalResult } from './rivals.js';
import { readTrace, type Trace } from './trace-file.js';

/** What a rival plays a trace with, and how it frees what the trace leaves live. */
interface Side {
  readonly player: Player;
  clear(): void;
}

type OpenSide = (trace: Trace) => Side;

/** Null: it cannot be had. */
async function openRival({ rival, memoryBytes, fills }: RivalOptions): Promise<OpenSide | null> {
  if (rival === 'Buffer.allocUnsafe') {
    return ({ objectMax }) => {
      const player = createBufferPlayer(objectMax, fills);
      return { player, clear: player.clear };
    };
  }
  const pool = await openPool(memoryBytes);
  if (pool === null) return null;
  const { allocator, ground } = pool;
  return ({ objectMax }) => {
    const addresses = new Int32Array(objectMax + 1);
    return {
      player: createPlayer(allocator, { ...ground, addresses }, fills),
      clear() {
        for (const block of addresses) if (block !== 0) allocator.free(block);
        addresses.fill(0);
      },
    };
  };
}

/** Plays all records; the first that cannot be played, from 1, and why; or nothing. */
function playAll({ play }: Player, trace: Trace): string {
  const { records, operations, objects, sizes, befores } = trace;
  for (let record = 0; record < records; record++) {
    const outcome = play(
      operations[record] as number,
      objects[record] as number,
      sizes[record] as number,
      befores[record] as number,
    );
    if (outcome === DONE) continue;
    const what =
      outcome === NO_MEMORY ? 'it found no memory' : 'a block does not hold what was written to it';
    return `${trace.file}: record ${record + 1}: ${what}`;
  }
  return '';
}

async function run(options: RivalOptions): Promise<RivalResult> {
  const traces = options.files.map(readTrace);
  const open = await openRival(options);
  if (open === null) return { leftOut: `the package is not installed: npm install ${options.rival}` };
  const pauses: GcFigures[] = [];
  let seconds = 0;
  let ops = 0;
  for (const trace of traces) {
    const { player, clear } = open(trace);
    for (let pass = 0; pass < options.repeat; pass++) {
      const gcWatch = watchGc();
      const started = performance.now();
      const failed = playAll(player, trace);
      seconds += (performance.now() - started) / 1000;
      pauses.push(await gcWatch.stop(started));
      if (failed !== '') return { leftOut: failed };
      clear();
      ops += trace.records;
    }
  }
  return { ops, seconds, opsPerSecond: ops / seconds, gc: sumGc(pauses), peakRss: peakRssBytes() };
}

await serve(run);
