// The loop that goes from an address to the off-page header of its run: a search in the tree of headers.
import { createHeaderTree, TreeNode } from '../dist/uma/header-tree.js';

/** A header has a cache line of its own, as the slab headers of such a keg. */
const HEADER_BYTES = 64;
const RUN_BYTES = 16384;
const RANDOM_ADDRESSES = 65_536;

export function makeLookupLoop(memory, count) {
  const { words } = memory;
  const tree = createHeaderTree(words);
  const zone = memory.zone({ name: 'headers', size: HEADER_BYTES });
  const root = zone.alloc() >> 2;
  words[root] = 0;
  for (const place of shuffled(count)) {
    const header = zone.alloc() >> 2;
    words[header + TreeNode.base] = place * RUN_BYTES;
    words[header + TreeNode.length] = RUN_BYTES;
    if (!tree.insert(root, header)) throw new Error('a run was refused');
  }
  const { random } = makeRandom();
  const addresses = Float64Array.from({ length: RANDOM_ADDRESSES }, () => random(count) * RUN_BYTES + 4000);
  const mask = RANDOM_ADDRESSES - 1;
  const loop = (turns) => {
    for (let turn = 0; turn < turns; turn++) {
      if (tree.find(root, addresses[turn & mask]) === 0) throw new Error('a header was not found');
    }
  };
  return { loop, itemsPerTurn: 1 };
}

function makeRandom() {
  let state = 0x9e3779b9;
  return {
    random(bound) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return (state >>> 0) % bound;
    },
  };
}

/** 0 to `count` - 1: headers of neighbours do not lie side by side. */
function shuffled(count) {
  const { random } = makeRandom();
  const places = Uint32Array.from({ length: count }, (_, index) => index);
  for (let at = count - 1; at > 0; at--) {
    const other = random(at + 1);
    [places[at], places[other]] = [places[other], places[at]];
  }
  return places;
}
