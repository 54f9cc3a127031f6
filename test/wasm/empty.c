/* What shows whether anything can be built. */
#include <stdlib.h>

