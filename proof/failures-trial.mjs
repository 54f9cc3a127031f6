// One scenario in a model of its own: its threads run one after the other, with or without a failure, as
// often as one likes. What is left behind is compared with what is left when nothing fails.

import { isDeepStrictEqual } from 'node:util';
import { replayerOfMemory, replayerOfMemoryAsync } from '../dist/explore.js';
import { MbumaError } from '../dist/index.js';
import { allowedRaces } from './scenarios/kit.mjs';

/** Ends of a call that lacks memory; nothing else may come of it. */
const DOCUMENTED = ['OUT_OF_MEMORY', 'TIMED_OUT', 'HOOK_FAILED', 'RING_CLOSED'];

/** A wait without end is one of so long: for a site that fails for ever, nobody would come. */
const WAIT_MS = 300;
/** Has the pages that a scenario is not to have. */
const HOG = 'all but a few';
const STEPS_MOST = 1_000_000;

export function isDocumented(error) {
  return error instanceof MbumaError && DOCUMENTED.includes(error.code);
}

/** What a body has come to, so that it can be compared. */
function told(result) {
  return result instanceof MbumaError ? result.code : result;
}

/** Gives back what this thread has cached; a thread that has detached has nothing. */
function drain(memory) {
  try {
    memory.drain();
  } catch (error) {
    if (error?.code !== 'DETACHED') throw error;
  }
}

/** Makes the zones of a memory wait for some time at most, and remembers them. */
function watchZones(memory) {
  const { zone: open } = memory;
  const zones = new Set();
  memory.zone = (options) => {
    const zone = open(options);
    if (!zones.has(zone)) {
      zones.add(zone);
      // Looked up anew: a zone that is closed has another.
      zone.alloc = (flags = 0, timeoutMs = WAIT_MS) =>
        Object.getPrototypeOf(zone).alloc.call(zone, flags, timeoutMs);
    }
    return zone;
  };
  return zones;
}

/** Whether each zone gives this thread an item. It waits: what is freed may go to who is first in line. */
function probe(zones) {
  const answers = {};
  for (const zone of zones) {
    try {
      zone.free(zone.alloc(0, WAIT_MS));
      answers[zone.name] = true;
    } catch (error) {
      // The scenario has destroyed it.
      if (error?.code === 'ZONE_CLOSED') continue;
      if (!isDocumented(error)) throw error;
      answers[zone.name] = false;
    }
  }
  return answers;
}

const shown = (value) => JSON.stringify(value);

function sum(counts) {
  return counts.reduce((total, each) => total + (each ?? 0), 0);
}

/** Items in use, by zone. */
function usedIn(observer) {
  const used = observer.stats().zones.filter((zone) => zone.used !== 0 && zone.name !== HOG);
  return Object.fromEntries(used.map((zone) => [zone.name, zone.used]));
}

/** Takes all pages of the memory but so many, for good. */
function takePages(observer, left) {
  const zone = observer.zone({ name: HOG, size: 4096, max: 0 });
  const items = [];
  for (let item = zone.tryAlloc(); item !== 0; item = zone.tryAlloc()) items.push(item);
  for (const item of items.splice(0, left)) zone.free(item);
  observer.drain();
}

export class Trial {
  /**
   * @param scenario of `exploreMemory`, and: `again`, its bodies can be run twice, and then answer the same
   *   (false: that is not to be expected; absent: it is tried);
   *   `waits`, it has waits without end that it cannot do without, and would wait for ever;
   *   `afterNeedsSuccess`, its `after` is not for runs in which something failed; `async`, thread 0 is
   * @param options.pagesLeft so many single pages are left free; by default all
   */
  constructor(scenario, { pagesLeft } = {}) {
    this.scenario = scenario;
    this.zones = new Map();
    this.baseline = null;
    const late = scenario.attachInThreads === true;
    const threads = scenario.threads.map((body, id) => {
      return (memory, shared, tools) => {
        if (late) this.#watch(id, memory);
        const run = () => body(memory, shared, tools);
        return scenario.async && id === 0 ? this.#asyncBody(run, memory) : this.#body(run, id, memory);
      };
    });
    const make = scenario.async ? replayerOfMemoryAsync : replayerOfMemory;
    this.replay = make({
      ...scenario,
      threads,
      setup: (memories, observer) => {
        for (const [id, memory] of memories.entries()) this.#watch(id, memory);
        const shared = scenario.setup?.(memories, observer);
        this.armed = memories.map(({ failpoints }) =>
          failpoints.list().filter(({ armed }) => armed !== null),
        );
        if (pagesLeft !== undefined) takePages(observer, pagesLeft);
        this.observer = observer;
        this.freeBefore = observer.stats().pages.free;
        this.usedBefore = usedIn(observer);
        return shared;
      },
      after: (memories, shared, outcome) => this.#after(memories, shared, outcome),
      kill: false,
      specification: undefined,
      preemptions: 0,
      detectRaces: false,
      allowedRaces,
      slicesMayHelp: true,
      maxSteps: scenario.waits === true ? STEPS_MOST / 5 : STEPS_MOST,
    });
  }

  #watch(id, memory) {
    this.zones.set(id, watchZones(memory));
    // That pages are short is what this is about.
    memory.onWarning(() => {});
  }

  #begin(id, memory) {
    const { plan, run } = this;
    const { failpoints } = memory;
    if (plan.site === null || (plan.thread ?? id) !== id) return;
    // A site may be made only in the body, as those of rings are.
    run.hits[id] = -failpoints.site(plan.site).hits;
    failpoints.arm(plan.site, plan.mode);
  }

  #disarm(id, { failpoints }) {
    const { plan, run } = this;
    if (plan.site === null || (plan.thread ?? id) !== id) return;
    run.hits[id] += failpoints.site(plan.site).hits;
    run.fired[id] = failpoints.disarm(plan.site);
    // What the scenario itself has armed stays so.
    const own = this.armed[id]?.find(({ name }) => name === plan.site)?.armed;
    if (own) failpoints.arm(plan.site, own.mode, own.filter);
  }

  /** Runs anew for every run, and now and then within one: what is kept is kept by the thread's number. */
  #body(run, id, memory) {
    const attempt = () => {
      try {
        return run();
      } catch (error) {
        if (!isDocumented(error)) throw error;
        return error;
      }
    };
    this.#begin(id, memory);
    const first = attempt();
    this.#disarm(id, memory);
    this.run.firsts[id] = told(first);
    if (this.plan.again) this.run.seconds[id] = told(attempt());
    this.#end(id, memory);
    return first;
  }

  async #asyncBody(run, memory) {
    const attempt = async () => {
      try {
        return await run();
      } catch (error) {
        if (!isDocumented(error)) throw error;
        return error;
      }
    };
    this.#begin(0, memory);
    const first = await attempt();
    this.#disarm(0, memory);
    this.run.firsts[0] = told(first);
    if (this.plan.again) this.run.seconds[0] = told(await attempt());
    this.#end(0, memory);
    return first;
  }

  #end(id, memory) {
    try {
      this.run.probes[id] = probe(this.zones.get(id) ?? []);
    } catch (error) {
      if (error?.code !== 'DETACHED') throw error;
    }
    drain(memory);
  }

  #after(memories, shared, outcome) {
    const { scenario, run, observer } = this;
    if (
      scenario.afterNeedsSuccess !== true ||
      (this.plan.site === null && !this.plan.again && !this.plan.scarce)
    )
      scenario.after?.(memories, shared, outcome);
    for (const ring of [shared?.ring, shared?.observers].flat())
      if (typeof ring?.tryTake === 'function') while (ring.tryTake() > 0);
    observer.drain();
    run.free = observer.stats().pages.free;
    run.used = usedIn(observer);
  }

  /**
   * @param plan.site that fails, in the way of plan.mode, in thread plan.thread or all; null for none
   * @param plan.again runs each body twice: the second time nothing fails
   * @param plan.scarce there may be too few pages for the scenario
   */
  async try(plan) {
    this.plan = { site: null, again: false, scarce: false, ...plan };
    this.run = { hits: [], fired: [], firsts: [], seconds: [], probes: [], free: 0, used: {} };
    const { failure } = await this.replay('');
    return { ...this.run, failure, hits: sum(this.run.hits), fired: sum(this.run.fired) };
  }

  /** A run without failures, to compare with. Also learns whether the bodies can be run twice. */
  async begin() {
    this.again = false;
    this.baseline = await this.try({});
    if (this.baseline.failure !== null) return [`it fails by itself: ${this.baseline.failure.message}`];
    if (this.scenario.again === false) return [];
    const twice = await this.try({ again: true });
    if (twice.failure === null && isDeepStrictEqual(twice.seconds, this.baseline.firsts)) {
      this.again = true;
      this.baseline = twice;
    } else if (this.scenario.again === true) {
      return [`it cannot be run twice: ${twice.failure?.message ?? JSON.stringify(twice.seconds)}`];
    }
    return [];
  }

  /** What the run, compared with the one without failures, did wrong. */
  judge(run) {
    const { baseline } = this;
    if (run.failure !== null) return [`${run.failure.kind}: ${run.failure.message.slice(0, 300)}`];
    const wrong = [];
    if (run.free < baseline.free) wrong.push(`${baseline.free - run.free} pages were lost`);
    // What stays in use may lie in more pages or in fewer, by which were there when it was taken.
    const leavesNothing = isDeepStrictEqual(baseline.used, this.usedBefore);
    if (this.again && leavesNothing && run.free !== baseline.free)
      wrong.push(`${run.free} pages are free, of ${baseline.free}`);
    if (!isDeepStrictEqual(run.used, baseline.used))
      wrong.push(`in use are ${JSON.stringify(run.used)}, and not ${JSON.stringify(baseline.used)}`);
    if (this.again && !isDeepStrictEqual(run.seconds, baseline.seconds))
      wrong.push(
        `without failures it then ends as ${shown(run.seconds)}, and not ${shown(baseline.seconds)}`,
      );
    baseline.probes.forEach((answers, id) => {
      for (const [zone, gave] of Object.entries(answers)) {
        const gives = run.probes[id]?.[zone];
        if (gave && gives === false) wrong.push(`thread ${id} then gets nothing from zone ${zone}`);
      }
    });
    return wrong;
  }
}
