// The killer's main thread repairs what the dead leave behind: should it never come back from that, nobody
// else could say so. This worker looks at its heartbeat; when that stops, it says where the main thread is,
// and ends the process.

import { Session } from 'node:inspector';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

const HANG_MS = 8000;

/** Begins to watch this thread. Answers `beat` and `end`. */
export function startWatchdog(about) {
  const beats = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL(import.meta.url), { workerData: { watchdog: true, beats, about } });
  worker.unref();
  return { beat: () => void Atomics.add(beats, 0, 1), end: () => worker.terminate() };
}

function watch({ beats, about }) {
  let seen = -1;
  let since = 0;
  setInterval(() => {
    const now = Atomics.load(beats, 0);
    since = now === seen ? since + 500 : 0;
    seen = now;
    if (since >= HANG_MS) tell(about);
  }, 500);
}

function tell(about) {
  const session = new Session();
  session.connectToMainThread();
  session.on('Debugger.paused', ({ params }) => {
    const frames = params.callFrames.map(
      ({ functionName, url, location }) => `  ${functionName} ${url}:${location.lineNumber + 1}`,
    );
    const locals = params.callFrames.slice(0, 4).map(({ scopeChain }) => scopeChain[0]?.object?.objectId);
    process._rawDebug(`the main thread hangs (${about}):\n${frames.join('\n')}`);
    let open = 0;
    for (const objectId of locals.filter(Boolean)) {
      open++;
      session.post('Runtime.getProperties', { objectId, ownProperties: true }, (_, answer) => {
        const values = answer?.result?.map(
          ({ name, value }) => `${name}=${value?.value ?? value?.description?.slice(0, 40)}`,
        );
        process._rawDebug(`  ${values?.join(' ')}`);
        open--;
        if (open === 0) process.kill(process.pid, 'SIGKILL');
      });
    }
  });
  session.post('Debugger.enable', () => session.post('Debugger.pause'));
}

if (!isMainThread && workerData?.watchdog === true) watch(workerData);
