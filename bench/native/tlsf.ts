// The allocator of AssemblyScript's runtime, for calls from JavaScript, and the loops of wasm-loops.h around
// it. It is compiled by `asc`, not by TypeScript.

const BURST: i32 = 32;

export function malloc(size: usize): usize {
  return heap.alloc(size);
}

export function calloc(count: usize, size: usize): usize {
  const block = heap.alloc(count * size);
  memory.fill(block, 0, count * size);
  return block;
}

export function realloc(block: usize, size: usize): usize {
  return heap.realloc(block, size);
}

export function free(block: usize): void {
  heap.free(block);
}

export function pairs(turns: u32, size: u32): void {
  for (let turn: u32 = 0; turn < turns; turn++) {
    const block = malloc(size);
    store<u32>(block, turn);
    free(block);
  }
}

export function bursts(turns: u32, size: u32): void {
  for (let turn: u32 = 0; turn < turns; turn++) {
    let last: usize = 0;
    for (let i: i32 = 0; i < BURST; i++) {
      const block = malloc(size);
      store<usize>(block, last);
      last = block;
    }
    while (last !== 0) {
      const before = load<usize>(last);
      free(last);
      last = before;
    }
  }
}
