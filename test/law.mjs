// The import law: who may import whom. The table is the one in docs and in src/README.md; law.test.mjs
// compares them.

import { posix } from 'node:path';
import { blank, isTestFile, lineAt } from './source.mjs';

/** Rank of each folder of src/. A folder imports only folders of a lower rank. */
export const ranks = {
  record: 0,
  check: 1,
  machine: 2,
  sysctl: 2,
  phys: 3,
  uma: 4,
  malloc: 5,
  mbuf: 5,
  mutex: 5,
  ring: 5,
  uvm: 5,
  stat: 6,
  explore: 6,
  node: 6,
  wasm: 6,
  cli: 7,
  eslint: 7,
  web: 7,
};

// src/index.ts and what lies beside it put the folders together: above all that they compose, below the
// programs.
const compositionRank = 6.5;
const lastCoreRank = 5;

const specifiers = [
  /(?<=^\s*|[;}]\s*)(?:import|export)\b(?:[^'";=()]*?\bfrom)?\s*(['"])(?<specifier>[^'"]+)\1/g,
  /\bimport\s*\(\s*(['"])(?<specifier>[^'"]+)\1/g,
  /\bnew\s+URL\s*\(\s*(['"])(?<specifier>\.[^'"]+\.js)\1\s*,\s*import\.meta\.url/g,
];

// What only src/machine may touch.
const machineOnly = /\bAtomics\s*\.|\bnew\s+SharedArrayBuffer\b|\bWebAssembly\s*\./g;

/** Every breach of the law in `files`, one line each: path, line, what. */
export function breaches(files, dependencies = []) {
  return files.flatMap((file) => [...importBreaches(file, dependencies), ...machineBreaches(file)]);
}

/** What a file imports, dynamically too and as a worker's URL: { specifier, line }. */
export function importsOf(text) {
  const code = blank(text, { strings: false });
  return specifiers.flatMap((pattern) =>
    [...code.matchAll(pattern)].map((match) => ({
      specifier: match.groups.specifier,
      line: lineAt(code, match.index),
    })),
  );
}

function importBreaches({ path, text }, dependencies) {
  const found = [];
  const folder = folderOf(path);
  const rank = rankOf(folder);
  const isTest = isTestFile(path);
  if (rank === undefined) return [`${path}: folder ${folder} has no rank`];
  for (const { specifier, line } of importsOf(text)) {
    const say = (what) => found.push(`${path}:${line}: ${what} (${specifier})`);
    if (specifier.startsWith('.')) {
      const target = posix.join(posix.dirname(path), specifier);
      const targetFolder = folderOf(target);
      const targetRank = rankOf(targetFolder);
      if (!target.startsWith('src/')) say('reaches out of src');
      else if (targetFolder === folder) continue;
      else if (targetRank === undefined) say('imports a folder without a rank');
      else if (isTest) continue;
      else if (targetRank >= rank) say(`rank ${rank} imports rank ${targetRank}`);
      else if (targetFolder !== '' && posix.dirname(target) !== `src/${targetFolder}`)
        say('not through index');
      else if (targetFolder !== '' && posix.basename(target) !== 'index.js') say('not through index');
    } else if (isTest) {
      if (specifier === 'mbuma') say('a test imports the build by its path, not by its name');
    } else if (specifier.startsWith('node:')) {
      if (isCore(rank)) say('the core imports Node');
    } else if (isCore(rank)) {
      say('the core has no run-time dependency');
    } else if (!dependencies.some((name) => specifier === name || specifier.startsWith(`${name}/`))) {
      say('is not among the dependencies of package.json');
    }
  }
  return found;
}

function machineBreaches({ path, text }) {
  if (path.startsWith('src/machine/') || isTestFile(path)) return [];
  const code = blank(text, { strings: true });
  return [...code.matchAll(machineOnly)].map(
    (match) => `${path}:${lineAt(code, match.index)}: only src/machine touches ${match[0].trim()}`,
  );
}

// The folder of src/ that a path lies in; '' for src/ itself.
function folderOf(path) {
  const parts = path.split('/');
  return parts.length > 2 ? parts[1] : '';
}

function rankOf(folder) {
  return folder === '' ? compositionRank : ranks[folder];
}

function isCore(rank) {
  return rank <= lastCoreRank || rank === compositionRank;
}
