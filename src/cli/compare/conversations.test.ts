import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createMemory } from '../../index.js';
import { createConversationReader, topRows } from '../conversation/read.js';
import { createConversationTable } from '../conversation/table.js';
import { CLASS_MASK } from '../packet/fields.js';
import { createPacketParser } from '../packet/parse.js';
import { type Bytes, ethernet, ipv4, ipv6, tcp, udp } from '../testing/captures.test-kit.js';
import { Conversations } from './conversations.js';
import { decodePacket, Headers } from './decode.js';

interface Packet {
  readonly frame: Bytes;
  readonly bytes: number;
}

const end = fc.nat(2);
const port = fc.constantFrom(80, 81);
const number = fc.constantFrom(0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff);

const transport = fc.oneof(
  {
    arbitrary: fc.record({ from: port, to: port }).map((fields) => ({ protocol: 17, payload: udp(fields) })),
    weight: 1,
  },
  {
    arbitrary: fc
      .record({
        from: port,
        to: port,
        flags: fc.constantFrom(2, 2, 16, 18, 0, 17),
        sequence: number,
        acknowledgement: number,
      })
      .map((fields) => ({ protocol: 6, payload: tcp(fields) })),
    weight: 5,
  },
);

const packet: fc.Arbitrary<Packet> = fc
  .tuple(end, end, transport, fc.boolean(), fc.nat(4), fc.integer({ min: 40, max: 5_000_000_000 }))
  .map(([from, to, above, isIpv6, optionWords, bytes]) => {
    const extensions = optionWords === 1 ? [{ type: 60, body: new Uint8Array(6) }] : [];
    const options = new Uint8Array(optionWords === 1 ? 4 : 0);
    const frame = isIpv6
      ? ethernet(0x86dd, ipv6({ from: `fd00::${from}`, to: `fd00::${to}`, extensions, ...above }))
      : ethernet(0x0800, ipv4({ from: `10.0.0.${from}`, to: `10.0.0.${to}`, options, ...above }));
    return { frame, bytes };
  });

test('counts conversations as the command does, over several passes', () => {
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), (packets, passes) => {
      const memory = createMemory({ bytes: 2 ** 21 });
      const table = createConversationTable(memory);
      const conversations = new Conversations();
      const headers = new Headers();
      for (let pass = 0; pass < passes; pass++) {
        for (const { frame, bytes } of packets) {
          const buffer = Buffer.from(frame);
          const parser = createPacketParser(buffer, 1);
          const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
          const kind = decodePacket(view, 0, buffer.length, 1, headers) & CLASS_MASK;
          conversations.count(buffer, headers, kind, bytes, pass);
          parser.parse(0, buffer.length, 1);
          assert.ok(table.count(parser.fields, bytes, pass));
        }
      }
      const reader = createConversationReader(memory);
      assert.equal(conversations.tcp, table.tcp);
      assert.equal(conversations.udp, table.udp);
      for (const count of [0, 1, 1000]) {
        assert.deepEqual(conversations.top(count), topRows(reader, [table.first], count));
      }
      reader.free(table.first);
      table.close();
      assert.ok(memory.audit().clean);
      memory.detach();
    }),
    { numRuns: 150 },
  );
});
