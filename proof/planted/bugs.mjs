// The bugs that are planted. Each replaces one text of the compiled code, which must be there exactly once: a
// change of the source that touches it is told, and the bug is to be planted anew. `file` is in dist/.

import { epochsBugs } from './epochs.mjs';
import { kegsBugs } from './kegs.mjs';
import { machineBugs } from './machine.mjs';
import { othersBugs } from './others.mjs';
import { zonesBugs } from './zones.mjs';

/** [file, name, find, replace, scenario, options]; `third`: with its third thread. */
const list = [...machineBugs, ...zonesBugs, ...kegsBugs, ...othersBugs, ...epochsBugs];

export const bugs = list.map(([file, name, find, replace, scenario, options = {}]) => ({
  name,
  file,
  find,
  replace,
  scenario,
  options,
}));
