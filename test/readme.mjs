// What README.md promises, taken out of it.

/** The fenced blocks of a page: { language, text }. */
export function blocksOf(page) {
  return [...page.matchAll(/^```(\w*)[^\n]*\n([\s\S]*?)^```/gm)].map(([, language, text]) => ({
    language,
    text,
  }));
}

/** The blocks of code that import the package; what needs a C compiler is run by wasm/readme.test.mjs. */
export function examplesOf(page) {
  return blocksOf(page).filter(
    ({ language, text }) =>
      /^(?:ts|js|mjs|typescript|javascript)$/.test(language) &&
      /from 'mbuma'/.test(text) &&
      !/from 'mbuma\/wasm'/.test(text),
  );
}

/** The npm commands of the block that has `npm start` in it, without comments. */
export function commandsOf(page) {
  const block = blocksOf(page).find(({ text }) => /^npm start\b/m.test(text));
  return linesOf(block?.text ?? '').filter((line) => line.startsWith('npm '));
}

/** The commands of a shell script or block, without comments. */
export function linesOf(script) {
  return script
    .split('\n')
    .map((line) => line.replace(/(?:^|\s)#.*$/, '').trim())
    .filter((line) => line !== '');
}
