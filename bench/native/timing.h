/*
 * How a cell is timed in C. bench/timing.mjs does the same for JavaScript: the same clock (monotonic wall
 * time), the same warm-up, the same number and length of repetitions, the same line of output.
 */
#ifndef BENCH_TIMING_H
#define BENCH_TIMING_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WARM_UP_NS 100000000ull
#define REPETITION_NS 25000000ull
#define REPETITIONS 9

/* What a cell tells besides its times: `,"name":value`. */
static char figures_besides[256];

/* Runs `turns` turns of a cell's loop. */
typedef void (*Loop)(uint64_t turns);

static inline uint64_t monotonic_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static inline uint64_t time_turns(Loop loop, uint64_t turns) {
  uint64_t start = monotonic_ns();
  loop(turns);
  return monotonic_ns() - start;
}

static int compare_doubles(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

/* Warms up, finds how many turns fill a repetition, times the repetitions, prints one JSON line. */
static inline void measure_loop(Loop loop, double items_per_turn) {
  uint64_t turns = 1, warm = 0, took = 0;
  for (;;) {
    took = time_turns(loop, turns);
    warm += took;
    if (took < REPETITION_NS) turns = took < REPETITION_NS / 8 ? turns * 4 : turns + turns / 4 + 1;
    else if (warm >= WARM_UP_NS) break;
  }
  double ns[REPETITIONS];
  for (int i = 0; i < REPETITIONS; i++) ns[i] = (double)time_turns(loop, turns) / (double)turns / items_per_turn;
  qsort(ns, REPETITIONS, sizeof ns[0], compare_doubles);
  printf("{\"median\":%.4f,\"best\":%.4f,\"turns\":%llu%s}\n", ns[REPETITIONS / 2], ns[0], (unsigned long long)turns,
         figures_besides);
}

#endif
