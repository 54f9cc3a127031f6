export { pagesBranches } from './leaves.js';
export { createPages, type Pages, type PagesStats, planPages } from './pages.js';
export { ORDER_MAX, Page, type PageRef, PageState, Phys } from './records.js';
