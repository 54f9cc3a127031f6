export {
  PageClass,
  THRESHOLD_NAMES,
  type Thresholds,
  thresholdReasons,
  thresholdsFor,
} from './classes.js';
export { pagesBranches } from './leaves.js';
export type { LowMemory, ReclaimHandler, ReclaimHandlerStats } from './low-memory.js';
export { createPages, planPages } from './pages.js';
export type { Pages, PagesStats } from './pages-api.js';
export { ORDER_MAX, Page, PageQueue, type PageRef, PageState, Phys } from './records.js';
