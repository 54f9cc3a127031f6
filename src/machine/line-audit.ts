/**
 * What the audits of all structures ask of a lock, and of a line of waiters. Messages are parts of sentences:
 * who audits says whose lock or line it is, and which of its rules that breaks.
 */

import type { LockRank } from '../check/index.js';
import { layoutOf } from '../record/index.js';
import type { Attachment } from './attachment.js';
import { lockOwner } from './locks.js';
import { Waiter, WaiterState, WaitQueue } from './records.js';

/** Takes one finding: the rule's number, and how it is broken. */
type Tell = (rule: string, message: string) => void;

export interface LineAudit {
  /**
   * Runs a check with the lock held. A lock that nobody will release is a finding, and what it guards is not
   * looked at.
   */
  underLock(lock: number, rank: LockRank, rule: string, tell: Tell, check: () => void): void;
  /** Every link of a line, both ends, its count, and that all who stand in it live and wait. Under its lock. */
  auditLine(queue: number, rule: string, tell: Tell): void;
}

export function createLineAudit({ machine, locks, threads }: Attachment): LineAudit {
  const { words } = machine;
  const { load } = machine.atomics;
  const firstWaiter = threads.waiterRef(1, 0);
  const endOfWaiters = threads.waiterRef(threads.maxThreads + 1, 0);
  const waiterWords = layoutOf(Waiter).words;

  function isWaiter(at: number): boolean {
    return at >= firstWaiter && at < endOfWaiters && (at - firstWaiter) % waiterWords === 0;
  }

  /** What is wrong with one who stands in a line; nothing: ''. */
  function faultOf(waiter: number, queue: number, previous: number): string {
    const slot = words[waiter + Waiter.slot] as number;
    if (words[waiter + Waiter.queue] !== queue) return 'does not know it';
    if (words[waiter + Waiter.previous] !== previous) return 'has a wrong link back';
    if (load(waiter + Waiter.state) !== WaiterState.WAITING) return 'does not wait';
    return threads.isLive(slot) ? '' : `is of thread ${slot}, which does not live`;
  }

  return {
    underLock(lock, rank, rule, tell, check) {
      const owner = lockOwner(load(lock));
      if (load(lock) !== 0 && !threads.isLive(owner)) {
        tell(rule, `lock ${lock} is held by thread ${owner}, which does not live`);
        return;
      }
      locks.acquire(lock, rank);
      try {
        check();
      } finally {
        locks.release(lock);
      }
    },
    auditLine(queue, rule, tell) {
      const count = words[queue + WaitQueue.count] as number;
      let previous = 0;
      let seen = 0;
      let at = words[queue + WaitQueue.head] as number;
      for (; at !== 0 && seen < count; at = words[at + Waiter.next] as number) {
        seen++;
        if (!isWaiter(at)) return tell(rule, `${at} stands in the line, and is no waiter`);
        const fault = faultOf(at, queue, previous);
        if (fault !== '') tell(rule, `waiter ${at} stands in the line, and ${fault}`);
        previous = at;
      }
      if (at !== 0 || seen !== count)
        tell(rule, `the line has ${at === 0 ? seen : 'more'} waiters, its count is ${count}`);
      else if (words[queue + WaitQueue.tail] !== previous)
        tell(rule, `the line ends with ${previous}, not with its tail`);
    },
  };
}
