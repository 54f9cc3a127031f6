/*
 * malloc and free, of whichever library is preloaded: driver SUITE SIZE [FILE]. The suites are a, b, c, d, `trace`
 * (of the file), and `ring` (d without an allocator: the words are handed over, and nothing is allocated).
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "timing.h"
#include "loops.h"
#include "handoff.h"
#include "trace.h"

static size_t item_bytes;
static uint32_t only_item;

#define MALLOC() malloc(item_bytes)
PAIR_LOOP(malloc_pair, MALLOC, free)
BATCH_LOOP(malloc_batch, MALLOC, free)
RANDOM_LOOP(malloc_random, MALLOC, free)
HANDOFF_LOOP(malloc_handoff, MALLOC, free)

#define NO_ALLOC() ((void *)&only_item)
#define NO_FREE(item) ((void)(item))
HANDOFF_LOOP(ring_handoff, NO_ALLOC, NO_FREE)

int main(int count, char **arguments) {
  if (count < 3 || count > 4) return fprintf(stderr, "usage: driver SUITE SIZE [FILE]\n"), 2;
  const char *suite = arguments[1];
  item_bytes = (size_t)atoi(arguments[2]);
  if (!strcmp(suite, "a")) measure_loop(malloc_pair, 1);
  else if (!strcmp(suite, "b")) measure_loop(malloc_batch, BATCH);
  else if (!strcmp(suite, "c")) malloc_random_fill(), measure_loop(malloc_random, 1);
  else if (!strcmp(suite, "d")) start_consumer(malloc_handoff_consumer), measure_loop(malloc_handoff, HANDOFF_BULK);
  else if (!strcmp(suite, "ring")) start_consumer(ring_handoff_consumer), measure_loop(ring_handoff, HANDOFF_BULK);
  else if (!strcmp(suite, "trace") && count == 4) trace_load(arguments[3]), trace_watch(), measure_loop(trace_loop, trace_calls());
  else return fprintf(stderr, "driver: no suite %s\n", suite), 2;
  return 0;
}
