export { type AsyncLine, type AsyncLines, createAsyncLines } from './async-line.js';
export { type AsyncWaiters, createAsyncWaiters } from './async-waiters.js';
export * from './attachment.js';
export * from './audit.js';
export * from './epochs.js';
export * from './fabric.js';
export * from './hands.js';
export { createPlainHelper, type Helper, type WasmMemory } from './helper/index.js';
export * from './intents.js';
export * from './layout.js';
export * from './line-audit.js';
export * from './locks.js';
export * from './machine.js';
export * from './records.js';
export {
  createSites,
  planSites,
  SITE_TEXT_MAX,
  Site,
  type Sites,
  SiteTable,
  siteHere,
  sitesMax,
} from './sites.js';
export * from './synchronising.js';
export * from './threads.js';
export * from './tunables.js';
export * from './waiting.js';
