// SPDX-License-Identifier: GPL-2.0-only
#include "nearest.h"
#include "applet.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define NAME_MAX_BYTES	32
#define FAR		(2 * NAME_MAX_BYTES)

static unsigned min(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Number of insertions, deletions, replacements and swaps of neighbours that turn @a into @b. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[3][NAME_MAX_BYTES + 1];
	size_t na = strlen(a), nb = strlen(b);

	if (na > NAME_MAX_BYTES || nb > NAME_MAX_BYTES)
		return FAR;
	for (size_t j = 0; j <= nb; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned *here = row[i % 3], *above = row[(i + 2) % 3], *before = row[(i + 1) % 3];

		here[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			here[j] = min(min(above[j], here[j - 1]) + 1,
				      above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				here[j] = min(here[j], before[j - 2] + 1);
		}
	}
	return row[na % 3][nb];
}

/* Number of missing letters, when @name is a part of @whole; otherwise too many. */
static unsigned missing(const char *name, const char *whole)
{
	return *name && strstr(whole, name) ? (unsigned)(strlen(whole) - strlen(name)) : FAR;
}

/* The best of all by one measure; if two are equal, the first that is not an alias. */
static const char *best(const char *name, unsigned (*measure)(const char *, const char *),
			unsigned limit)
{
	unsigned n, nearest = limit + 1;
	const struct applet *a = applet_list(&n);
	const char *found = NULL;
	bool alias = false;

	for (; n--; a++) {
		unsigned d = measure(name, a->name);

		if (d > nearest || (d == nearest && (!alias || a->flags & APPLET_ALIAS)))
			continue;
		nearest = d;
		found = a->name;
		alias = a->flags & APPLET_ALIAS;
	}
	return found;
}

const char *nearest_applet(const char *name)
{
	/* "fsck" is the end of cache-fsck, however many letters are missing */
	const char *near = best(name, distance, min((unsigned)strlen(name) / 2, 4));

	return near ? near : best(name, missing, FAR - 1);
}
