// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a person can do: which members of the set to name too, and if it was not repaired, what
 * can be tried, and what can still be read of it.
 */
#include "fsck_show.h"

#include <inttypes.h>

#include "base/types.h"

static bool super_is_left(const struct fsck_show *s, unsigned i)
{
	return s->results[i].super_tried && !s->results[i].super &&
	       !fsck_final_result(s, i)->has_summary;
}

static bool names_backing(const struct fsck_show *s)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->results[i].before.is_backing)
			return true;
	return false;
}

static bool prove_set(const struct fsck_show *s, unsigned i, char *line, size_t size)
{
	snprintf(line, size, "name its backing devices too: they prove which set it is");
	return super_is_left(s, i) && !names_backing(s);
}

static bool restore_super(const struct fsck_show *s, unsigned i, char *line, size_t size)
{
	snprintf(line, size, "a backup of its superblock is put back by cache-super-show "
		 "--restore FILE %s", s->paths[i]);
	return super_is_left(s, i);
}

static bool guess_super(const struct fsck_show *s, unsigned i, char *line, size_t size)
{
	snprintf(line, size, "cache-fsck --guess --dry-run %s shows what could be guessed of "
		 "its superblock", s->paths[i]);
	return super_is_left(s, i) && !s->results[i].before.is_backing && !s->guess;
}

static bool read_dirty(const struct fsck_show *s, unsigned i, char *line, size_t size)
{
	const struct cache_fsck_result *res = fsck_final_result(s, i);
	char dirty[CACHE_HUMAN_BYTES];

	fsck_show_sectors(s->cmd, res->summary.dirty_sectors, dirty);
	snprintf(line, size, "%s of dirty data can still be read, in %" PRIu64 " extents: "
		 "cache-show-keys --dirty %s lists where they lie and where they belong",
		 dirty, res->summary.dirty_extents, s->paths[i]);
	return res->has_summary && res->summary.dirty_extents;
}

static bool give_slot(const struct fsck_show *s, unsigned i, char *line, size_t size)
{
	const struct fsck_findings *now = s->results[i].checked_again ? s->left : s->findings;

	snprintf(line, size, "if you know which device has which lost slot, cache-fsck --slot UUID=N "
		 "gives slot N to it: cache-show-keys --dirty --inode N %s lists what the cache has "
		 "for the slot", s->paths[i]);
	return names_backing(s) && (fsck_findings_has(now, i, CACHE_P_UUID_NO_SLOT) ||
				    fsck_findings_has(now, i, CACHE_P_UUID_GARBAGE));
}

/* Those that the finding on this device is about. */
static void name_members(const struct fsck_show *s, unsigned i, fsck_next_fn *say, void *ctx)
{
	char line[1024];

	if (!fsck_findings_has(s->findings, i, CACHE_P_SB_MEMBER_ABSENT))
		return;
	for (unsigned k = 0; k < CACHE_MAX_CACHES_PER_SET; k++)
		if (cmd_absent_text(s->absent, k, line, sizeof(line)))
			say(ctx, line);
}

void fsck_next_steps(const struct fsck_show *s, unsigned i, fsck_next_fn *say, void *ctx)
{
	/* each writes its line if it applies, and returns whether it does */
	static bool (*const steps[])(const struct fsck_show *, unsigned, char *, size_t) = {
		prove_set, restore_super, guess_super, give_slot, read_dirty,
	};
	char line[1024];

	name_members(s, i, say, ctx);
	if (!s->results[i].tried || s->results[i].declined ||
	    cache_fsck_is_clean(fsck_final_result(s, i)))
		return;
	for (unsigned k = 0; k < sizeof(steps) / sizeof(*steps); k++)
		if (steps[k](s, i, line, sizeof(line)))
			say(ctx, line);
}
