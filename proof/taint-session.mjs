// One step: a thousand operations of several attachments, the tenants, in one memory. Each fills what it has
// with a pattern of its own. Whatever is asked for with ZERO must come as zero, and whatever a tenant
// holds must hold its pattern still when it looks again: nobody sees or changes what is another's.

import { attachMemory, createMemory, ZERO } from '../dist/index.js';
import { createFabric } from '../dist/machine/fabric.js';
import { createWasmMemory, wasmPageBytes } from '../dist/machine/helper/index.js';
import { FORMAT_VERSION } from '../dist/machine/records.js';
import { createMemoryOver } from '../dist/memory.js';
import { pick, randomFrom, seedOf } from './random.mjs';

export const OPERATIONS_PER_STEP = 1000;

const TENANTS = 3;
/** A run of steps on one memory; then a new one, of the other check level. */
const STEPS_PER_MEMORY = 200;

/** Small and large items, so that pages go from zone to zone; each tenant has its own, and one is shared. */
const SIZES = [16, 48, 700, 2048, 5000];

function makeTenant(memory, number) {
  const shared = memory.zone({ name: 'shared', size: 208 });
  const zones = SIZES.map((size) => memory.zone({ name: `tenant ${number} ${size}`, size }));
  const second = memory.zone({ name: `second ${number}`, primary: zones[1], init: () => 0, fini: () => 0 });
  return {
    memory,
    pattern: 0x51000000 + number * 0x010101,
    zones: [...zones, shared, second],
    held: [],
    mbufs: [],
  };
}

/** A memory whose zeroing is left out now and then. */
function makeForgetfulMemory(options) {
  let fills = 0;
  return createMemoryOver(options, (byteLength) => {
    const wasm = createWasmMemory(byteLength / wasmPageBytes);
    const fabric = createFabric(wasm.buffer, wasm, byteLength);
    const { fill } = fabric.helper;
    const forgetful = (address, value, length) => {
      if (value !== 0 || ++fills % 50 !== 0) fill(address, value, length);
    };
    fabric.helper = { ...fabric.helper, fill: forgetful };
    return { handle: { kind: 'mbuma-memory', version: FORMAT_VERSION, buffer: null, wasm }, fabric };
  }).memory;
}

function makeTenants(checkLevel, plant) {
  const options = { bytes: 2 << 20, maxThreads: TENANTS, checkLevel };
  const first = plant === 'no zeroing' ? makeForgetfulMemory(options) : createMemory(options);
  const memories = [first, ...Array.from({ length: TENANTS - 1 }, () => attachMemory(first.handle))];
  return {
    memory: first,
    tenants: memories.map((memory, number) => makeTenant(memory, number)),
    ring: first.ring({ name: 'gifts', capacity: 16 }),
  };
}

export function createSession({ seed, plant = null }) {
  let stage = null;
  let counts = {};
  let findings = [];
  const out = new Int32Array(16);

  function found(kind, text) {
    findings.push({ kind, text });
  }

  /** The first word of a run that is not `value`, or -1. */
  function firstOther(words, from, count, value) {
    for (let at = from; at < from + count; at++) if (words[at] !== value) return at;
    return -1;
  }

  function mustBe(tenant, address, bytes, value, what) {
    const at = firstOther(tenant.memory.words, address >> 2, bytes >> 2, value);
    counts.words = (counts.words ?? 0) + (bytes >> 2);
    if (at >= 0) found(what, `${what}: word ${at} is ${(tenant.memory.words[at] >>> 0).toString(16)}`);
  }

  function fill(tenant, address, bytes) {
    tenant.memory.words.fill(tenant.pattern, address >> 2, (address + bytes) >> 2);
  }

  function receive(tenant, zone, item, zeroed) {
    if (item === 0) return;
    const bytes = zone.size & ~3;
    if (zeroed) {
      counts.zeroed = (counts.zeroed ?? 0) + 1;
      mustBe(tenant, item, bytes, 0, `ZERO of zone ${zone.name.replace(/\d/, 'n')}`);
    }
    fill(tenant, item, bytes);
    tenant.held.push({ zone, item, bytes });
  }

  function release(tenant, index) {
    const entry = tenant.held[index];
    tenant.held[index] = tenant.held[tenant.held.length - 1];
    tenant.held.pop();
    mustBe(tenant, entry.item, entry.bytes, tenant.pattern, 'an item in use');
    return entry;
  }

  function freeOne(tenant, random) {
    if (tenant.held.length === 0) return;
    const { zone, item } = release(tenant, random(tenant.held.length));
    zone.free(item);
  }

  function allocOne(tenant, random) {
    const zone = pick(random, tenant.zones);
    const zeroed = random(2) === 0;
    receive(tenant, zone, zone.tryAlloc(zeroed ? ZERO : 0), zeroed);
  }

  function allocMany(tenant, random) {
    const zone = pick(random, tenant.zones);
    const got = zone.tryAllocMany(out, 1 + random(out.length));
    for (let at = 0; at < got; at++) receive(tenant, zone, out[at], false);
  }

  function freeMany(tenant, random) {
    const { zone } = tenant.held[random(tenant.held.length)] ?? {};
    let count = 0;
    for (let index = tenant.held.length - 1; index >= 0 && count < out.length; index--)
      if (tenant.held[index].zone === zone) out[count++] = release(tenant, index).item;
    if (count > 0) zone.freeMany(out, count);
  }

  function getMbuf(tenant, random) {
    const { mbufs } = tenant.memory;
    let m = 0;
    try {
      m = random(2) === 0 ? mbufs.getcl(ZERO, 0) : mbufs.getjcl(pick(random, [2048, 4096, 9216]), ZERO, 0);
    } catch (error) {
      if (error.code !== 'TIMED_OUT' && error.code !== 'OUT_OF_MEMORY') throw error;
      return;
    }
    counts.zeroed = (counts.zeroed ?? 0) + 1;
    const data = mbufs.dataOf(m);
    const bytes = mbufs.capacityOf(m);
    mustBe(tenant, data, bytes, 0, 'ZERO of an mbuf');
    fill(tenant, data, bytes);
    tenant.mbufs.push({ m, data, bytes });
  }

  function freeMbuf(tenant) {
    const entry = tenant.mbufs.shift();
    if (entry === undefined) return;
    mustBe(tenant, entry.data, entry.bytes, tenant.pattern, 'an mbuf in use');
    tenant.memory.mbufs.free(entry.m);
  }

  /** An item of the shared zone goes to another tenant, who frees it. */
  function give(tenant, random) {
    const index = tenant.held.findIndex(({ zone }) => zone.name === 'shared');
    if (index < 0 || !stage.ring.tryPut(tenant.held[index].item)) return;
    release(tenant, index);
    const other = pick(random, stage.tenants);
    const item = stage.ring.tryTake();
    const zone = other.zones.find(({ name }) => name === 'shared');
    mustBe(other, item, zone.size & ~3, tenant.pattern, 'an item that was handed over');
    fill(other, item, zone.size & ~3);
    other.held.push({ zone, item, bytes: zone.size & ~3 });
  }

  function operate(random) {
    const tenant = pick(random, stage.tenants);
    // Half full at most, or little is ever recycled.
    const full = tenant.held.length > 60;
    const choice = random(100);
    if (choice < 40) full ? freeOne(tenant, random) : allocOne(tenant, random);
    else if (choice < 80) freeOne(tenant, random);
    else if (choice < 86) full ? freeMany(tenant, random) : allocMany(tenant, random);
    else if (choice < 92) freeMany(tenant, random);
    else if (choice < 94) tenant.mbufs.length > 4 ? freeMbuf(tenant) : getMbuf(tenant, random);
    else if (choice < 96) freeMbuf(tenant);
    else if (choice < 99) give(tenant, random);
    else if (random(10) === 0) random(2) === 0 ? tenant.memory.drain() : pick(random, tenant.zones).trim();
    else tenant.memory.poll();
  }

  return {
    step(index) {
      const random = randomFrom(seedOf(seed, index));
      if (stage === null || index % STEPS_PER_MEMORY === 0)
        stage = makeTenants(Math.floor(index / STEPS_PER_MEMORY) % 2 === 0 ? 0 : 2, plant);
      const stolen = stage.tenants[0].held[0];
      if (plant === 'stranger' && stolen !== undefined) stage.memory.words[stolen.item >> 2] = 7;
      for (let operation = 0; operation < OPERATIONS_PER_STEP; operation++) operate(random);
      counts.operations = (counts.operations ?? 0) + OPERATIONS_PER_STEP;
      if (index % 20 === 0) {
        const { violations } = stage.memory.audit();
        for (const { rule, message } of violations.slice(0, 3)) found(`audit ${rule}`, `${rule}: ${message}`);
      }
      const told = findings;
      findings = [];
      return told;
    },
    takeCounts() {
      const taken = counts;
      counts = {};
      return taken;
    },
  };
}
