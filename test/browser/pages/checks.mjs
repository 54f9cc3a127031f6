// What a page needs to check something and to tell of it. The driver listens: `report` is its function.

const checkTimeoutMs = 15_000;

/** Runs `body` and reports whether it threw, and answers that. The next check runs all the same. */
export async function check(name, body) {
  await globalThis.report({ kind: 'begin', name });
  let error = null;
  const start = performance.now();
  try {
    await within(checkTimeoutMs, Promise.resolve().then(body));
  } catch (reason) {
    error = describe(reason);
  }
  await globalThis.report({ kind: 'end', name, error, milliseconds: performance.now() - start });
  return error === null;
}

/** A check without which the others would tell nothing: when it fails, it is the last. */
export async function required(name, body) {
  if (await check(name, body)) return;
  await finish();
  await new Promise(() => {});
}

/** Says that there are no more checks. */
export function finish() {
  return globalThis.report({ kind: 'finished' });
}

export function describe(reason) {
  const code = reason?.code === undefined ? '' : `${reason.code} `;
  return `${code}${reason?.stack ?? reason}`;
}

export function equal(actual, expected, what = '') {
  if (Object.is(actual, expected)) return;
  throw new Error(`${what}: ${String(actual)}, expected ${String(expected)}`);
}

export function ok(value, what) {
  if (!value) throw new Error(what);
}

/** Calls `body`, which must throw, or reject with, an error of this code. Answers the error. */
export async function refuses(code, body) {
  let answer;
  try {
    answer = await body();
  } catch (error) {
    if (error?.code === code) return error;
    throw error;
  }
  throw new Error(`${code} expected, and the call answered ${answer}`);
}

export function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Waits until `condition` holds, looking every few milliseconds. */
export async function until(condition, what) {
  for (let left = 1000; !condition(); left--) {
    if (left === 0) throw new Error(`never came: ${what}`);
    await sleep(5);
  }
}

/** Whether the promise is still open some time from now. */
export async function isOpen(promise, milliseconds) {
  const open = {};
  return (await Promise.race([promise, sleep(milliseconds).then(() => open)])) === open;
}

export function sumOf(bytes) {
  let sum = 0;
  for (const byte of bytes) sum = (Math.imul(sum, 31) + byte) | 0;
  return sum;
}

function within(milliseconds, promise) {
  return Promise.race([
    promise,
    sleep(milliseconds).then(() => {
      throw new Error(`not done after ${milliseconds} ms`);
    }),
  ]);
}
