// Runs the steps of a session in a Worker and watches it: a step that does not end is a finding, and the run
// goes on behind it. What is known of each stretch of steps is added up, and can be saved and taken up again.

import { Worker } from 'node:worker_threads';

/** Findings that are kept in words; the others are counted. */
const FINDINGS_KEPT = 50;
const LOOK_EVERY_MS = 50;

/** Adds the numbers of `more` to those of `sum`, also inside of objects. */
export function addUp(sum, more) {
  for (const [key, value] of Object.entries(more)) {
    if (typeof value === 'number') sum[key] = (sum[key] ?? 0) + value;
    else sum[key] = addUp(sum[key] ?? {}, value);
  }
  return sum;
}

export function emptyState() {
  return { next: 0, counts: {}, findings: [], findingCount: 0, hangs: [], seconds: 0 };
}

function note(state, findings) {
  for (const finding of findings) {
    state.findingCount++;
    const kind = finding.kind ?? finding.text;
    const known = state.findings.find((each) => each.kind === kind);
    if (known !== undefined) known.times++;
    else if (state.findings.length < FINDINGS_KEPT) state.findings.push({ ...finding, kind, times: 1 });
  }
}

/**
 * Runs steps `state.next` to `steps` of the session that `module` makes from `options`.
 *
 * @param options.hangMs a step that takes longer is ended, and is a finding
 * @param save is given the state after each stretch; a stretch takes about a second
 */
export async function runWatched(module, options, { steps, state = emptyState(), progress, save, signal }) {
  const { hangMs = 5000 } = options;
  const began = performance.now();
  const secondsBefore = state.seconds;
  const skipped = new Set(state.hangs);
  while (state.next < steps && !signal?.aborted) {
    const hung = await runWorker();
    state.seconds = secondsBefore + (performance.now() - began) / 1000;
    if (hung < 0) continue;
    skipped.add(hung);
    state.hangs.push(hung);
    note(state, [{ step: hung, kind: 'hang', text: `step ${hung} did not end within ${hangMs} ms` }]);
    save?.(state);
  }
  return state;

  /** The step that hung, or -1. */
  function runWorker() {
    return new Promise((resolve, reject) => {
      const shared = new Int32Array(new SharedArrayBuffer(8));
      const worker = new Worker(new URL('./session-worker.mjs', import.meta.url), {
        workerData: { module: String(module), options, from: state.next, steps, shared, skip: [...skipped] },
        resourceLimits: { maxOldGenerationSizeMb: 1024 },
      });
      let beats = -1;
      let since = performance.now();
      let hung = -1;
      const end = (step) => {
        hung = step;
        worker.terminate();
      };
      const watch = setInterval(() => {
        if (signal?.aborted) end(-1);
        const now = Atomics.load(shared, 0);
        if (now !== beats) {
          beats = now;
          since = performance.now();
        } else if (beats > 0 && performance.now() - since > hangMs && hung < 0) {
          end(Atomics.load(shared, 1));
        }
      }, LOOK_EVERY_MS);
      worker.on('message', ({ next, counts, findings }) => {
        state.next = next;
        addUp(state.counts, counts);
        note(state, findings);
        state.seconds = secondsBefore + (performance.now() - began) / 1000;
        progress?.(state.next, steps, state);
        save?.(state);
      });
      worker.on('error', (error) => {
        clearInterval(watch);
        reject(error);
      });
      worker.on('exit', () => {
        clearInterval(watch);
        resolve(hung);
      });
    });
  }
}
