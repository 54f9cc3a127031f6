/* malloc of the program: compiled for one thread, as the C library is, so that both have the same errno. */

#define MBUMA_MALLOC_IMPLEMENTATION
#include <mbuma-malloc.h>

__attribute__((export_name("take_errno"))) int take_errno(void) {
  int last = errno;
  errno = 0;
  return last;
}
