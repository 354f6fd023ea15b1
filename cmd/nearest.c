// SPDX-License-Identifier: GPL-2.0-only
#include "nearest.h"
#include "applet.h"

#include <stddef.h>
#include <string.h>

#define NAME_MAX_BYTES 32

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Insertions, deletions and replacements that make @b of @a (Levenshtein). */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[NAME_MAX_BYTES + 1];
	size_t nb = strlen(b);

	for (size_t j = 0; j <= nb; j++)
		row[j] = (unsigned)j;
	for (size_t i = 0; a[i]; i++) {
		unsigned diagonal = row[0]++;

		for (size_t j = 0; j < nb; j++) {
			unsigned here = min3(row[j] + 1, row[j + 1] + 1,
					     diagonal + (a[i] != b[j]));

			diagonal = row[j + 1];
			row[j + 1] = here;
		}
	}
	return row[nb];
}

const char *nearest_applet(const char *name)
{
	unsigned n, best = NAME_MAX_BYTES;
	const struct applet *a = applet_list(&n);
	const char *near = NULL;

	if (strlen(name) > NAME_MAX_BYTES)
		return NULL;
	for (; n--; a++) {
		unsigned d = strlen(a->name) > NAME_MAX_BYTES ? best :
			     distance(name, a->name);

		/* "fsck" is the end of cache-fsck, however many letters are missing */
		if (*name && strstr(a->name, name))
			d = 1;
		if (d < best) {
			best = d;
			near = a->name;
		}
	}
	return best <= strlen(name) / 2 || best == 1 ? near : NULL;
}
