/*
 * An allocation trace, played in its order; bench/trace.mjs tells the format, and is the same in JavaScript. The
 * tables of this file are no blocks of malloc, so that what an allocator says it uses is the trace's alone.
 */
#ifndef BENCH_TRACE_H
#define BENCH_TRACE_H

#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loops.h"
#include "timing.h"

enum { CALL_MALLOC = 1, CALL_FREE = 2, CALL_CALLOC = 3, CALL_REALLOC = 4 };

/* So many calls lie between two looks at how many bytes are used. */
#define SAMPLE_CALLS 64

typedef struct {
  uint32_t id, size;
  uint8_t call, thread;
  uint16_t microseconds;
} TraceRecord;

static const TraceRecord *trace_records;
static size_t trace_count;
static void **trace_blocks;
static uint32_t *trace_rest; /* Numbers of the blocks that the trace does not free. */
static size_t trace_rest_count;

/* What an allocator says of itself, by name; the most that was seen. */
typedef struct {
  const char *name;
  size_t peak;
} Peak;

static Peak trace_peaks[2];
static int (*jemalloc_control)(const char *, void *, size_t *, void *, size_t);
static struct mallinfo2 (*glibc_info)(void);

static void *trace_pages(size_t bytes) {
  void *pages = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) perror("mmap"), exit(1);
  return pages;
}

static void trace_load(const char *path) {
  int file = open(path, O_RDONLY);
  struct stat status;
  if (file < 0 || fstat(file, &status) != 0) perror(path), exit(1);
  trace_count = (size_t)status.st_size / sizeof(TraceRecord);
  void *contents = mmap(0, (size_t)status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
  if (contents == MAP_FAILED) perror(path), exit(1);
  trace_records = contents;
  uint32_t last = 0;
  for (size_t at = 0; at < trace_count; at++)
    if (trace_records[at].id > last) last = trace_records[at].id;
  trace_blocks = trace_pages((last + 1) * sizeof(void *));
  trace_rest = trace_pages((last + 1) * sizeof(uint32_t));
  uint8_t *alive = trace_pages(last + 1);
  for (size_t at = 0; at < trace_count; at++) alive[trace_records[at].id] = trace_records[at].call != CALL_FREE;
  for (uint32_t id = 1; id <= last; id++)
    if (alive[id]) trace_rest[trace_rest_count++] = id;
}

static inline void trace_play_one(const TraceRecord *record) {
  void **block = &trace_blocks[record->id];
  if (record->call == CALL_FREE) {
    free(*block);
    return;
  }
  if (record->call == CALL_REALLOC) *block = realloc(*block, record->size);
  else if (record->call == CALL_CALLOC) *block = calloc(1, record->size);
  else *block = malloc(record->size);
  TOUCH(*block, record->id);
}

static void trace_give_rest(void) {
  for (size_t i = 0; i < trace_rest_count; i++) free(trace_blocks[trace_rest[i]]);
}

static void trace_loop(uint64_t turns) {
  for (uint64_t turn = 0; turn < turns; turn++) {
    for (size_t at = 0; at < trace_count; at++) trace_play_one(&trace_records[at]);
    trace_give_rest();
  }
}

static void trace_see(int peak, const char *name, size_t bytes) {
  trace_peaks[peak].name = name;
  if (bytes > trace_peaks[peak].peak) trace_peaks[peak].peak = bytes;
}

static size_t jemalloc_bytes(const char *name) {
  size_t bytes = 0, length = sizeof bytes;
  jemalloc_control(name, &bytes, &length, 0, 0);
  return bytes;
}

static void trace_sample(void) {
  if (jemalloc_control) {
    uint64_t epoch = 1;
    size_t length = sizeof epoch;
    jemalloc_control("epoch", &epoch, &length, &epoch, length);
    trace_see(0, "active", jemalloc_bytes("stats.active"));
    trace_see(1, "resident", jemalloc_bytes("stats.resident"));
  } else if (glibc_info) {
    struct mallinfo2 info = glibc_info();
    trace_see(0, "heap", info.arena + info.hblkhd);
  }
}

/* Plays the trace once, looking at what is used; the figures go with those of the loop. */
static void trace_watch(void) {
  *(void **)&jemalloc_control = dlsym(RTLD_DEFAULT, "mallctl");
  if (!getenv("LD_PRELOAD")) glibc_info = mallinfo2;
  for (size_t at = 0; at < trace_count; at++) {
    trace_play_one(&trace_records[at]);
    if (at % SAMPLE_CALLS == 0) trace_sample();
  }
  trace_give_rest();
  size_t length = 0;
  for (int i = 0; i < 2; i++)
    if (trace_peaks[i].name)
      length += (size_t)snprintf(figures_besides + length, sizeof figures_besides - length, "%s\"%s\":%zu",
                                 length ? "," : ",\"peaks\":{", trace_peaks[i].name, trace_peaks[i].peak);
  if (length) snprintf(figures_besides + length, sizeof figures_besides - length, "}");
}

/* Calls of one turn of the loop. */
static double trace_calls(void) { return (double)(trace_count + trace_rest_count); }

#endif
