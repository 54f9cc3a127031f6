// Measures three ways in which the packets of a capture file can get from disk into mbufs, single-threaded:
// read, make the mbufs, free them. Prints nanoseconds a packet, the best of several rounds, the ways taking
// turns.
//
//   npm run build && node bench/capture-ways.mjs FILE.pcap [rounds]
//
// It reads little-endian pcap and pcapng with packet blocks of type 6 only: enough for a measurement.

import { closeSync, openSync, readFileSync, readSync, readvSync } from 'node:fs';
import { createMemory, Mbuf } from '../dist/index.js';

const [path, rounds = '15'] = process.argv.slice(2);
if (path === undefined) throw new Error('usage: capture-ways.mjs FILE.pcap [rounds]');

const CHUNK = 256 * 1024;
const CLUSTER = 16384;
const IN_FLIGHT = 512;

const memory = createMemory({ bytes: 256 << 20 });
const { bytes, words, mbufs } = memory;
const { data: DATA, length: LENGTH, packetLength: PACKET_LENGTH } = Mbuf;

/**
 * Where each packet's payload stands in the file. Found beforehand, so that the ways differ in moving bytes
 * only.
 */
function findPayloads(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const found = [];
  if (view.getUint32(0, true) === 0xa1b2c3d4) {
    for (let at = 24; at < file.length; at += 16 + found.at(-1).length) {
      found.push({ at: at + 16, length: view.getUint32(at + 8, true) });
    }
  } else {
    for (let at = 0; at < file.length; at += view.getUint32(at + 4, true)) {
      if (view.getUint32(at, true) === 6) found.push({ at: at + 28, length: view.getUint32(at + 20, true) });
    }
  }
  return found;
}

const payloads = findPayloads(readFileSync(path));

/** Packets that are on their way: the oldest are freed, many at a time, as a worker would. */
const inFlight = new Int32Array(IN_FLIGHT);
let flying = 0;
function send(m) {
  inFlight[flying++] = m;
  if (flying === IN_FLIGHT) land();
}
function land() {
  mbufs.freeMany(inFlight, flying);
  flying = 0;
}

/** The smallest mbuf that holds the packet whole, or a chain of the largest. */
function getFor(length) {
  if (length <= 168) return mbufs.tryGethdr();
  if (length <= 2048) return mbufs.tryGetcl();
  return mbufs.tryGetjcl(length <= 4096 ? 4096 : length <= 9216 ? 9216 : 16384);
}

function eachPart(length, move) {
  let head = 0;
  let tail = 0;
  for (let done = 0; done < length || head === 0; ) {
    const part = Math.min(length - done, CLUSTER);
    const m = getFor(part);
    move(words[(m >> 2) + DATA], done, part);
    words[(m >> 2) + LENGTH] = part;
    if (head === 0) head = m;
    else mbufs.setNext(tail, m);
    tail = m;
    done += part;
  }
  words[(head >> 2) + PACKET_LENGTH] = length;
  send(head);
}

const staging = memory.zone({ name: 'staging', size: 2 * CHUNK }).alloc();
const stagingViews = new Map();
function stagingView(offset) {
  let view = stagingViews.get(offset);
  if (view === undefined) {
    view = bytes.subarray(staging + offset, staging + offset + CHUNK);
    stagingViews.set(offset, view);
  }
  return view;
}

/**
 * 1: chunks into a staging area of the same memory, each payload copied to its own cluster by memory.copy.
 */
function stagingAndCopy(descriptor) {
  let chunkAt = 0;
  let chunkEnd = 0;
  for (const { at, length } of payloads) {
    if (at + length > chunkEnd) {
      const kept = Math.max(0, chunkEnd - at);
      if (kept > 0) memory.copyBytes(staging, staging + (at - chunkAt), kept);
      const from = Math.max(at, chunkEnd);
      const view = kept === 0 ? stagingView(0) : bytes.subarray(staging + kept, staging + kept + CHUNK);
      chunkAt = at;
      chunkEnd = from + readSync(descriptor, view, 0, CHUNK, from);
    }
    const source = staging + (at - chunkAt);
    eachPart(length, (target, done, part) => memory.copyBytes(target, source + done, part));
  }
}

/** 2: each payload read into its own cluster, with the bytes between it and the next one. */
const between = new Uint8Array(1 << 20);
const clusterViews = new Map();
function clusterView(address, length) {
  const key = address * 32768 + length;
  let view = clusterViews.get(key);
  if (view === undefined) {
    if (clusterViews.size > 100_000) clusterViews.clear();
    view = bytes.subarray(address, address + length);
    clusterViews.set(key, view);
  }
  return view;
}
function readEach(descriptor) {
  const views = [];
  for (let index = 0; index < payloads.length; index++) {
    const { at, length } = payloads[index];
    views.length = 0;
    eachPart(length, (target, _done, part) => views.push(clusterView(target, part)));
    const next = payloads[index + 1];
    if (next !== undefined) views.push(between.subarray(0, next.at - at - length));
    readvSync(descriptor, views, index === 0 ? at : null);
  }
}

/** 3: the file into clusters as it is, sixteen at a time; packets refer to parts of them. */
const references = new Int32Array(4096);
function referToParts(descriptor) {
  let index = 0;
  let fileAt = 0;
  let tail = 0;
  let head = 0;
  for (;;) {
    const holders = [];
    const views = [];
    for (let held = 0; held < CHUNK / CLUSTER; held++) {
      const m = mbufs.tryGetjcl(CLUSTER);
      holders.push(m);
      views.push(clusterView(words[(m >> 2) + DATA], CLUSTER));
    }
    let rest = readvSync(descriptor, views, fileAt);
    for (const holder of holders) {
      const filled = Math.min(rest, CLUSTER);
      rest -= filled;
      const fileEnd = fileAt + filled;
      const base = words[(holder >> 2) + DATA] - fileAt;
      let count = 0;
      for (let each = index; each < payloads.length && payloads[each].at < fileEnd; each++) count++;
      const got = mbufs.tryReferenceMany(holder, references, count);
      for (let reference = 0; reference < got; reference++) {
        const { at, length } = payloads[index];
        const m = references[reference] >> 2;
        const start = Math.max(at, fileAt);
        const end = Math.min(at + length, fileEnd);
        words[m + DATA] = base + start;
        words[m + LENGTH] = end - start;
        if (start === at) {
          words[m + PACKET_LENGTH] = length;
          head = references[reference];
        } else {
          mbufs.setNext(tail, references[reference]);
        }
        tail = references[reference];
        if (at + length > fileEnd) break;
        send(head);
        index++;
      }
      fileAt = fileEnd;
      mbufs.free(holder);
    }
    if (index === payloads.length) return;
  }
}

const ways = { stagingAndCopy, readEach, referToParts };
const best = Object.fromEntries(Object.keys(ways).map((name) => [name, Number.POSITIVE_INFINITY]));
for (let round = 0; round < Number(rounds); round++) {
  for (const [name, way] of Object.entries(ways)) {
    const descriptor = openSync(path, 'r');
    const started = process.hrtime.bigint();
    way(descriptor);
    land();
    const nanoseconds = Number(process.hrtime.bigint() - started) / payloads.length;
    closeSync(descriptor);
    best[name] = Math.min(best[name], nanoseconds);
  }
}
const total = payloads.reduce((sum, { length }) => sum + length, 0);
console.log(`${payloads.length} packets of ${Math.round(total / payloads.length)} bytes on average`);
for (const [name, nanoseconds] of Object.entries(best)) {
  console.log(
    `${name.padEnd(16)} ${nanoseconds.toFixed(0).padStart(6)} ns a packet  ${(total / payloads.length / nanoseconds).toFixed(2)} GB/s`,
  );
}
const { clean, violations } = memory.audit();
if (!clean) throw new Error(JSON.stringify(violations));
