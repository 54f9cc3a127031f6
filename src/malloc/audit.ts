/** The audit of malloc: each invariant of README.md by its number. */

import { CheckLevel, hex, LockRank } from '../check/index.js';
import { createLineAudit } from '../machine/index.js';
import { isText, isZero, unsoundFields } from '../record/index.js';
import { GRANULE_SHIFT, OWNER_MEMORY, OwnerDeath } from '../uma/index.js';
import type { Accounts } from './accounts.js';
import { CLASS_SIZES } from './classes.js';
import type { MallocContext } from './context.js';
import type { Marks } from './marks.js';
import {
  CELL_WORDS,
  DESCRIPTION_WORDS,
  MallocState,
  MallocType,
  NAME_WORDS,
  TypeCell,
  type TypeRef,
} from './records.js';
import { batchGranules, type Registry } from './registry.js';
import type { FoundRun, Runs } from './runs.js';
import { isBlockZone, ownerOfBlockZone } from './zone-names.js';

/** Takes one finding: the rule's number, and where and how it is broken. */
export type Report = (rule: string, message: string) => void;

const GRANULES_PER_PAGE = 256;

export function auditMalloc(
  context: MallocContext,
  registry: Registry,
  accounts: Accounts,
  runs: Runs,
  marks: Marks,
  report: Report,
): void {
  const { machine, threads, sites, uma } = context;
  const { words, floats } = machine;
  const { auditLine, underLock } = createLineAudit(context);
  const state = machine.area('malloc');
  const read = (index: number): number => words[index] as number;
  const batch = batchGranules(machine.layout.parameters.pageCount);
  /** A cell may have this much pending: a batch, and the block that came last. */
  const pendingMost = batch + (CLASS_SIZES.at(-1) as number) / 16;

  function auditRegistry(): void {
    const count = read(state + MallocState.count);
    if (count < 0 || count > registry.most) {
      report('L1', `${count} types, and there can be ${registry.most}`);
      return;
    }
    if (!isZero(words, state + MallocState.deaths + 1, state + 16)) report('L1', 'spare words are not 0');
    if (!isZero(words, registry.at(count), registry.at(registry.most)))
      report('L1', 'records of types that are not there are not all 0');
    const names = new Set<string>();
    for (let index = 0; index < count; index++) {
      const type = registry.at(index);
      // A description may be missing; see below.
      const fields = unsoundFields(words, floats, MallocType, type).filter(
        (field) => field !== 'description',
      );
      if (fields.length > 0) report('L1', `type ${index} has an unsound ${fields}`);
      const isNamed = isText(words, type + MallocType.name, NAME_WORDS) && !names.has(registry.nameOf(type));
      if (!isNamed) report('L1', `type ${index} has no name of its own`);
      const description = type + MallocType.description;
      const isDescribed = isText(words, description, DESCRIPTION_WORDS);
      if (!isDescribed && !isZero(words, description, description + DESCRIPTION_WORDS))
        report('L1', `type ${index} has no sound description`);
      names.add(registry.nameOf(type));
    }
  }

  function auditCells(type: TypeRef, tell: (message: string) => void): void {
    const cells = read(type + MallocType.cells);
    if (uma.owners[cells >>> GRANULE_SHIFT] !== OWNER_MEMORY) tell('its cells are not the memory’s');
    const limited = read(type + MallocType.limit) !== 0;
    const [most, least] = limited ? [-0x80000000, 0x7fffffff] : [batch, -batch];
    for (let slot = 1; slot <= threads.maxThreads; slot++) {
      const cell = registry.cellOf(type, slot);
      if (read(cell + TypeCell.most) !== most || read(cell + TypeCell.least) !== least)
        tell(`the cell of slot ${slot} does not settle as the limit says`);
      if (Math.abs(read(cell + TypeCell.pending)) > pendingMost)
        tell(`the cell of slot ${slot} has ${read(cell + TypeCell.pending)} granules pending`);
      if (!isZero(words, cell + TypeCell.sizes + 2, cell + CELL_WORDS))
        tell(`the cell of slot ${slot} has spare words that are not 0`);
    }
  }

  function auditType(type: TypeRef): void {
    const tell = (rule: string, message: string): void =>
      report(rule, `malloc type ${registry.nameOf(type)}: ${message}`);
    const { limit, used, high, line, batched, ownZones, guarded, onOwnerDeath } = MallocType;
    underLock(type + MallocType.lock, LockRank.TYPE, 'L5', tell, () => {
      auditLine(type + line, 'L3', tell);
      const granules = words.length / 4;
      const inUse = accounts.inUse(type);
      if (read(type + limit) < 0) tell('L2', `its limit is ${read(type + limit)}`);
      if (inUse < 0 || inUse > granules || read(type + high) < 0 || read(type + high) > granules)
        tell(
          'L2',
          `${inUse} granules are in use, ${read(type + high)} were, of ${read(type + used)} settled`,
        );
      if (read(type + batched) >>> 0 > 1 || read(type + ownZones) >>> 0 > 1)
        tell('L2', `batched ${read(type + batched)}, zones of its own ${read(type + ownZones)}`);
      const isOwn = read(type + ownZones) === 1;
      const [guards, policy] = [read(type + guarded) >>> 0, read(type + onOwnerDeath) >>> 0];
      if (guards > (isOwn ? 1 : 0) || policy > (isOwn ? OwnerDeath.report : OwnerDeath.keep))
        tell('L2', `guarded ${guards}, after a death ${policy}`);
      auditCells(type, (message) => tell('L4', message));
    });
  }

  /** A run says who has it, and that it is counted. */
  function auditRun({ block, owner, site, isClaimed }: FoundRun): void {
    const isSlot = owner === OWNER_MEMORY || (owner >= 1 && owner <= threads.maxThreads);
    if (!isSlot || site > sites.count() || !isClaimed)
      report('L8', `the run at ${hex(block)} is of slot ${owner}, place ${site}, claimed: ${isClaimed}`);
    if (runs.damageOf(block) !== null)
      report('L8', `the redzone behind the run at ${hex(block)} is not whole`);
  }

  /** Without a death all types are as exact as their blocks; after one, those that follow it. */
  function isExact(type: TypeRef): boolean {
    if (read(type + MallocType.onOwnerDeath) !== OwnerDeath.keep) return true;
    return machine.checkLevel >= CheckLevel.TRASH && read(state + MallocState.deaths) === 0;
  }

  /** Whether a zone is of a type that follows a death: `malloc-64#3` is the third one's. */
  function isFollowed(zone: string): boolean {
    const type = registry.byNumber(ownerOfBlockZone(zone));
    return type !== 0 && read(type + MallocType.onOwnerDeath) !== OwnerDeath.keep;
  }

  /** What the blocks of each type have in use, as they say themselves. */
  function auditClaims(): void {
    const claimed = new Map<TypeRef, number>();
    const count = (type: TypeRef, granules: number): void => {
      claimed.set(type, (claimed.get(type) ?? 0) + granules);
    };
    uma.eachInUse(({ zone, start, size, tag }) => {
      if (tag === 0 || !isBlockZone(zone)) return;
      const type = marks.claimantOf(read(tag));
      if (type === 0 && read(state + MallocState.deaths) !== 0 && !isFollowed(zone)) return;
      if (type === 0) report('L8', `block ${hex(start)} of ${zone} is in use, and its tag is ${read(tag)}`);
      else count(type, size >>> GRANULE_SHIFT);
    });
    runs.each(({ type, pages }) => count(type, pages * GRANULES_PER_PAGE));
    for (let index = 0; index < registry.count(); index++) {
      const type = registry.at(index);
      const [found, inUse] = [claimed.get(type) ?? 0, accounts.inUse(type)];
      if (isExact(type) && found !== inUse)
        report('L7', `malloc type ${registry.nameOf(type)} has ${inUse} granules, its blocks ${found}`);
    }
  }

  /** What the types have in use is what their zones and runs have. */
  function auditSum(): void {
    if (read(state + MallocState.deaths) !== 0) return;
    let granules = 0;
    for (let index = 0; index < registry.count(); index++) granules += accounts.inUse(registry.at(index));
    let found = 0;
    for (const { name, size, used } of uma.stats())
      if (isBlockZone(name)) found += used * (size >>> GRANULE_SHIFT);
    runs.each(({ pages }) => {
      found += pages * GRANULES_PER_PAGE;
    });
    if (found !== granules) report('L6', `${granules} granules are counted, and ${found} are in use`);
  }

  underLock(state + MallocState.lock, LockRank.REGISTRY, 'L5', report, auditRegistry);
  for (let index = 0; index < registry.count(); index++) auditType(registry.at(index));
  auditSum();
  runs.each(auditRun);
  auditClaims();
}
