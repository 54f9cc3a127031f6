/** The one object that `--json` prints. */

import type { JobFigures, ReplayResult } from '../replay/result.js';
import { valuesOf } from '../sysctl/format.js';

/** Fields in the order of the documentation; nothing else gets out. */
export function jsonOf(result: ReplayResult, compared: JobFigures | undefined): object {
  return {
    ...figuresOf(result),
    top: result.top.map(({ protocol, a, b, packets, bytes }) => ({ protocol, a, b, packets, bytes })),
    memory: {
      zones: result.zones.map(({ name, size, limit, used, free, requests, failures, sleeps }) => ({
        name,
        size,
        limit,
        used,
        free,
        requests,
        failures,
        sleeps,
      })),
    },
    ...(result.sysctl === undefined ? {} : { sysctl: valuesOf(result.sysctl) }),
    audit: {
      clean: result.audit.clean,
      violations: result.audit.violations.map(({ rule, message }) => ({ rule, message })),
    },
    ...(compared === undefined ? {} : { compare: figuresOf(compared) }),
  };
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
    gc: { count: gc.count, ms: gc.ms, maxMs: gc.maxMs },
    peakRss,
    workers,
  };
}
