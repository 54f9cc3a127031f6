/** Puts the parts together. */

import { CheckLevel, optionalInteger, requireInteger } from '../check/index.js';
import { createAppend } from './append.js';
import { createAttach } from './attach.js';
import { createMbufAudit } from './audit.js';
import { createBuffers } from './buffers.js';
import { createByteCopies } from './bytes.js';
import { createChains } from './chains.js';
import { createCopyOut } from './copy-out.js';
import { createFields } from './fields.js';
import { createFreeing } from './free.js';
import { createFreeFunctions } from './free-functions.js';
import { createFreeingMany } from './free-many.js';
import { createGetters } from './get.js';
import { createWaitingGetters } from './get-waiting.js';
import { createHeaders } from './headers.js';
import { registerMbufReaper } from './reap.js';
import { createReferences } from './reference.js';
import { createSegments } from './segments.js';
import { mbufStats } from './stats.js';
import type { MbufContext, MbufOptions, Mbufs } from './types.js';
import { createMbufZones } from './zones.js';

const MAX_MAX = 0x7fffffff;

/** One thread's network buffers over a memory. Makes the zones, or attaches to them. */
export function createMbufs(context: MbufContext, options: MbufOptions = {}): Mbufs {
  const max =
    options.max === undefined ? undefined : optionalInteger(options.max, 'mbufs.max', 0, MAX_MAX, 0);
  const { zones, drainPackets } = createMbufZones(context, max);
  const chains = createChains(context, zones);
  const buffers = createBuffers(context, zones);
  const headers = createHeaders(context);
  const functions = createFreeFunctions(context);
  const checks = context.machine.checkLevel >= CheckLevel.TRASH;
  const copies = createByteCopies(context.machine, checks ? context.uma.access.checkItem : null);
  const getters = createGetters(context, zones, buffers, headers);
  const waitingGetters = createWaitingGetters(context, zones, buffers, headers, getters);
  const freeing = createFreeing(context, zones, chains, buffers, functions);
  const freeingMany = createFreeingMany(context, zones, chains, buffers, freeing);
  registerMbufReaper(context, zones, buffers, functions, freeing);
  const references = createReferences(context, zones, chains, buffers, getters);
  const fields = createFields(context, chains, buffers);
  const { segments, view } = createSegments(context, chains);

  // Whoever polls gives the parts of cached packets to those who wait for them; so do the waiting themselves.
  context.waiting.onPoll(() => {
    if (freeing.partsWanted()) drainPackets(true);
  });

  return {
    tryGet: getters.tryGet,
    tryGethdr: getters.tryGethdr,
    tryGetcl: getters.tryGetcl,
    tryGetjcl: getters.tryGetjcl,
    tryGetMany: getters.tryGetMany,
    tryGethdrMany: getters.tryGethdrMany,
    tryGetclMany: getters.tryGetclMany,
    ...waitingGetters,
    keg: zones.mbuf.keg,
    claim: chains.claim,
    free: freeing.free,
    ...freeingMany,
    ...references,
    registerFree: functions.register,
    attach: createAttach(context, chains, functions),
    append: createAppend(context, chains, fields, getters, freeingMany, copies),
    copyOut: createCopyOut(context, chains, copies),
    segments,
    view,
    ...fields,
    get max() {
      return zones.cluster.max;
    },
    set max(clusters: number) {
      requireInteger(clusters, 'max', 0, MAX_MAX);
      zones.cluster.max = clusters;
      zones.packet.max = clusters;
    },
    zones,
    stats: () => mbufStats(zones),
    audit: createMbufAudit(context, zones, chains, buffers, functions),
  };
}
