/*
 * The loops of the suites, once. A peer pastes in its way to allocate and to free; bench/loops.mjs holds the
 * same loops in JavaScript, statement by statement.
 */
#ifndef BENCH_LOOPS_H
#define BENCH_LOOPS_H

#include <stdint.h>

#define BATCH 1000
#define SLOTS 10000
#define BULK_MAX 1000

/* The item's first word is written, and the compiler may not leave it out. */
#define TOUCH(item, value) (*(volatile uint32_t *)(item) = (uint32_t)(value))

static void *batch_items[BATCH];
static void *slot_items[SLOTS];
static void *bulk_items[BULK_MAX];
static uint32_t random_state = 0x9e3779b9u;

/* a: one item, taken and given back at once. */
#define PAIR_LOOP(NAME, ALLOC, FREE)                                                                                   \
  static void NAME(uint64_t turns) {                                                                                   \
    for (uint64_t turn = 0; turn < turns; turn++) {                                                                    \
      void *item = ALLOC();                                                                                            \
      TOUCH(item, turn);                                                                                               \
      FREE(item);                                                                                                      \
    }                                                                                                                  \
  }

/* b: 1000 items taken, then given back in the order they were taken. One turn = 1000 pairs. */
#define BATCH_LOOP(NAME, ALLOC, FREE)                                                                                  \
  static void NAME(uint64_t turns) {                                                                                   \
    for (uint64_t turn = 0; turn < turns; turn++) {                                                                    \
      for (int i = 0; i < BATCH; i++) {                                                                                \
        void *item = ALLOC();                                                                                          \
        TOUCH(item, i);                                                                                                \
        batch_items[i] = item;                                                                                         \
      }                                                                                                                \
      for (int i = 0; i < BATCH; i++) FREE(batch_items[i]);                                                            \
    }                                                                                                                  \
  }

/* c: 10,000 living items; each turn gives one back, chosen at random, and takes another in its place. */
#define RANDOM_LOOP(NAME, ALLOC, FREE)                                                                                 \
  static void NAME##_fill(void) {                                                                                      \
    for (int i = 0; i < SLOTS; i++) slot_items[i] = ALLOC();                                                           \
  }                                                                                                                    \
  static void NAME(uint64_t turns) {                                                                                   \
    uint32_t random = random_state;                                                                                    \
    for (uint64_t turn = 0; turn < turns; turn++) {                                                                    \
      random ^= random << 13;                                                                                          \
      random ^= random >> 17;                                                                                          \
      random ^= random << 5;                                                                                           \
      uint32_t slot = ((random >> 16) * SLOTS) >> 16;                                                                  \
      FREE(slot_items[slot]);                                                                                          \
      void *item = ALLOC();                                                                                            \
      TOUCH(item, turn);                                                                                               \
      slot_items[slot] = item;                                                                                         \
    }                                                                                                                  \
    random_state = random;                                                                                             \
  }

/* bulk: `COUNT` items taken by one call and given back by one call. One turn = COUNT pairs. */
#define BULK_LOOP(NAME, COUNT, ALLOC_MANY, FREE_MANY)                                                                  \
  static void NAME(uint64_t turns) {                                                                                   \
    for (uint64_t turn = 0; turn < turns; turn++) {                                                                    \
      ALLOC_MANY(bulk_items, COUNT);                                                                                   \
      for (int i = 0; i < COUNT; i++) TOUCH(bulk_items[i], i);                                                         \
      FREE_MANY(bulk_items, COUNT);                                                                                    \
    }                                                                                                                  \
  }

#endif
