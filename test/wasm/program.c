/*
 * What the tests run in several threads at once: takes, fills, verifies, resizes, hands on and gives back
 * blocks by chance. Each function answers 0, or the line of what was found wrong.
 *
 * Every block is filled with cookies that follow from its seed:
 *
 *     [ length | seed | cookie 0 | cookie 1 | ... | up to 3 bytes ]
 *
 * and the map has the number of its thread for each 16 bytes of it: who takes a block finds 0 there, whatever
 * the allocator says. A block is in the map from after it was taken until before it is given back.
 */

#include <mbuma-malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT(name) __attribute__((export_name(#name)))
#define CHECK(condition) do { if (!(condition)) return __LINE__; } while (0)

enum { MEMORY_MAX = 64 << 20, GRANULE = 16, MAILBOXES = 64, HELD = 96, LEAST = 8 };

static _Atomic uint8_t owners[MEMORY_MAX / GRANULE];
static _Atomic(uint32_t *) mailboxes[MAILBOXES];
static _Atomic uint32_t handed_on;

/* A thread's own, by which thread-local storage is seen to work: 0 until it says its number. */
static _Thread_local uint32_t self;
static _Thread_local uint32_t chance;
static _Thread_local uint32_t *held[HELD];

static uint32_t next(void) {
  chance ^= chance << 13;
  chance ^= chance >> 17;
  chance ^= chance << 5;
  return chance;
}

static uint32_t cookie(uint32_t seed, uint32_t index) { return (seed + index) * 2654435761u ^ seed >> 7; }

/* Mostly small, at times a few pages, seldom a large run. */
static uint32_t any_size(void) {
  uint32_t kind = next() % 64;
  if (kind == 0) return next() % 150000;
  return LEAST + next() % (kind < 8 ? 9000 : 300);
}

EXPORT(fill) void fill(uint32_t *block, uint32_t length, uint32_t seed) {
  block[0] = length;
  block[1] = seed;
  for (uint32_t index = 2; index < length / 4; index++) block[index] = cookie(seed, index);
  for (uint32_t at = length & ~3u; at < length; at++) ((uint8_t *)block)[at] = (uint8_t)cookie(seed, at);
}

/* Whether the first `kept` bytes of the block are as they were filled. */
static int holds(const uint32_t *block, uint32_t length, uint32_t seed, uint32_t kept) {
  if (block[0] != length || block[1] != seed) return 0;
  for (uint32_t index = 2; index < length / 4 && index * 4 + 4 <= kept; index++)
    if (block[index] != cookie(seed, index)) return 0;
  for (uint32_t at = length & ~3u; at < length && at < kept; at++)
    if (((const uint8_t *)block)[at] != (uint8_t)cookie(seed, at)) return 0;
  return 1;
}

EXPORT(verify) int verify(const uint32_t *block) {
  CHECK((uintptr_t)block % GRANULE == 0);
  CHECK(block[0] <= malloc_usable_size((void *)block));
  CHECK(holds(block, block[0], block[1], block[0]));
  return 0;
}

/* Nobody else has any byte of it. */
static int claim(const void *block) {
  uintptr_t first = (uintptr_t)block / GRANULE;
  size_t usable = malloc_usable_size((void *)block);
  CHECK(usable > 0 && first * GRANULE + usable <= MEMORY_MAX);
  for (size_t at = 0; at < usable / GRANULE; at++)
    CHECK(atomic_exchange_explicit(&owners[first + at], (uint8_t)self, memory_order_relaxed) == 0);
  return 0;
}

static int disclaim(const void *block) {
  uintptr_t first = (uintptr_t)block / GRANULE;
  size_t usable = malloc_usable_size((void *)block);
  for (size_t at = 0; at < usable / GRANULE; at++)
    CHECK(atomic_exchange_explicit(&owners[first + at], 0, memory_order_relaxed) != 0);
  return 0;
}

static int give_back(uint32_t *block) {
  int wrong = verify(block);
  if (wrong == 0) wrong = disclaim(block);
  if (wrong != 0) return wrong;
  memset(block, 0xee, block[0]); /* for calloc to find */
  free(block);
  return 0;
}

static int is_zero(const uint8_t *bytes, size_t length) {
  for (size_t at = 0; at < length; at++)
    if (bytes[at] != 0) return 0;
  return 1;
}

/* One block, by any of the ways; NULL where there is no memory. */
static int take(uint32_t **taken) {
  uint32_t size = any_size();
  if (size < LEAST) size = LEAST;
  uint32_t way = next() % 8;
  size_t alignment = GRANULE;
  void *block = NULL;
  if (way == 0) {
    block = calloc(size / 4, 4);
    size &= ~3u;
    CHECK(block == NULL || is_zero(block, size));
  } else if (way == 1) {
    alignment = (size_t)1 << next() % 15;
    block = aligned_alloc(alignment, size);
  } else if (way == 2) {
    alignment = (size_t)4 << next() % 12;
    int error = posix_memalign(&block, alignment, size);
    CHECK((error == 0) == (block != NULL));
  } else {
    block = malloc(size);
  }
  *taken = block;
  if (block == NULL) return 0;
  CHECK((uintptr_t)block % alignment == 0);
  CHECK(malloc_usable_size(block) >= size);
  int wrong = claim(block);
  if (wrong != 0) return wrong;
  fill(block, size, next());
  return 0;
}

/* The block in another size: what fits of its contents stays. */
static int resize(uint32_t **place) {
  uint32_t *block = *place;
  uint32_t length = block[0];
  uint32_t seed = block[1];
  int wrong = verify(block);
  if (wrong == 0) wrong = disclaim(block);
  if (wrong != 0) return wrong;
  uint32_t size = any_size();
  if (size < LEAST) size = LEAST;
  uint32_t *other = realloc(block, size);
  if (other == NULL) return claim(block); /* no memory: it is as it was */
  *place = other;
  CHECK(malloc_usable_size(other) >= size);
  CHECK(holds(other, length, seed, length < size ? length : size));
  wrong = claim(other);
  if (wrong != 0) return wrong;
  fill(other, size, next());
  return 0;
}

EXPORT(begin) void begin(uint32_t number, uint32_t seed) {
  self = number;
  chance = seed * 2654435761u | 1;
}

EXPORT(number) uint32_t number(void) { return self; }

/* Puts a block into a mailbox; answers what was there. */
EXPORT(exchange) uint32_t *exchange(uint32_t box, uint32_t *block) {
  return atomic_exchange(&mailboxes[box % MAILBOXES], block);
}

EXPORT(steps) int steps(uint32_t count) {
  while (count-- > 0) {
    uint32_t **place = &held[next() % HELD];
    uint32_t what = next() % 8;
    int wrong = 0;
    if (*place == NULL) {
      wrong = take(place);
    } else if (what == 0) {
      wrong = resize(place);
    } else if (what <= 3) {
      uint32_t *other = exchange(next(), *place);
      *place = NULL;
      atomic_fetch_add(&handed_on, 1);
      if (other != NULL) wrong = give_back(other);
    } else {
      wrong = give_back(*place);
      *place = NULL;
    }
    if (wrong != 0) return wrong;
  }
  return 0;
}

/* Gives back all that the thread holds. */
EXPORT(finish) int finish(void) {
  for (int at = 0; at < HELD; at++) {
    int wrong = held[at] == NULL ? 0 : give_back(held[at]);
    held[at] = NULL;
    if (wrong != 0) return wrong;
  }
  return 0;
}

/* Gives back what lies in the mailboxes. */
EXPORT(clear_mail) int clear_mail(void) {
  for (int box = 0; box < MAILBOXES; box++) {
    uint32_t *block = exchange(box, NULL);
    int wrong = block == NULL ? 0 : give_back(block);
    if (wrong != 0) return wrong;
  }
  return 0;
}

/* 16 bytes at a time that are in the map. */
EXPORT(mapped) uint32_t mapped(void) {
  uint32_t count = 0;
  for (uint32_t at = 0; at < MEMORY_MAX / GRANULE; at++) count += owners[at] != 0;
  return count;
}

EXPORT(handed_on) uint32_t count_handed_on(void) { return atomic_load(&handed_on); }

/* A block of JavaScript's enters the map, one for JavaScript leaves it. */
EXPORT(adopt) int adopt(uint32_t *block) {
  int wrong = claim(block);
  return wrong != 0 ? wrong : verify(block);
}

EXPORT(part_with) int part_with(uint32_t *block) {
  int wrong = verify(block);
  return wrong != 0 ? wrong : disclaim(block);
}

EXPORT(release) int release(uint32_t *block) { return give_back(block); }

EXPORT(duplicate) char *duplicate(const char *text) { return strdup(text); }

/* What a caller of any C library may ask. */
EXPORT(c_malloc) void *c_malloc(size_t size) { return malloc(size); }
EXPORT(c_free) void c_free(void *block) { free(block); }
EXPORT(c_calloc) void *c_calloc(size_t count, size_t size) { return calloc(count, size); }
EXPORT(c_realloc) void *c_realloc(void *block, size_t size) { return realloc(block, size); }
EXPORT(c_aligned_alloc) void *c_aligned_alloc(size_t alignment, size_t size) {
  return aligned_alloc(alignment, size);
}
EXPORT(c_posix_memalign) int c_posix_memalign(void **place, size_t alignment, size_t size) {
  return posix_memalign(place, alignment, size);
}
EXPORT(c_usable_size) size_t c_usable_size(void *block) { return malloc_usable_size(block); }

/* For the clock: a block there and back, so many times. */
EXPORT(pairs) void pairs(uint32_t rounds, uint32_t size) {
  while (rounds-- > 0) {
    void *volatile block = malloc(size); /* or the compiler sees that it is of no use */
    free(block);
  }
}

/* The same, 32 at a time. */
EXPORT(bursts) void bursts(uint32_t rounds, uint32_t size) {
  void *volatile blocks[32];
  while (rounds-- > 0) {
    for (int at = 0; at < 32; at++) blocks[at] = malloc(size);
    for (int at = 0; at < 32; at++) free(blocks[at]);
  }
}
