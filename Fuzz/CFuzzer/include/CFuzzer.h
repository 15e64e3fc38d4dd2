/// libFuzzer's entry, which ships without a header. (LLVM, "Using libFuzzer as a library".)
#pragma once
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerRunDriver(
    int *argc, char ***argv, int (*callback)(const uint8_t *bytes, size_t count));
