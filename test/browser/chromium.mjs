// Chromium, and what a page told of itself while it was open.

import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';
import { chromiumPath } from '../../scripts/browser.mjs';

// It is to talk to our server and to nobody else.
const quiet = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export function openChromium() {
  return chromium.launch({ executablePath: chromiumPath(), headless: true, args: quiet });
}

/**
 * Opens the page and waits until it says that it has finished. Answers { checks, errors, finished }: a check
 * is { name, error, milliseconds }, its error null when it passed; `errors` went wrong outside of any check.
 */
export async function visit(browser, url, { timeoutMs = 30_000 } = {}) {
  const outcome = { checks: [], errors: [], finished: false };
  const context = await browser.newContext();
  let running = null;
  let timer;
  let end;
  try {
    const page = await context.newPage();
    const ended = new Promise((resolve) => {
      end = resolve;
    });
    timer = setTimeout(() => {
      const where = running === null ? 'between two checks' : `in the check "${running}"`;
      end(outcome.errors.push(`not finished after ${timeoutMs} ms, ${where}`));
    }, timeoutMs);
    page.on('crash', () => end(outcome.errors.push('the page crashed')));
    await page.exposeFunction('report', ({ kind, ...check }) => {
      running = kind === 'begin' ? check.name : null;
      if (kind === 'end') outcome.checks.push(check);
      if (kind !== 'finished') return;
      outcome.finished = true;
      end();
    });
    page.on('pageerror', (error) => end(outcome.errors.push(`not caught: ${error.stack ?? error}`)));
    page.on('console', (message) => {
      if (message.type() === 'error') outcome.errors.push(`console: ${message.text()}`);
    });
    const response = await page.goto(url);
    if (response?.ok() !== true) outcome.errors.push(`the server answered ${response?.status()}`);
    else await ended;
  } finally {
    clearTimeout(timer);
    await context.close();
  }
  return outcome;
}

/** Throws with all that went wrong, unless the page finished, checked something, and all of it was well. */
export function judge({ checks, errors, finished }) {
  const wrong = [...errors];
  for (const { name, error } of checks) if (error !== null) wrong.push(`${name}: ${error}`);
  if (!finished) wrong.push('the page did not finish');
  if (checks.length === 0) wrong.push('the page checked nothing');
  if (wrong.length > 0) assert.fail(wrong.join('\n'));
}
