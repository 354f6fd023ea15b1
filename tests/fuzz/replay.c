// SPDX-License-Identifier: GPL-2.0-only
/*
 * What libFuzzer is to a target, without the fuzzing: each file named is given to it
 * once. A crash ends the run, and the file is the last one named on stdout.
 */
#include <stdio.h>
#include <stdlib.h>

#include "target.h"

extern const int fuzz_is_replay;

#pragma weak LLVMFuzzerInitialize

/* budget.h asks: nothing is timed here. */
const int fuzz_is_replay = 1;

#define INPUT_MAX	(1 << 16)

int main(int argc, char **argv)
{
	static char buf[INPUT_MAX];

	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "r");
		size_t n = f ? fread(buf, 1, sizeof(buf), f) : 0;
		uint8_t *copy = malloc(n ? n : 1);	/* so that an over-read is seen */

		if (!f || !copy) {
			perror(argv[i]);
			return 1;
		}
		fclose(f);
		printf("%s\n", argv[i]);
		fflush(stdout);
		for (size_t k = 0; k < n; k++)
			copy[k] = buf[k];
		LLVMFuzzerTestOneInput(copy, n);
		free(copy);
	}
	return 0;
}
