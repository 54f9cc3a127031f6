// The bugs that are planted. Each replaces one text of the compiled code, which must be there exactly once: a
// change of the source that touches it is told, and the bug is to be planted anew. `file` is in dist/.

import { backendsBugs } from './backends.mjs';
import { countersBugs } from './counters.mjs';
import { endsBugs } from './ends.mjs';
import { epochsBugs } from './epochs.mjs';
import { foreignBugs } from './foreign.mjs';
import { guardsBugs } from './guards.mjs';
import { kegsBugs } from './kegs.mjs';
import { machineBugs } from './machine.mjs';
import { mallocsBugs } from './mallocs.mjs';
import { mutexesBugs } from './mutexes.mjs';
import { othersBugs } from './others.mjs';
import { pagesBugs } from './pages.mjs';
import { sysctlBugs } from './sysctl.mjs';
import { zonesBugs } from './zones.mjs';

/** [file, name, find, replace, scenario, options]; `third`: with its third thread. */
const list = [
  ...machineBugs,
  ...zonesBugs,
  ...kegsBugs,
  ...countersBugs,
  ...backendsBugs,
  ...endsBugs,
  ...epochsBugs,
  ...foreignBugs,
  ...guardsBugs,
  ...mallocsBugs,
  ...mutexesBugs,
  ...othersBugs,
  ...pagesBugs,
  ...sysctlBugs,
];

export const bugs = list.map(([file, name, find, replace, scenario, options = {}]) => ({
  name,
  file,
  find,
  replace,
  scenario,
  options,
}));
