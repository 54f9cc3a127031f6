// Source text for the tests that judge it: which files there are, and their code apart from comments and
// strings.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { listFiles } from '../scripts/files.mjs';

export const repository = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Every file of ours whose name ends in one of `endings`, as { path, text }; nothing generated or installed.
 */
export function readSources(
  endings,
  folders = ['.ci', 'bench', 'docs', 'proof', 'samples', 'scripts', 'src', 'test'],
) {
  const paths = folders.flatMap((folder) => listFiles(repository, folder));
  return paths
    .filter((path) => endings.some((ending) => path.endsWith(ending)))
    .filter((path) => !path.includes('node_modules/') && !path.endsWith('.generated.ts'))
    .map((path) => ({ path, text: readFileSync(join(repository, path), 'utf8') }));
}

/** Whether a file is a test or serves only tests: `x.test.ts`, `x.test-kit.ts`, `x.test.kit.ts`. */
export function isTestFile(path) {
  return /\.test[.-]/.test(path);
}

const pieces =
  /(?<comment>\/\/[^\n]*|\/\*[\s\S]*?\*\/)|(?<string>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")|(?<regex>(?<=[=(,:;!&|?{}[\n]\s*|\breturn\s+)\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*)/g;

/**
 * The same text, of the same length and lines, with comments blanked; with `strings`, also the contents of
 * quoted strings and regular expressions. Template literals are left as they are (code may stand in them).
 */
export function blank(text, { strings }) {
  return text.replace(pieces, (piece, ...rest) => {
    const groups = rest.at(-1);
    if (groups.comment !== undefined) return blankAll(piece);
    if (!strings) return piece;
    return piece[0] + blankAll(piece.slice(1, -1)) + piece.at(-1);
  });
}

function blankAll(piece) {
  return piece.replace(/[^\n]/g, ' ');
}

/** The number of the line on which `offset` lies, from 1. */
export function lineAt(text, offset) {
  return text.slice(0, offset).split('\n').length;
}
