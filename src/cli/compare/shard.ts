/**
 * One worker, seen from the main thread. Only so many batches may be with it: then the main thread waits
 * until one is counted, and memory does not grow.
 */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { FromWorker, Packet, ToWorker } from './messages.js';

/** Enough that a worker finds the next batch waiting while the main thread makes another. */
const BATCHES = 4;

type MessageOf<Kind extends FromWorker['kind']> = Extract<FromWorker, { kind: Kind }>;

export class Shard {
  private readonly worker = new Worker(new URL('./worker.js', import.meta.url));
  /** Last message of each kind that nobody has asked for. */
  private readonly arrived = new Map<FromWorker['kind'], FromWorker>();
  private away = 0;

  constructor() {
    this.worker.on('message', (message: FromWorker) => {
      if (message.kind === 'done') this.away--;
      else this.arrived.set(message.kind, message);
    });
  }

  async ready(): Promise<void> {
    await this.next('ready');
  }

  /** Posts a batch, as soon as the worker has few enough. What is in `transfer` goes without a copy. */
  async send(packets: readonly Packet[], pass: number, transfer: readonly ArrayBuffer[]): Promise<void> {
    while (this.away >= BATCHES) await once(this.worker, 'message');
    this.away++;
    this.post({ kind: 'batch', packets, pass }, transfer);
  }

  /** Says that there are no more batches. What the worker has counted, once it has counted all. */
  async counted(top: number): Promise<MessageOf<'counted'>> {
    this.post({ kind: 'finish', top });
    return this.next('counted');
  }

  /** Comes after `counted`; then the worker ends. */
  async report(): Promise<MessageOf<'report'>> {
    return this.next('report');
  }

  private post(message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
    this.worker.postMessage(message, transfer);
  }

  /** The message of this kind. Rejects with the worker's error. */
  private async next<Kind extends FromWorker['kind']>(kind: Kind): Promise<MessageOf<Kind>> {
    for (;;) {
      const message = this.arrived.get(kind);
      if (message !== undefined) return message as MessageOf<Kind>;
      await once(this.worker, 'message');
    }
  }
}
