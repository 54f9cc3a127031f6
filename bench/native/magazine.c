/*
 * The bound for a compiled, inlined zone: two buckets of 128 in front of a depot of buckets under a spin lock,
 * slabs below; no owner, no check, no limit, no statistics. magazine SUITE SIZE.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "timing.h"
#include "loops.h"

#define BUCKET_ITEMS 128
#define SLAB_BYTES (64 * 1024)

typedef struct Bucket {
  struct Bucket *next;
  uint32_t count;
  void *items[BUCKET_ITEMS];
} Bucket;

typedef struct {
  Bucket *loaded; /* Both calls use this one. */
  Bucket *spare;  /* Exchanged with it when it is empty (alloc) or full (free). */
} ThreadCache;

typedef struct {
  atomic_flag lock;
  Bucket *full, *empty;
  size_t item_bytes;
  char *slab, *slab_end;
} Depot;

static ThreadCache cache;
static Depot depot = {.lock = ATOMIC_FLAG_INIT};

static void *must(void *memory) {
  if (!memory) abort();
  return memory;
}

static Bucket *bucket_pop(Bucket **list) {
  Bucket *bucket = *list;
  if (bucket) *list = bucket->next;
  return bucket;
}

static void bucket_push(Bucket **list, Bucket *bucket) {
  bucket->next = *list;
  *list = bucket;
}

static void depot_lock(void) {
  while (atomic_flag_test_and_set_explicit(&depot.lock, memory_order_acquire)) {
  }
}

static void depot_unlock(void) { atomic_flag_clear_explicit(&depot.lock, memory_order_release); }

static void bucket_fill(Bucket *bucket) {
  while (bucket->count < BUCKET_ITEMS) {
    if (depot.slab + depot.item_bytes > depot.slab_end) {
      depot.slab = must(aligned_alloc(4096, SLAB_BYTES));
      depot.slab_end = depot.slab + SLAB_BYTES;
    }
    bucket->items[bucket->count++] = depot.slab;
    depot.slab += depot.item_bytes;
  }
}

/* Both buckets are empty: give one to the depot and take a full one. */
static __attribute__((noinline)) void *magazine_alloc_slow(void) {
  if (cache.spare->count == 0) {
    depot_lock();
    Bucket *full = bucket_pop(&depot.full);
    if (full) bucket_push(&depot.empty, cache.spare);
    else bucket_fill(full = cache.spare);
    cache.spare = full;
    depot_unlock();
  }
  Bucket *loaded = cache.spare;
  cache.spare = cache.loaded;
  cache.loaded = loaded;
  return loaded->items[--loaded->count];
}

/* Both buckets are full: give one to the depot and take an empty one. */
static __attribute__((noinline)) void magazine_free_slow(void *item) {
  if (cache.spare->count == BUCKET_ITEMS) {
    depot_lock();
    bucket_push(&depot.full, cache.spare);
    cache.spare = bucket_pop(&depot.empty);
    depot_unlock();
    if (!cache.spare) cache.spare = must(calloc(1, sizeof(Bucket)));
  }
  Bucket *loaded = cache.spare;
  cache.spare = cache.loaded;
  cache.loaded = loaded;
  loaded->items[loaded->count++] = item;
}

static inline void *magazine_alloc(void) {
  Bucket *loaded = cache.loaded;
  if (__builtin_expect(loaded->count == 0, 0)) return magazine_alloc_slow();
  return loaded->items[--loaded->count];
}

static inline void magazine_free(void *item) {
  Bucket *loaded = cache.loaded;
  if (__builtin_expect(loaded->count == BUCKET_ITEMS, 0)) return magazine_free_slow(item);
  loaded->items[loaded->count++] = item;
}

PAIR_LOOP(magazine_pair, magazine_alloc, magazine_free)
BATCH_LOOP(magazine_batch, magazine_alloc, magazine_free)
RANDOM_LOOP(magazine_random, magazine_alloc, magazine_free)

int main(int count, char **arguments) {
  if (count != 3) return fprintf(stderr, "usage: magazine SUITE SIZE\n"), 2;
  const char *suite = arguments[1];
  depot.item_bytes = (size_t)atoi(arguments[2]);
  cache.loaded = must(calloc(1, sizeof(Bucket)));
  cache.spare = must(calloc(1, sizeof(Bucket)));
  if (!strcmp(suite, "a")) measure_loop(magazine_pair, 1);
  else if (!strcmp(suite, "b")) measure_loop(magazine_batch, BATCH);
  else if (!strcmp(suite, "c")) magazine_random_fill(), measure_loop(magazine_random, 1);
  else return fprintf(stderr, "magazine: no suite %s\n", suite), 2;
  return 0;
}
