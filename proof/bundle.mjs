// The compiled package as one script. A worker that loads a hundred modules takes three times as long to
// start as one that loads one, and starting workers is most of what the killer does.
//
// Not a bundler for just any module: it knows the forms that TypeScript writes, and refuses what it does not.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const readFile = (path) => readFileSync(path, 'utf8');

/** A script whose last expression is what `entry` (a compiled module) exports. `read` gives the text of a path. */
export function bundle(entry, read = readFile) {
  const modules = new Map();
  collect(entry, modules, read);
  const bodies = [...modules].map(([path, { body }]) => `${JSON.stringify(path)}(exports){${body}\n},`);
  return `((modules) => {
  const loaded = new Map();
  const load = (path) => {
    let exports = loaded.get(path);
    if (exports === undefined) {
      exports = {};
      loaded.set(path, exports);
      modules[path](exports);
    }
    return exports;
  };
  globalThis.__load = load;
  return load(${JSON.stringify(entry)});
})({${bodies.join('\n')}})`;
}

function collect(path, modules, read) {
  if (modules.has(path)) return;
  const entry = { body: '' };
  modules.set(path, entry);
  const needs = [];
  const names = [];
  const load = (specifier) => {
    const target = join(dirname(path), specifier);
    needs.push(target);
    return `__load(${JSON.stringify(target)})`;
  };
  const pairs = (list) =>
    list
      .split(',')
      .map((each) => each.trim().split(/\s+as\s+/))
      .filter(([name]) => name !== '');
  let body = read(path)
    // A script has no address: call sites are then those of the bundle itself.
    .replace(/\bimport\.meta\.url\b/g, 'undefined')
    .replace(/^import\s*\{([^}]*)\}\s*from\s*'([^']+)';/gm, (_, list, from) => {
      const names = pairs(list).map(([name, as = name]) => `${name}: ${as}`);
      return `const { ${names.join(', ')} } = ${load(from)};`;
    })
    .replace(/^export\s*\*\s*from\s*'([^']+)';/gm, (_, from) => `Object.assign(exports, ${load(from)});`)
    .replace(/^export\s*\{([^}]*)\}\s*from\s*'([^']+)';/gm, (_, list, from) => {
      const source = load(from);
      return pairs(list)
        .map(([name, as = name]) => `exports.${as} = ${source}.${name};`)
        .join(' ');
    })
    .replace(/^export\s*\{\s*\};/gm, '')
    .replace(/^export\s+((?:async\s+)?(?:const|function\*?|class)\s+([\w$]+))/gm, (_, declaration, name) => {
      names.push(name);
      return declaration;
    });
  if (/^(?:import|export)\b/m.test(body)) {
    throw new Error(`${path}: ${/^(?:import|export)\b.*$/m.exec(body)[0]}: the bundle knows no such form`);
  }
  body += `\nObject.assign(exports, { ${names.join(', ')} });`;
  entry.body = body;
  for (const need of needs) collect(need, modules, read);
}
