/* SPDX-License-Identifier: GPL-2.0-only */
/* Rows formatted by hand, for millions of them: stdio's formatting takes longer than reading. */
#ifndef CMD_ROWS_H
#define CMD_ROWS_H

#include <stdbool.h>
#include <stdint.h>

/* Right-aligned in @width; an unknown number is a dash. Returns where it ends. */
static inline char *rows_number(char *p, unsigned width, bool known, uint64_t v)
{
	char digits[20];
	unsigned n = 0;

	if (!known)
		digits[n++] = '-';
	else
		do
			digits[n++] = '0' + v % 10;
		while (v /= 10);
	for (unsigned i = n; i < width; i++)
		*p++ = ' ';
	while (n)
		*p++ = digits[--n];
	return p;
}

#endif
