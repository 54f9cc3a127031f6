/*
 * mbuma-malloc.h: malloc of a shared mbuma memory, for WebAssembly modules.
 *
 * Every file may include this and call mbuma_malloc and the others. In one file of the module, say
 *
 *     #define MBUMA_MALLOC_IMPLEMENTATION
 *     #include <mbuma-malloc.h>
 *
 * and malloc, free, calloc, realloc, aligned_alloc, posix_memalign and malloc_usable_size are these, for the C
 * library as well: strdup allocates here, and the library's own allocator is not linked.
 *
 * The imports are those of createMallocImports(memory) of 'mbuma/wasm', as module "mbuma". To say another module
 * name, define MBUMA_IMPORT_MODULE. The module's memory must be imported, shared, and have a reservation that
 * covers __heap_base.
 *
 * As in C, but for what it leaves open:
 *   malloc(0), calloc(0, n)   a block of 16 bytes
 *   realloc(p, 0)             the smallest block; never frees
 *   alignment                 16 at least; blocks of a power of two up to 64 KiB are multiples of their size
 *   free of what is no block  throws an error through the module into JavaScript: C never goes on
 *
 * errno is set in C, by MBUMA_SET_ERRNO, so it is that of the library that the module is linked with. Of a
 * library that is built for one thread, such as Debian's wasi-libc, errno is one word for all threads, and not
 * thread-local: compile the file with MBUMA_MALLOC_IMPLEMENTATION without -matomics then.
 */
#ifndef MBUMA_MALLOC_H
#define MBUMA_MALLOC_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef MBUMA_IMPORT_MODULE
#define MBUMA_IMPORT_MODULE "mbuma"
#endif
#define MBUMA_IMPORT(name) __attribute__((import_module(MBUMA_IMPORT_MODULE), import_name(name)))

/* A block of at least `size` bytes, or NULL. */
void *mbuma_malloc(size_t size) MBUMA_IMPORT("malloc");

/* Gives a block back; NULL: nothing. Any thread may, and JavaScript. */
void mbuma_free(void *block) MBUMA_IMPORT("free");

/* `count` times `size` bytes of zeros, or NULL; also where the product is more than there is. */
void *mbuma_calloc(size_t count, size_t size) MBUMA_IMPORT("calloc");

/* The block in another size, maybe elsewhere; NULL: it is as it was, and still the caller's. */
void *mbuma_realloc(void *block, size_t size) MBUMA_IMPORT("realloc");

/* A block at a multiple of `alignment`, a power of two; or NULL. */
void *mbuma_aligned_alloc(size_t alignment, size_t size) MBUMA_IMPORT("aligned_alloc");

/* Bytes of a block that may be used; of NULL: 0. */
size_t mbuma_malloc_usable_size(void *block) MBUMA_IMPORT("malloc_usable_size");

/* Not every <stdlib.h> has it. */
size_t malloc_usable_size(void *block);

#ifdef MBUMA_MALLOC_IMPLEMENTATION

#ifndef MBUMA_SET_ERRNO
#include <errno.h>
#define MBUMA_SET_ERRNO(value) (errno = (value))
#endif
/* Without a C library: what WASI calls them. */
#ifndef EINVAL
#define EINVAL 28
#endif
#ifndef ENOMEM
#define ENOMEM 48
#endif

static void *mbuma_or_no_memory(void *block) {
  if (block == NULL) MBUMA_SET_ERRNO(ENOMEM);
  return block;
}

static int mbuma_is_power_of_two(size_t value) { return value != 0 && (value & (value - 1)) == 0; }

void *malloc(size_t size) { return mbuma_or_no_memory(mbuma_malloc(size)); }

void free(void *block) { mbuma_free(block); }

void *calloc(size_t count, size_t size) { return mbuma_or_no_memory(mbuma_calloc(count, size)); }

void *realloc(void *block, size_t size) { return mbuma_or_no_memory(mbuma_realloc(block, size)); }

void *aligned_alloc(size_t alignment, size_t size) {
  if (!mbuma_is_power_of_two(alignment)) {
    MBUMA_SET_ERRNO(EINVAL);
    return NULL;
  }
  return mbuma_or_no_memory(mbuma_aligned_alloc(alignment, size));
}

/* Answers the error; leaves errno, and `*place` if it fails, as they were. */
int posix_memalign(void **place, size_t alignment, size_t size) {
  if (!mbuma_is_power_of_two(alignment) || alignment < sizeof(void *)) return EINVAL;
  void *block = mbuma_aligned_alloc(alignment, size);
  if (block == NULL) return ENOMEM;
  *place = block;
  return 0;
}

size_t malloc_usable_size(void *block) { return mbuma_malloc_usable_size(block); }

#endif /* MBUMA_MALLOC_IMPLEMENTATION */

#ifdef __cplusplus
}
#endif

#endif /* MBUMA_MALLOC_H */
