/** A worker of the comparison: decodes and counts the packets of each batch. */

import { performance } from 'node:perf_hooks';
import { parentPort } from 'node:worker_threads';
import { CLASS_FRAGMENT, CLASS_MASK, CLASS_OTHER_IP, CLASS_TCP, CLASS_UDP } from '../packet/fields.js';
import { watchGc } from '../replay/gc-watch.js';
import type { WorkerCounts } from '../replay/messages.js';
import { Conversations } from './conversations.js';
import { decodePacket, Headers } from './decode.js';
import type { FromWorker, Packet, ToWorker } from './messages.js';

if (parentPort === null) throw new Error('this program is a worker');
const port = parentPort;

const conversations = new Conversations();
const headers = new Headers();
const totals = { packets: 0, bytes: 0, nonIp: 0, otherIp: 0, tcp: 0, udp: 0, fragments: 0 };

function countPacket({ data, original, link }: Packet, pass: number): void {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const found = decodePacket(view, 0, data.byteLength, link, headers);
  totals.packets++;
  totals.bytes += original;
  if ((found & CLASS_FRAGMENT) !== 0) totals.fragments++;
  const kind = found & CLASS_MASK;
  switch (kind) {
    case CLASS_TCP:
      totals.tcp++;
      conversations.count(bytesOf(data), headers, kind, original, pass, (found & CLASS_FRAGMENT) !== 0);
      break;
    case CLASS_UDP:
      totals.udp++;
      conversations.count(bytesOf(data), headers, kind, original, pass);
      break;
    case CLASS_OTHER_IP:
      totals.otherIp++;
      break;
    default:
      totals.nonIp++;
  }
}

/** A Buffer is posted, a Uint8Array arrives. */
function bytesOf(data: Uint8Array<ArrayBuffer>): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

function counts(): WorkerCounts {
  return { ...totals, conversations: { tcp: conversations.tcp, udp: conversations.udp } };
}

function post(message: FromWorker): void {
  port.postMessage(message);
}

const gcWatch = watchGc();
const started = performance.now();

port.on('message', async (message: ToWorker) => {
  if (message.kind === 'batch') {
    for (const packet of message.packets) countPacket(packet, message.pass);
    post({ kind: 'done' });
    return;
  }
  post({ kind: 'counted', counts: counts() });
  const gc = await gcWatch.stop(started);
  post({ kind: 'report', top: conversations.top(message.top), gc });
  port.close();
});
post({ kind: 'ready' });
