// The pages under the headers that they are for. Each check of a page is a test here.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { judge, openChromium, visit } from './chromium.mjs';
import { startServer } from './server.mjs';

let server;
let browser;
before(async () => {
  server = await startServer();
  browser = await openChromium();
});
after(async () => {
  await browser?.close();
  await server?.end();
});

const wellBehaved = [
  ['isolated', 'threads.html', 'window and Workers'],
  ['isolated', 'threads.html?checkLevel=2', 'every check'],
  ['isolated', 'threads.html?wasm=false', 'without WebAssembly'],
  ['isolated', 'threads.html?waitAsync=none', 'without Atomics.waitAsync'],
  ['isolated', 'deaths.html', 'Workers that are terminated'],
  ['policy', 'threads.html?helper=plain', 'where a policy forbids WebAssembly modules'],
  ['policy', 'threads.html?helper=plain&worker=isolated', 'where it forbids them to the window alone'],
  ['plain', 'single.html', 'not isolated'],
  ['plain-policy', 'single.html?helper=plain', 'not isolated, and a policy forbids WebAssembly modules'],
];

for (const [mode, page, what] of wellBehaved) {
  test(`${what} (${mode} ${page})`, async (t) => {
    const outcome = await visit(browser, server.url(mode, page));
    for (const { name, error } of outcome.checks) {
      await t.test(name, () => assert.equal(error, null));
    }
    judge(outcome);
  });
}

describe('a page that fails is found:', () => {
  const failing = [
    ['isolated', 'failing.html?how=assertion', /deliberately wrong: Error: the sum: 2, expected 3/],
    ['isolated', 'failing.html?how=worker', /the worker failed/],
    ['isolated', 'failing.html?how=command', /BAD_HANDLE/],
    ['isolated', 'failing.html?how=rejection', /nobody waits for this/],
    ['isolated', 'failing.html?how=nothing', /checked nothing/],
    ['isolated', 'failing.html?how=import', /404/],
    ['isolated', 'failing.html?how=hang', /in the check "a loop without end"/],
    ['isolated', 'nothing.html', /answered 404/],
    ['isolated', 'threads.html?helper=plain', /helper: wasm, expected plain/],
    ['plain', 'threads.html', /crossOriginIsolated: false, expected true/],
    ['isolated', 'single.html', /crossOriginIsolated: true, expected false/],
  ];
  for (const [mode, page, expected] of failing) {
    test(`${mode} ${page}`, async () => {
      const outcome = await visit(browser, server.url(mode, page), { timeoutMs: 4000 });
      assert.throws(() => judge(outcome), expected);
    });
  }
});
