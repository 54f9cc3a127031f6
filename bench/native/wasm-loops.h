/*
 * Blocks taken and given back by code inside a WebAssembly module, compiled with whoever's malloc. Nothing here
 * needs a stack or data in the module's memory: that memory may be somebody else's. tlsf.ts holds the same.
 */
#ifndef BENCH_WASM_LOOPS_H
#define BENCH_WASM_LOOPS_H

#include <stdint.h>

/* A module without a C library has no header for them. */
void *malloc(__SIZE_TYPE__ size);
void free(void *block);

#define EXPORTED(NAME) __attribute__((used, export_name(#NAME)))
#define BURST 32

/* One block, taken and given back at once. */
EXPORTED(pairs) void pairs(uint32_t turns, uint32_t size) {
  for (uint32_t turn = 0; turn < turns; turn++) {
    volatile uint32_t *block = malloc(size);
    *block = turn;
    free((void *)block);
  }
}

/* 32 blocks, each with the address of the one before in its first word; then given back, the last one first. */
EXPORTED(bursts) void bursts(uint32_t turns, uint32_t size) {
  for (uint32_t turn = 0; turn < turns; turn++) {
    void *volatile *last = 0;
    for (int i = 0; i < BURST; i++) {
      void *volatile *block = malloc(size);
      *block = (void *)last;
      last = block;
    }
    while (last) {
      void *volatile *before = *last;
      free((void *)last);
      last = before;
    }
  }
}

#endif
