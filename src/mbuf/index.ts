export { planMbufs } from './free-functions.js';
export { mbufBranches } from './leaves.js';
export { createMbufs } from './mbufs.js';
export * from './records.js';
export type {
  ExternalBuffer,
  FreeFunction,
  MbufContext,
  MbufOptions,
  MbufStats,
  Mbufs,
  MbufZones,
  Segment,
  WaitOptions,
} from './types.js';
export { LAST_MBUF_ZONE } from './zones.js';
