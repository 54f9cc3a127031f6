// The row `three`: see schedules.mjs.

export { runThree as run } from './schedules.mjs';
