// A C target needs a source file; what there is to say is in the header.
#include "CFuzzer.h"
