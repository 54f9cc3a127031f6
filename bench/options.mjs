import { parseArgs } from 'node:util';
import { PEERS } from './competitors.mjs';
import { ALL_SIZES, GROUPS, MALLOC_SIZES, SUITES } from './suites.mjs';

export const HELP = `usage: npm run bench -- [options]

Measures mbuma and its peers interleaved, one process for each cell, and prints ns per item.

  --suite NAME,...   only these suites: ${SUITES.join(', ')};
                     malloc stands for ${GROUPS.malloc.join(', ')}
  --peer NAME,...    only these peers: ${PEERS.map((peer) => peer.name).join(', ')}
  --size BYTES,...   only these sizes: ${ALL_SIZES.join(', ')}; of malloc ${MALLOC_SIZES.join(', ')}
                     (default: 64 of malloc, else all); all: all that each suite has
  --rounds N         processes of each cell (default 7)
  --quick            64 bytes, 3 rounds
  --capture FILE     a packet capture for the suite replay (left out without it)
  --repeat K         how many times the capture is replayed in one process (default 30)
  --trace FILE,...   allocation traces for the suite trace (left out without one)
  --json             rows {suite, size, peer, ours, theirs, ratio} instead of tables
  --help
`;

export class UsageError extends Error {}

const SIZES = [...new Set([...ALL_SIZES, ...MALLOC_SIZES])].sort((a, b) => a - b).map(String);

const list = { type: 'string', multiple: true };
const flag = { type: 'boolean', default: false };

function parse(args) {
  try {
    return parseArgs({
      args,
      options: {
        suite: list,
        peer: list,
        size: list,
        rounds: { type: 'string' },
        quick: flag,
        capture: { type: 'string' },
        repeat: { type: 'string', default: '30' },
        trace: list,
        json: flag,
        help: flag,
      },
    }).values;
  } catch (error) {
    throw new UsageError(error.message);
  }
}

/** `--name a,b --name c` gives a set of three, each one of `known`; null when it was not given. */
function namesOf(option, given, known) {
  if (given === undefined) return null;
  const names = new Set(given.join(',').split(','));
  for (const name of names) {
    if (!known.includes(name)) {
      throw new UsageError(`--${option} ${name || "''"}: not one of ${known.join(', ')}`);
    }
  }
  return names;
}

function countOf(option, text) {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1 || count > 1000) {
    throw new UsageError(`--${option} ${text || "''"}: not a whole number from 1 to 1000`);
  }
  return count;
}

export function readOptions(args) {
  const given = parse(args);
  const named = namesOf('size', given.size, [...SIZES, 'all']) ?? (given.quick ? new Set(['64']) : null);
  const sizes = named?.has('all') ? new Set(SIZES) : named;
  const suites = namesOf('suite', given.suite, [...SUITES, ...Object.keys(GROUPS)]);
  return {
    help: given.help,
    json: given.json,
    suites: suites === null ? null : new Set([...suites].flatMap((name) => GROUPS[name] ?? [name])),
    peers: namesOf(
      'peer',
      given.peer,
      PEERS.map((peer) => peer.name),
    ),
    sizes: sizes === null ? null : new Set([...sizes].map(Number)),
    rounds: countOf('rounds', given.rounds ?? (given.quick ? '3' : '7')),
    capture: given.capture ?? null,
    traces: (given.trace ?? []).join(',').split(',').filter(Boolean),
    repeat: countOf('repeat', given.repeat),
  };
}
