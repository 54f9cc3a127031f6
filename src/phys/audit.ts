/**
 * The invariants of the page layer, numbered as in README.md. Run under the layer's lock; reads only,
 * trusts nothing, ends whatever it finds.
 */

import { type Attachment, createLineAudit } from '../machine/index.js';
import { isZero, layoutOf, unsoundFields } from '../record/index.js';
import { THRESHOLD_NAMES, type Thresholds, thresholdReasons } from './classes.js';
import {
  FIRST_USED_STATE,
  LAST_USED_STATE,
  ORDER_MAX,
  Page,
  PageQueue,
  PageState,
  Phys,
  Starving,
} from './records.js';

type Report = (rule: string, message: string) => void;

const RECORD_WORDS = layoutOf(Page).words;

export function auditPages(attachment: Attachment, report: Report): void {
  const { machine } = attachment;
  const { auditLine } = createLineAudit(attachment);
  const { words } = machine;
  const { firstPage } = machine.layout;
  const { pageCount } = machine.layout.parameters;
  const records = machine.area('pages');
  const phys = machine.area('phys');
  const { FREE, FREE_TAIL, BOOT } = PageState;

  const wordOf = (page: number, field: number): number => records + page * RECORD_WORDS + field;
  const read = (page: number, field: number): number => words[wordOf(page, field)] as number;
  const physWord = (field: number): number => words[phys + field] as number;
  const stateOf = (page: number): number => read(page, Page.state);
  const isUsed = (page: number): boolean =>
    stateOf(page) >= FIRST_USED_STATE && stateOf(page) <= LAST_USED_STATE;
  const isFree = (page: number): boolean => stateOf(page) === FREE || stateOf(page) === FREE_TAIL;

  function auditStates(): void {
    for (let page = 0; page < pageCount; page++) {
      const state = stateOf(page);
      const mustBoot = page < firstPage;
      if (mustBoot ? state !== BOOT : !isUsed(page) && !isFree(page)) {
        report('P1', `page ${page} has state ${state}${mustBoot ? ', and is a boot page' : ''}`);
      }
    }
  }

  /** The used run at `page`: how many pages to pass over. */
  function auditRun(page: number): number {
    const length = read(page, Page.length);
    if (length < 1 || length > pageCount - page) {
      report('P2', `page ${page} is used, and no run covers it: its length is ${length}`);
      return 1;
    }
    for (let tail = page + 1; tail < page + length; tail++) {
      if (stateOf(tail) !== stateOf(page) || read(tail, Page.length) !== 0) {
        report(
          'P2',
          `page ${tail} lies in the run of ${length} pages at ${page} of state ${stateOf(page)}, and has state ${stateOf(tail)}, length ${read(tail, Page.length)}`,
        );
      }
    }
    return length;
  }

  /** The free block at `page`: how many pages to pass over. */
  function auditBlock(page: number): number {
    const order = read(page, Page.order);
    if (stateOf(page) !== FREE) {
      report('P3', `page ${page} is free, and no block covers it`);
      return 1;
    }
    const length = order < 0 || order > ORDER_MAX ? 0 : 2 ** order;
    if (length === 0 || page % length !== 0 || page + length > pageCount) {
      report('P3', `the block at page ${page} has order ${order}: it is not aligned, or does not fit`);
      return 1;
    }
    for (let tail = page + 1; tail < page + length; tail++) {
      if (stateOf(tail) !== FREE_TAIL) {
        report(
          'P3',
          `page ${tail} lies in the block of ${length} pages at ${page}, and has state ${stateOf(tail)}`,
        );
      }
    }
    const buddy = page ^ length;
    if (page < buddy && buddy < pageCount && stateOf(buddy) === FREE && read(buddy, Page.order) === order) {
      report('P4', `the blocks of ${length} pages at ${page} and ${buddy} are buddies, and are not joined`);
    }
    return length;
  }

  function auditCover(): void {
    for (let page = firstPage; page < pageCount; ) {
      if (isUsed(page)) page += auditRun(page);
      else if (isFree(page)) page += auditBlock(page);
      else page++;
    }
  }

  /** FREE pages by order, from the records: what the lists must hold. */
  function findBlocks(): Set<number>[] {
    const blocks = Array.from({ length: ORDER_MAX + 1 }, () => new Set<number>());
    for (let page = firstPage; page < pageCount; page++) {
      if (stateOf(page) === FREE) blocks[read(page, Page.order)]?.add(page);
    }
    return blocks;
  }

  /** Walks one list as far as its links are sound; gives the pages that are on it. */
  function auditList(order: number, expected: ReadonlySet<number>): number {
    const seen = new Set<number>();
    let previous = 0;
    let record = physWord(Phys.heads + order);
    while (record !== 0) {
      const page = (record - records) / RECORD_WORDS;
      if (!expected.has(page) || seen.has(page)) {
        report(
          'P5',
          `list ${order} names ${seen.has(page) ? 'twice' : 'as a block'} the record at ${record}, page ${page}`,
        );
        break;
      }
      if (read(page, Page.previous) !== previous) {
        report(
          'P5',
          `in list ${order} page ${page} follows ${previous}, and says ${read(page, Page.previous)}`,
        );
      }
      seen.add(page);
      previous = record;
      record = read(page, Page.next);
    }
    for (const page of expected) {
      if (!seen.has(page)) report('P5', `the block of order ${order} at page ${page} is not on its list`);
    }
    return seen.size;
  }

  function auditLists(): void {
    const blocks = findBlocks();
    for (let order = 0; order <= ORDER_MAX; order++) {
      const count = auditList(order, blocks[order] as Set<number>);
      const hasBit = (physWord(Phys.nonEmpty) & (1 << order)) !== 0;
      const hasHead = physWord(Phys.heads + order) !== 0;
      if (hasBit !== hasHead) {
        report(
          'P6',
          `bit ${order} of the mask is ${hasBit ? 'set' : 'clear'}, and list ${order} is ${hasHead ? 'not empty' : 'empty'}`,
        );
      }
      if (physWord(Phys.blocks + order) !== count) {
        report(
          'P7',
          `${physWord(Phys.blocks + order)} blocks of order ${order} are counted, and ${count} are on the list`,
        );
      }
    }
    if (physWord(Phys.nonEmpty) >>> (ORDER_MAX + 1) !== 0) {
      report('P6', `the mask ${physWord(Phys.nonEmpty) >>> 0} has bits of orders that do not exist`);
    }
  }

  function auditCounts(): void {
    let free = 0;
    for (let page = firstPage; page < pageCount; page++) if (isFree(page)) free++;
    if (physWord(Phys.freePages) !== free) {
      report('P8', `${physWord(Phys.freePages)} free pages are counted, and there are ${free}`);
    }
  }

  function auditFreeRecords(): void {
    const { length, object, offset, wireCount, loanCount } = Page;
    const fields = Object.entries({ length, object, offset, wireCount, loanCount });
    for (let page = firstPage; page < pageCount; page++) {
      if (!isFree(page)) continue;
      for (const [name, field] of fields) {
        if (read(page, field) !== 0)
          report('P9', `page ${page} is free, and its ${name} is ${read(page, field)}`);
      }
    }
  }

  /** Runs by queue, from the records: what the lists must hold. Reports what is in a queue and must not be. */
  function findQueued(): Map<number, Set<number>> {
    const { ACTIVE, INACTIVE, CACHE, NONE } = PageQueue;
    const queued = new Map<number, Set<number>>([ACTIVE, INACTIVE, CACHE].map((queue) => [queue, new Set()]));
    for (let page = firstPage; page < pageCount; page++) {
      const queue = read(page, Page.queue);
      const isHead = isUsed(page) && read(page, Page.length) > 0;
      const isIdle = queue === NONE && isZero(words, wordOf(page, Page.queue), wordOf(page, Page.spare));
      if (queued.get(queue)?.add(page) && isHead && read(page, Page.ticket) > 0) continue;
      if (!isIdle) report('P11', `page ${page} has queue ${queue}, or links or a ticket, and is in none`);
    }
    return queued;
  }

  function auditQueue(queue: number, expected: ReadonlySet<number>): void {
    const seen = new Set<number>();
    let previous = 0;
    let pages = 0;
    for (let record = physWord(Phys.queueHeads + queue); record !== 0; ) {
      const page = (record - records) / RECORD_WORDS;
      if (!expected.has(page) || seen.has(page)) {
        report(
          'P11',
          `queue ${queue} names the record at ${record}, page ${page}, which is not in it, or twice`,
        );
        return;
      }
      if (read(page, Page.queuePrevious) !== previous)
        report('P11', `in queue ${queue} page ${page} follows another than it says`);
      seen.add(page);
      pages += read(page, Page.length);
      previous = record;
      record = read(page, Page.queueNext);
    }
    if (physWord(Phys.queueTails + queue) !== previous) report('P11', `queue ${queue} has another end`);
    if (seen.size !== expected.size)
      report('P11', `queue ${queue} has ${seen.size} runs, and ${expected.size} say that they are in it`);
    if (physWord(Phys.queuePages + queue) !== pages)
      report('P11', `queue ${queue} counts ${physWord(Phys.queuePages + queue)} pages, and has ${pages}`);
  }

  function auditQueues(): void {
    for (const [queue, expected] of findQueued()) auditQueue(queue, expected);
    for (const field of [Phys.queueHeads, Phys.queueTails, Phys.queuePages])
      if (physWord(field) !== 0) report('P11', 'there is something in the queue that is none');
  }

  function auditLevel(): void {
    const thresholds = Object.fromEntries(THRESHOLD_NAMES.map((name) => [name, physWord(Phys[name])]));
    for (const reason of thresholdReasons(thresholds as unknown as Thresholds, pageCount - firstPage))
      report('P12', `a threshold: ${reason}`);
    const isLow = physWord(Phys.isLow);
    const mayBeHigh = physWord(Phys.freePages) >= physWord(Phys.freeMin);
    if (isLow !== 1 && !(isLow === 0 && mayBeHigh))
      report('P12', `isLow is ${isLow} with ${physWord(Phys.freePages)} free pages`);
    if (physWord(Phys.starving) >>> 0 > Starving.RESERVE)
      report('P12', `starving is ${physWord(Phys.starving)}`);
    if (physWord(Phys.lastTicket) < 0) report('P12', `the last ticket is ${physWord(Phys.lastTicket)}`);
  }

  /**
   * What nothing uses is 0. In used pages nothing uses these either, until there are objects of many pages;
   * but who holds a run may note something in its first page.
   */
  function auditSpare(): void {
    const { length, offset, wireCount, loanCount, spare } = Page;
    for (let page = 0; page < pageCount; page++) {
      const record = records + page * RECORD_WORDS;
      const isNoted = read(page, Page.state) === PageState.RUN && read(page, length) !== 0;
      const fields = isNoted ? [wireCount, loanCount] : [offset, wireCount, loanCount];
      const unused = isUsed(page) && fields.some((field) => read(page, field) !== 0);
      const isBoot = page < firstPage && !isZero(words, record + length, record + RECORD_WORDS);
      if (isBoot || unused || !isZero(words, record + spare, record + RECORD_WORDS))
        report('P10', `page ${page} has words that nothing uses, and they are not 0`);
    }
    for (const name of unsoundFields(words, machine.floats, Phys, phys))
      report('P10', `the record of the layer has an unsound ${name}`);
    if (
      (machine.floats[(phys + Phys.failures) >> 1] as number) >
      (machine.floats[(phys + Phys.requests) >> 1] as number)
    )
      report('P10', 'more requests have failed than there were');
  }

  auditSpare();
  auditStates();
  auditCover();
  auditLists();
  auditCounts();
  auditFreeRecords();
  auditQueues();
  auditLevel();
  auditLine(phys + Phys.line, 'P13', (rule, message) => report(rule, `the line for runs: ${message}`));
}
