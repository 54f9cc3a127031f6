/*
 * d: the calling thread allocates, a second thread frees. Items cross in a ring for one producer and one
 * consumer, 1024 slots, published 32 at a time on both sides (bench/handoff.mjs does the same). One turn = 32
 * items; the clock stops when the last item is freed.
 */
#ifndef BENCH_HANDOFF_H
#define BENCH_HANDOFF_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#define RING_SLOTS 1024u
#define HANDOFF_BULK 32u

#if defined(__x86_64__)
#define SPIN_PAUSE() __builtin_ia32_pause()
#else
#define SPIN_PAUSE() ((void)0)
#endif

typedef struct {
  _Alignas(64) _Atomic uint32_t published; /* Items put so far; written by the producer only. */
  _Alignas(64) _Atomic uint32_t consumed;  /* Items taken so far; written by the consumer only. */
  _Alignas(64) void *slots[RING_SLOTS];
} HandoffRing;

static HandoffRing handoff_ring;
static uint32_t handoff_sum;

#define HANDOFF_LOOP(NAME, ALLOC, FREE)                                                                                \
  static void *NAME##_consumer(void *unused) {                                                                         \
    HandoffRing *ring = &handoff_ring;                                                                                 \
    uint32_t taken = 0;                                                                                                \
    for (;;) {                                                                                                         \
      uint32_t published = atomic_load_explicit(&ring->published, memory_order_acquire);                               \
      if (published == taken) {                                                                                        \
        SPIN_PAUSE();                                                                                                  \
        continue;                                                                                                      \
      }                                                                                                                \
      for (uint32_t i = 0; i < HANDOFF_BULK; i++) {                                                                    \
        void *item = ring->slots[(taken + i) % RING_SLOTS];                                                            \
        handoff_sum += *(uint32_t *)item;                                                                              \
        FREE(item);                                                                                                    \
      }                                                                                                                \
      taken += HANDOFF_BULK;                                                                                           \
      atomic_store_explicit(&ring->consumed, taken, memory_order_release);                                             \
    }                                                                                                                  \
    return unused;                                                                                                     \
  }                                                                                                                    \
  static void NAME(uint64_t turns) {                                                                                   \
    HandoffRing *ring = &handoff_ring;                                                                                 \
    uint32_t put = atomic_load(&ring->published);                                                                      \
    for (uint64_t turn = 0; turn < turns; turn++) {                                                                    \
      while (put - atomic_load_explicit(&ring->consumed, memory_order_acquire) > RING_SLOTS - HANDOFF_BULK)            \
        SPIN_PAUSE();                                                                                                  \
      for (uint32_t i = 0; i < HANDOFF_BULK; i++) {                                                                    \
        void *item = ALLOC();                                                                                          \
        TOUCH(item, i);                                                                                                \
        ring->slots[(put + i) % RING_SLOTS] = item;                                                                    \
      }                                                                                                                \
      put += HANDOFF_BULK;                                                                                             \
      atomic_store_explicit(&ring->published, put, memory_order_release);                                              \
    }                                                                                                                  \
    while (atomic_load_explicit(&ring->consumed, memory_order_acquire) != put) SPIN_PAUSE();                           \
  }

/* Starts the consumer, which spins until the process ends. */
static inline int start_consumer(void *(*consumer)(void *)) {
  pthread_t thread;
  return pthread_create(&thread, 0, consumer, 0);
}

#endif
