// SPDX-License-Identifier: GPL-2.0-only
#include "absent.h"

#include "host/probe.h"
#include "set/members.h"

#include <stdlib.h>
#include <string.h>

void cmd_absent_named(struct cmd_absent *a, const struct cache_sb *sb)
{
	if (!cache_sb_is_one_of_several(sb))
		return;
	if (a->nr_in_set && memcmp(a->set_uuid, sb->set_uuid, sizeof(a->set_uuid))) {
		a->two_sets = true;
		return;
	}
	a->nr_in_set = sb->nr_in_set;
	memcpy(a->set_uuid, sb->set_uuid, sizeof(a->set_uuid));
	a->named[sb->nr_this_dev] = true;
}

/* The first of those with one number; that there are two is found once both are named. */
static int on_found(void *ctx, const char *path, const struct cache_sb *sb)
{
	struct cmd_absent *a = ctx;
	unsigned i = sb->nr_this_dev;

	if (!cache_sb_is_one_of_several(sb) || a->named[i] || a->path[i])
		return 0;
	a->path[i] = strdup(path);
	return 0;
}

void cmd_absent_find(struct cmd_absent *a)
{
	bool all = true;

	for (unsigned i = 0; i < a->nr_in_set && i < CACHE_MAX_CACHES_PER_SET; i++)
		all &= a->named[i];
	if (!all && !a->two_sets)
		cache_probe_set(a->set_uuid, on_found, a);
}

bool cmd_absent_text(const struct cmd_absent *a, uint64_t index, char *line, size_t size)
{
	if (index >= CACHE_MAX_CACHES_PER_SET || !a->path[index])
		return false;
	snprintf(line, size, "member %u of this set is %s: name it too", (unsigned)index,
		 a->path[index]);
	return true;
}

void cmd_absent_fini(struct cmd_absent *a)
{
	for (unsigned i = 0; i < CACHE_MAX_CACHES_PER_SET; i++)
		free(a->path[i]);
}
