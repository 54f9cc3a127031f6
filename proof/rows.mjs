// The rows of the scorecard. A row's module exports
//
//   run({ level, seed, state, save, progress, signal })
//     -> { name, figures, ok, findings, controls, complete, seconds }
//
// `level` is ci or nightly; `state` is what `save` was given before a break, or undefined. It may call
// `progress(done, of)` and `save(state)` as often as it likes. A row without a planted fault that it must
// find is no row: `controls` says how many it has found.

// They are begun in this order, two at a time: the longest come first.

export const rows = [
  {
    name: 'schedules',
    module: './schedules.mjs',
    what: 'every schedule of two threads within the bounds, a kill at every step',
  },
  { name: 'chance', module: './chance.mjs', what: 'schedules by chance, deaths among them' },
  { name: 'planted', module: './planted.mjs', what: 'planted concurrency bugs: the explorer finds each' },
  { name: 'failures', module: './failures.mjs', what: 'each failure site, at each call: nothing is lost' },
  {
    name: 'three',
    module: './three.mjs',
    what: 'the same with three threads and fewer preemptions',
  },
  { name: 'kills', module: './kills-row.mjs', what: 'real Workers ended at any moment' },
  { name: 'flips', module: './flips.mjs', what: 'bit flips in metadata: reported, and nothing hangs' },
  { name: 'hostile', module: './hostile.mjs', what: 'hostile arguments: documented errors only' },
  { name: 'taint', module: './taint.mjs', what: 'nobody is handed what was another’s' },
];
