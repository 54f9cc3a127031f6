// See README.md.

export type { ZoneFigures } from './figures.js';
export { formatNetstatM } from './netstat-m.js';
export { formatVmstatM, type TypeFigures } from './vmstat-m.js';
export { formatVmstatZ } from './vmstat-z.js';
