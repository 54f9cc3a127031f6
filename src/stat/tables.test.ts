import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatNetstatM, formatVmstatM, formatVmstatZ, type ZoneFigures } from './index.js';

function zone(name: string, size: number, figures: Partial<ZoneFigures> = {}): ZoneFigures {
  return { name, size, limit: 0, used: 0, free: 0, requests: 0, failures: 0, sleeps: 0, ...figures };
}

test('vmstat -z prints a zone as FreeBSD does', () => {
  const text = formatVmstatZ([
    zone('mbuf_packet', 256, { used: 256, free: 128, requests: 4120331 }),
    zone('mbuf_cluster', 2048, {
      limit: 25600,
      used: 384,
      free: 10,
      requests: 401797,
      failures: 3,
      sleeps: 2,
    }),
  ]);
  assert.deepEqual(text.split('\n'), [
    'ITEM                   SIZE   LIMIT     USED     FREE      REQ FAIL SLEEP XDOM',
    'mbuf_packet:            256,      0,     256,     128, 4120331,   0,   0,   0',
    'mbuf_cluster:          2048,  25600,     384,      10,  401797,   3,   2,   0',
  ]);
});

test('vmstat -z keeps a blank before the size of a zone with a long name, and never cuts a figure', () => {
  const name = 'a zone with a name that is longer than the column';
  const figures = { requests: 1e15, failures: 123456, sleeps: 99999 };
  const line = formatVmstatZ([zone(name, 16384, figures)]).split('\n')[1];
  assert.equal(line, `${name}:16384,      0,       0,       0,1000000000000000,123456,99999,   0`);
});

test('netstat -m follows the formulas', () => {
  const text = formatNetstatM([
    zone('mbuf', 256, { used: 5, free: 406, failures: 1, sleeps: 4 }),
    zone('mbuf_packet', 256, { used: 256, free: 128, failures: 3, sleeps: 6 }),
    zone('mbuf_cluster', 2048, { limit: 25600, used: 384, free: 10, failures: 2, sleeps: 5 }),
    zone('mbuf_jumbo_page', 4096, { limit: 12800 }),
    zone('mbuf_jumbo_9k', 9216, { limit: 6400, failures: 7 }),
    zone('mbuf_jumbo_16k', 16384, { limit: 3200, sleeps: 8 }),
    zone('conversation', 112, { used: 1000, free: 5 }),
  ]);
  assert.deepEqual(text.split('\n'), [
    '261/534/795 mbufs in use (current/cache/total)',
    '256/138/394/25600 mbuf clusters in use (current/cache/total/max)',
    '256/128 mbuf+clusters out of packet secondary zone in use (current/cache)',
    '0/0/0/12800 4k (page size) jumbo clusters in use (current/cache/total/max)',
    '0/0/0/6400 9k jumbo clusters in use (current/cache/total/max)',
    '0/0/0/3200 16k jumbo clusters in use (current/cache/total/max)',
    '577K/409K/986K bytes allocated to network (current/cache/total)',
    '1/2/3 requests for mbufs denied (mbufs/clusters/mbuf+clusters)',
    '4/5/6 requests for mbufs delayed (mbufs/clusters/mbuf+clusters)',
    '0/0/8 requests for jumbo clusters delayed (4k/9k/16k)',
    '0/7/0 requests for jumbo clusters denied (4k/9k/16k)',
  ]);
});

test('netstat -m of a memory without network buffers is all zeros', () => {
  const lines = formatNetstatM([]).split('\n');
  assert.equal(lines.length, 11);
  for (const line of lines) assert.match(line, /^0K?(\/0K?)* /);
});

test('vmstat -m prints a type as FreeBSD does, and leaves out what was never used', () => {
  const none = { used: 0, bytes: 0, bytesHigh: 0, requests: 0, sizes: [] };
  const text = formatVmstatM([
    { name: 'temp', used: 21, bytes: 23_700, bytesHigh: 40_000, requests: 13742, sizes: [16, 112, 1024] },
    { name: 'never', ...none },
    { ...none, name: 'a type with a long name', requests: 1e15, sizes: [Number.POSITIVE_INFINITY] },
  ]);
  assert.deepEqual(text.split('\n'), [
    '         Type InUse MemUse HighUse Requests  Size(s)',
    '         temp    21    24K     40K    13742  16,112,1024',
    'a type with a long name     0     0K      0K 1000000000000000  ',
  ]);
});
