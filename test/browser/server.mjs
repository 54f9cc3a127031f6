// A server for one test run: dist/ and the pages, on loopback, under the headers that a mode stands for.
//
//   /isolated/test/browser/pages/threads.html      the page, with the headers of `isolated`
//   /isolated/dist/index.js                        what it imports, likewise
//
// The rest of an address is the file's path in the repository, so that the pages' imports are true on disk
// too.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { repository } from '../source.mjs';

const isolation = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};

// Scripts of our own only, and no 'wasm-unsafe-eval': a module of WebAssembly may not be compiled.
const policy = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; img-src data:",
};

/** Headers by mode, the first part of an address. */
export const modes = {
  isolated: isolation,
  policy: { ...isolation, ...policy },
  plain: {},
  'plain-policy': policy,
};

const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.mjs': 'text/javascript' };
const served = /^(?:dist|test\/browser\/pages)\/(?:[\w-]+\/)*[\w.-]+$/;

/** Starts the server on a free port. `url(mode, page)` is a page's address; `end()` ends the server. */
export async function startServer() {
  const server = createServer((request, response) => {
    answer(request.url ?? '/', response).catch((error) => response.destroy(error));
  });
  await new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address();
  return {
    url: (mode, page) => `http://127.0.0.1:${port}/${mode}/test/browser/pages/${page}`,
    end: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}

async function answer(address, response) {
  const { pathname } = new URL(address, 'http://127.0.0.1');
  const [, mode, path] = /^\/([\w-]+)\/(.*)$/.exec(pathname) ?? [];
  const type = types[extname(path ?? '')];
  if (!Object.hasOwn(modes, mode ?? '') || type === undefined || !served.test(path)) {
    refuse(response);
    return;
  }
  let contents;
  try {
    contents = await readFile(join(repository, path));
  } catch {
    refuse(response);
    return;
  }
  response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store', ...modes[mode] });
  response.end(contents);
}

function refuse(response) {
  response.writeHead(404, { 'content-type': 'text/plain' }).end('not there');
}
