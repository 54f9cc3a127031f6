// What `npm run proof --` is given.

import { parseArgs } from 'node:util';
import { rows } from './rows.mjs';

export const HELP = `npm run proof -- [options]

  --level ci|nightly   how much is tried (default ci: minutes; nightly: hours)
  --only ROW,...       only these rows: ${rows.map(({ name }) => name).join(', ')}
  --seed N             another run (default 1)
  --state FOLDER       saves how far each row is, and goes on from there
  --help
`;

export class UsageError extends Error {}

const SEED_MAX = 2 ** 32 - 1;

function parse(args) {
  const text = { type: 'string' };
  const options = { level: text, only: text, seed: text, state: text, help: { type: 'boolean' } };
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw new UsageError(error.message.split('\n')[0]);
  }
}

export function readOptions(args) {
  const { level = 'ci', only, seed = '1', state = null, help = false } = parse(args);
  if (level !== 'ci' && level !== 'nightly') throw new UsageError(`--level ${level}: not ci or nightly`);
  const number = Number(seed);
  if (seed.trim() === '' || !Number.isSafeInteger(number) || number < 0 || number > SEED_MAX)
    throw new UsageError(`--seed ${seed || "''"}: not a whole number from 0 to ${SEED_MAX}`);
  if (state === '') throw new UsageError("--state '': not a folder");
  const names = only?.split(',') ?? rows.map(({ name }) => name);
  for (const name of names) {
    if (!rows.some((row) => row.name === name))
      throw new UsageError(`--only ${name || "''"}: not one of ${rows.map((row) => row.name).join(', ')}`);
  }
  return { level, seed: number, state, help, rows: rows.filter(({ name }) => names.includes(name)) };
}
