// What keeps the tree readable. Each rule takes files ({ path, text }) and gives one line for each offence.

import { posix } from 'node:path';
import { blank, isTestFile, lineAt } from './source.mjs';

const maxLines = 400;
const maxTestLines = 500;
const maxColumns = 110;

/** No file of code is longer than a person reads at a sitting. */
export function tooLong(files) {
  return files.flatMap(({ path, text }) => {
    const most = isTestFile(path) || path.startsWith('test/') ? maxTestLines : maxLines;
    const lines = text.split('\n').length - 1;
    return lines > most ? [`${path}: ${lines} lines, at most ${most}`] : [];
  });
}

/** No line of code is wider than the formatter's width, comments and strings too, which it does not break. */
export function tooWide(files) {
  return files.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => {
      const columns = [...line].length;
      // A line with a regular expression, a string or an address that cannot be broken is the formatter's to
      // judge.
      const unbreakable =
        !line.trim().startsWith('//') && !line.trim().startsWith('*') && /['"`/]/.test(line);
      return columns > maxColumns && !unbreakable ? [`${path}:${index + 1}: ${columns} columns`] : [];
    }),
  );
}

/** Every folder with code has a README.md. */
export function foldersWithoutReadme(files) {
  const paths = files.map(({ path }) => path);
  const folders = new Set(paths.filter((path) => path.endsWith('.ts')).map((path) => posix.dirname(path)));
  // Folders that only hold what tests need are told of by the folder above.
  const judged = [...folders].filter((folder) =>
    paths.some((path) => posix.dirname(path) === folder && path.endsWith('.ts') && !isTestFile(path)),
  );
  return judged
    .filter((folder) => !paths.includes(`${folder}/README.md`))
    .map((folder) => `${folder}: no README.md`);
}

const testEscapes =
  /\b(?:test|it|describe|suite|t)\s*\.\s*(?:only|skip|todo)\b|\b(?:only|todo)\s*:\s*true\b|\bskip\s*:\s*true\b/g;

/**
 * No test is switched off, and none switches the others off. (A condition, `skip: !hasTshark && 'why'`, is
 * fine.)
 */
export function testsSwitchedOff(files) {
  return matches(
    files.filter(({ path }) => isTestFile(path)),
    testEscapes,
    'code',
  );
}

const foldersWithoutMeaning = /(?:^|\/)(?:utils?|common|misc|lib|helpers)(?:\/|\.[a-z]+$)/;

/** No folder or file is named after nothing. */
export function namesWithoutMeaning(files) {
  return files
    .filter(({ path }) => foldersWithoutMeaning.test(path))
    .map(({ path }) => `${path}: says nothing`);
}

const typeEscapes = /\bas\s+any\b|:\s*any\b|<any>|\bas\s+never\b(?=\s*as)/g;
const commentEscapes = /@ts-(?:ignore|nocheck|expect-error)|biome-ignore(?![^\n]*: \w)|eslint-disable/g;

/** Nobody steps around the types or the linter without a reason. */
export function escapes(files) {
  return [...matches(files, typeEscapes, 'code'), ...matches(files, commentEscapes, 'text')];
}

// Built from parts, so that this file itself does not offend.
const foreignPaths = new RegExp(`(?:^|[\\s"'\`(=])/(?:${['work', 'root', 'home'].join('|')})/[\\w.-]+`, 'g');

/** Nothing speaks of the machine on which it was written. */
export function foreignToTheReader(files) {
  return matches(files, foreignPaths, 'text');
}

/** Decisions are numbered, each number once, and each begins with its title. */
export function misnumberedDecisions(files) {
  const found = [];
  const byNumber = new Map();
  for (const { path, text } of files) {
    const name = posix.basename(path);
    if (!path.startsWith('docs/decisions/') || !name.endsWith('.md') || name === 'README.md') continue;
    const number = /^(\d{4})-[a-z0-9-]+\.md$/.exec(name)?.[1];
    if (number === undefined) found.push(`${path}: not named 0000-what-was-decided.md`);
    else if (byNumber.has(number)) found.push(`${path}: number of ${byNumber.get(number)}`);
    else byNumber.set(number, path);
    if (!text.startsWith('# ')) found.push(`${path}: does not begin with a title`);
  }
  return found;
}

/** Every relative link of a page leads to a file. */
export function deadLinks(pages, exists) {
  return pages.flatMap(({ path, text }) =>
    [...withoutCodeBlocks(text).matchAll(/\]\((?![a-z]+:|#)([^)#\s]+)[^)]*\)/g)]
      .map(([, target]) => posix.join(posix.dirname(path), target))
      .filter((target) => !exists(target))
      .map((target) => `${path}: no ${target}`),
  );
}

// Names of the platform, and of others' interfaces, which pages may speak of though no source of ours does.
const foreignNames = new Set(['postMessage', 'allocUnsafe', 'copyWithin', 'waitAsync', 'malloc']);

/**
 * Every function that a page names as ours, `zoneAllocBucket()` or `memory.createZone(…)`, is in the sources.
 */
export function namesGone(pages, sources) {
  const words = new Set(sources.flatMap(({ text }) => text.match(/[A-Za-z_]\w*/g) ?? []));
  return pages.flatMap(({ path, text }) =>
    [...withoutCodeBlocks(text).matchAll(/`(?:[\w]+\.)*([a-z]+[A-Z]\w*)\(/g)]
      .map(([, name]) => name)
      .filter((name) => !words.has(name) && !foreignNames.has(name))
      .map((name) => `${path}: no ${name} in the sources`),
  );
}

function withoutCodeBlocks(text) {
  return text.replace(/^```[\s\S]*?^```/gm, '');
}

function matches(files, pattern, where) {
  return files.flatMap(({ path, text }) => {
    const searched = where === 'code' ? blank(text, { strings: true }) : text;
    return [...searched.matchAll(pattern)].map(
      (match) => `${path}:${lineAt(text, match.index)}: ${match[0].trim()}`,
    );
  });
}
