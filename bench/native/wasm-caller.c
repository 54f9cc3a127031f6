/* A module that has no malloc of its own: it imports that of whoever's memory it is given. */
#include "wasm-loops.h"
