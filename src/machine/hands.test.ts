import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HANDS_MAX, Hand, HandKind } from './index.js';
import { bury, joinMortal, joinParty, makeParty, type Party } from './machine.test-kit.js';
import { Death } from './mortal.test-kit.js';

const { BUCKET, SLAB, ITEM, RUN } = HandKind;

const contents = ({ machine }: Party, hand: number): number[] => [
  ...machine.words.subarray(hand + Hand.HELD, hand + Hand.THIRD + 1),
];

describe('hands', () => {
  it('say what is held, of which kind, and of what', () => {
    const party = makeParty();
    const { hands, threads } = party;
    const hand = hands.open(SLAB, 2 ** 20, -1, 2, 3);
    assert.deepEqual([hands.kindOf(hand), hands.numberOf(hand)], [SLAB, 2 ** 20]);
    assert.deepEqual(contents(party, hand), [-1, 2, 3]);
    assert.deepEqual(hands.ofSlot(threads.slot), [hand]);
    hands.close(hand);
    assert.deepEqual(hands.ofSlot(threads.slot), []);
    assert.equal(hands.open(BUCKET, 0, 0, 0, 0), hand, 'the same place again');
  });

  it('nest like brackets: the last opened comes first', () => {
    const { hands, threads } = makeParty();
    const [outer, inner] = [hands.open(ITEM, 1, 0, 0, 0), hands.open(RUN, 2, 0, 0, 0)];
    assert.deepEqual(hands.ofSlot(threads.slot), [inner, outer]);
    hands.close(inner);
    const again = hands.open(SLAB, 3, 0, 0, 0);
    assert.equal(again, inner);
    hands.close(again);
    hands.close(outer);
    assert.deepEqual(hands.ofSlot(threads.slot), []);
  });

  it('are closed by whoever knows that a commit has closed them', () => {
    const { hands, machine, threads } = makeParty();
    const hand = hands.open(ITEM, 1, 7, 0, 0);
    machine.words[hand] = 0;
    hands.closed(hand);
    assert.deepEqual(hands.ofSlot(threads.slot), []);
    assert.equal(hands.open(ITEM, 1, 0, 0, 0), hand);
  });

  it('are 12; one more is refused, and writes nothing', () => {
    const { hands, machine, threads } = makeParty();
    const open = Array.from({ length: HANDS_MAX }, (_, index) => hands.open(ITEM, index, 1, 2, 3));
    const before = machine.words.slice();
    assert.throws(() => hands.open(ITEM, 99, 1, 2, 3), { code: 'HOOK_FAILED', message: /nested too deep/ });
    assert.deepEqual(machine.words, before);
    assert.deepEqual(hands.ofSlot(threads.slot), [...open].reverse());
    for (const hand of [...open].reverse()) hands.close(hand);
    hands.close(hands.open(ITEM, 1, 0, 0, 0));
  });

  it('of all dead threads are visited, of the living none', () => {
    const party = makeParty();
    const others = [1, 2, 3].map(() => joinParty(party.machine.handle));
    const [one, two, living] = others as [Party, Party, Party];
    const opened = others.map(({ hands }, index) => hands.open(RUN, index, 100 + index, 0, 0));
    const second = two.hands.open(ITEM, 9, 0, 0, 0);
    const visited = (): number[] => {
      const found: number[] = [];
      living.hands.eachOfDead((hand) => found.push(hand));
      return found;
    };
    assert.deepEqual(visited(), []);
    bury(party.threads, one.threads);
    assert.deepEqual(visited(), [opened[0]]);
    bury(party.threads, two.threads);
    assert.deepEqual(visited(), [opened[0], second, opened[1]]);
    assert.equal(party.threads.claimDead(), one.threads.slot);
    assert.deepEqual(visited(), [opened[0], second, opened[1]], 'also while it is cleaned up');
    party.threads.finishReap(one.threads.slot);
    assert.deepEqual(visited(), [second, opened[1]]);
    assert.deepEqual(party.hands.ofSlot(one.threads.slot), []);
  });

  it('are there whole or not at all, whichever store of open and close is the last one', () => {
    for (let store = 1; ; store++) {
      const party = makeParty();
      const victim = joinMortal(party.machine.handle);
      victim.hands.close(victim.hands.open(BUCKET, 5, 91, 92, 93));
      victim.mortal.dieAt(store);
      try {
        victim.hands.close(victim.hands.open(ITEM, 7, 1, 2, 3));
        break;
      } catch (error) {
        assert.ok(error instanceof Death, String(error));
      }
      for (const hand of party.hands.ofSlot(victim.threads.slot)) {
        assert.deepEqual([party.hands.kindOf(hand), party.hands.numberOf(hand)], [ITEM, 7]);
        assert.deepEqual(contents(party, hand), [1, 2, 3]);
      }
    }
  });
});
