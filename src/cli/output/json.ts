/** The one object that `--json` prints. */

import type { TypeFigures, ZoneFigures } from '../../stat/index.js';
import type { GcFigures } from '../replay/gc-watch.js';
import type { AuditFigures, JobFigures, ReplayResult } from '../replay/result.js';
import { valuesOf } from '../sysctl/format.js';
import type { SpeedFigures, TraceResult } from '../trace/result.js';
import type { Compared } from '../trace/rivals.js';

/** Fields in the order of the documentation; nothing else gets out. */
export function jsonOf(result: ReplayResult, compared: JobFigures | undefined): object {
  return {
    ...figuresOf(result),
    top: result.top.map(({ protocol, a, b, packets, bytes }) => ({ protocol, a, b, packets, bytes })),
    memory: {
      zones: zonesOf(result.zones),
    },
    ...(result.sysctl === undefined ? {} : { sysctl: valuesOf(result.sysctl) }),
    audit: auditOf(result.audit),
    ...(compared === undefined ? {} : { compare: figuresOf(compared) }),
  };
}

/** The same of a replay of traces. */
export function traceJsonOf(result: TraceResult, compared: readonly Compared[] | undefined): object {
  const { files, workers, threads, peakLive, peakUsed, live, waste, internalShare } = result;
  return {
    files,
    ...speedOf(result),
    workers,
    threads,
    peakLive,
    peakUsed,
    live,
    waste: { internal: waste.internal, slab: waste.slab, cached: waste.cached },
    internalShare: { atPeak: internalShare.atPeak, overall: internalShare.overall },
    memory: { zones: zonesOf(result.zones), malloc: typesOf(result.types) },
    ...(result.sysctl === undefined ? {} : { sysctl: valuesOf(result.sysctl) }),
    audit: auditOf(result.audit),
    ...(compared === undefined ? {} : { compare: compareOf(result, compared) }),
  };
}

/** By name; `timeRatio` is our time for theirs. */
function compareOf(result: TraceResult, compared: readonly Compared[]): object {
  return Object.fromEntries(
    compared.map(({ name, result: theirs }) => [
      name,
      'leftOut' in theirs
        ? { leftOut: theirs.leftOut }
        : { ...speedOf(theirs), timeRatio: result.seconds / theirs.seconds },
    ]),
  );
}

function speedOf({ ops, seconds, opsPerSecond, gc, peakRss }: SpeedFigures): object {
  return { ops, seconds, opsPerSecond, gc: gcOf(gc), peakRss };
}

function gcOf({ count, ms, maxMs }: GcFigures): object {
  return { count, ms, maxMs };
}

function zonesOf(zones: readonly ZoneFigures[]): object[] {
  return zones.map(({ name, size, limit, used, free, requests, failures, sleeps }) => ({
    name,
    size,
    limit,
    used,
    free,
    requests,
    failures,
    sleeps,
  }));
}

/** A block larger than every size class has no size to be told. */
function typesOf(types: readonly TypeFigures[]): object[] {
  return types.map(({ name, used, bytes, bytesHigh, requests, sizes }) => ({
    name,
    used,
    bytes,
    bytesHigh,
    requests,
    sizes: sizes.filter(Number.isFinite),
  }));
}

function auditOf({ clean, violations }: AuditFigures): object {
  return { clean, violations: violations.map(({ rule, message }) => ({ rule, message })) };
}

function figuresOf(job: JobFigures): object {
  const { files, packets, bytes, tcp, udp, otherIp, nonIp, fragments, conversations } = job;
  const { seconds, packetsPerSecond, gc, peakRss, workers } = job;
  return {
    files,
    packets,
    bytes,
    tcp,
    udp,
    otherIp,
    nonIp,
    fragments,
    conversations: { tcp: conversations.tcp, udp: conversations.udp },
    seconds,
    packetsPerSecond,
    gc: gcOf(gc),
    peakRss,
    workers,
  };
}
