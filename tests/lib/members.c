// SPDX-License-Identifier: GPL-2.0-only
/*
 * members LEAVES EXTENTS DEV...	freshly formatted members of one set (make-cache --set-size),
 *					in order, become a set that has run: see members.h
 */
#include "members.h"

int main(int argc, char **argv)
{
	struct members m = { 0 };

	if (argc < 4 || argc > 3 + CACHE_MAX_CACHES_PER_SET)
		return 2;
	m.nleaves = strtoul(argv[1], NULL, 10);
	m.nextents = strtoul(argv[2], NULL, 10);
	m.n = argc - 3;
	for (unsigned i = 0; i < m.n; i++) {
		struct cache_err err = { 0 };

		if (cache_dev_open(argv[3 + i], CACHE_DEV_WRITE, &m.d[i].dev, &err) ||
		    cache_sb_read(m.d[i].dev, &m.d[i].sb, &err)) {
			fprintf(stderr, "members: %s: %s\n", argv[3 + i], err.text);
			return 1;
		}
	}
	members_build(&m);
	for (unsigned i = 0; i < m.n; i++) {
		cache_dev_flush(m.d[i].dev, NULL);
		cache_dev_close(m.d[i].dev);
	}
	return 0;
}
