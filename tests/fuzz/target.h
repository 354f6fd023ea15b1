/* SPDX-License-Identifier: GPL-2.0-only */
/* What a fuzz target gives to libFuzzer, and to replay.c. */
#ifndef TESTS_FUZZ_TARGET_H
#define TESTS_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);	/* may be missing */

#endif
