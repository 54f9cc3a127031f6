/** The audit of foreign kegs: U21 and U22 of README.md. Follows no link that leaves the memory. */

import { PAGE_SHIFT } from '../machine/index.js';
import { countBitmap, isZero, unsoundFields } from '../record/index.js';
import { countAt, Mark, type Walk } from './audit-slabs.js';
import type { UmaContext } from './context.js';
import type { Maps } from './diagnose.js';
import {
  FOREIGN_KEG_WORDS,
  FOREIGN_KEGS_MAX,
  FOREIGN_RUN_WORDS,
  ForeignKegRecord,
  ForeignRun,
} from './foreign-records.js';
import { createHeaderTree } from './header-tree.js';
import { headerKegNumber } from './keg-state.js';
import { GRANULE_SHIFT } from './records.js';

export function createForeignAudit({ machine }: UmaContext, { words, pageKegs }: Maps): (walk: Walk) => void {
  const area = machine.area('foreign kegs');
  const tree = createHeaderTree(words);
  const read = (index: number): number => words[index] as number;

  /** Whether a header is an item of the keg of headers, and in use. */
  function isHeader(walk: Walk, run: number, headers: number): boolean {
    const isInside = run > 0 && run + FOREIGN_RUN_WORDS < words.length;
    return (
      isInside &&
      pageKegs[run >>> (PAGE_SHIFT - 2)] === headers &&
      walk.marks[run >>> (GRANULE_SHIFT - 2)] === Mark.OUT
    );
  }

  function auditRun(walk: Walk, record: number, run: number, where: string): number {
    const items = read(record + ForeignKegRecord.itemsPerRun);
    const free = countBitmap(words, run + FOREIGN_RUN_WORDS, items);
    const tail = items & 31;
    const last = read(run + FOREIGN_RUN_WORDS + ((items - 1) >>> 5));
    if (tail !== 0 && last >>> tail !== 0) walk.report('U21', `${where} has bits of items that it has not`);
    if (free !== read(run + ForeignRun.freeCount) || read(run + ForeignRun.keg) !== record)
      walk.report('U21', `${where} has ${free} items free, and counts ${read(run + ForeignRun.freeCount)}`);
    if (read(run + ForeignRun.length) !== read(record + ForeignKegRecord.runBytes))
      walk.report('U21', `${where} has ${read(run + ForeignRun.length)} bytes`);
    if (!isZero(words, run + ForeignRun.spare, run + FOREIGN_RUN_WORDS))
      walk.report('U21', `${where} has spare words that are not 0`);
    return free;
  }

  function auditPartial(walk: Walk, record: number, runs: Set<number>, name: string): void {
    let previous = 0;
    let count = 0;
    for (
      let run = read(record + ForeignKegRecord.partial);
      run !== 0;
      run = read(run + ForeignRun.partialNext)
    ) {
      const isKnown = runs.has(run) && count <= runs.size;
      if (!isKnown || read(run + ForeignRun.partialPrevious) !== previous) {
        walk.report('U22', `the list of runs with room of foreign keg ${name} runs astray at ${run}`);
        return;
      }
      previous = run;
      count++;
    }
    const wanted = [...runs].filter((run) => read(run + ForeignRun.freeCount) !== 0).length;
    if (count !== wanted)
      walk.report('U22', `foreign keg ${name} lists ${count} runs with room of ${wanted}`);
  }

  function auditKeg(walk: Walk, record: number): void {
    const headers = read(record + ForeignKegRecord.headerKeg);
    const name = `at ${record}`;
    for (const field of unsoundFields(words, machine.floats, ForeignKegRecord, record))
      walk.report('U21', `foreign keg ${name} has an unsound ${field}`);
    const items = Math.floor(
      read(record + ForeignKegRecord.runBytes) / read(record + ForeignKegRecord.itemSize),
    );
    const isKeg = headers >= headerKegNumber(64) && headers <= headerKegNumber(1024);
    if (!isKeg || items < 1 || items !== read(record + ForeignKegRecord.itemsPerRun)) {
      walk.report('U21', `the record of foreign keg ${name} contradicts itself`);
      return;
    }
    if (read(record + ForeignKegRecord.lock) !== 0)
      walk.report('U15', `the lock of foreign keg ${name} is not free`);
    const runs = new Set<number>();
    let free = 0;
    for (let run = read(record + ForeignKegRecord.runs); run !== 0; run = read(run + ForeignRun.next)) {
      if (runs.has(run) || !isHeader(walk, run, headers)) {
        walk.report('U22', `the runs of foreign keg ${name} run astray at ${run}`);
        break;
      }
      runs.add(run);
      free += auditRun(walk, record, run, `run ${run} of foreign keg ${name}`);
    }
    walk.headers[headers] = countAt(walk.headers, headers) + runs.size;
    const counted = read(record + ForeignKegRecord.runCount);
    if (counted !== runs.size || free !== read(record + ForeignKegRecord.freeItems))
      walk.report(
        'U21',
        `foreign keg ${name} counts ${counted} runs of ${runs.size}, or its free items wrongly`,
      );
    const seen = tree.audit(record + ForeignKegRecord.root, (message) => walk.report('U22', message));
    if (seen !== runs.size)
      walk.report('U22', `the tree of foreign keg ${name} has ${seen} runs of ${runs.size}`);
    auditPartial(walk, record, runs, name);
  }

  return (walk) => {
    for (let index = 0; index < FOREIGN_KEGS_MAX; index++) {
      const record = area + index * FOREIGN_KEG_WORDS;
      if (read(record + ForeignKegRecord.itemSize) !== 0) auditKeg(walk, record);
      else if (
        read(record) !== 0 ||
        !isZero(words, record + ForeignKegRecord.root, record + FOREIGN_KEG_WORDS)
      )
        walk.report('U14', `foreign keg ${index} is none, and not all 0`);
    }
  };
}
