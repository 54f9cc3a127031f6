/* A module with the malloc of Emscripten, for calls from inside and from JavaScript. */
#include <unistd.h>

#include "wasm-loops.h"

/* Bytes of the heap up to the highest address that malloc has asked for so far. */
EXPORTED(heapEnd) uint32_t heapEnd(void) { return (uint32_t)(uintptr_t)sbrk(0); }
