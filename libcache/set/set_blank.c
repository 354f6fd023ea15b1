// SPDX-License-Identifier: GPL-2.0-only
/* A set as it is before its first journal entry, for those that write the first one. */
#include "set/set_impl.h"

#include <errno.h>
#include <stdlib.h>

int cache_set_new_blank(struct cache_dev *dev, const struct cache_sb *sb, struct cache_set **setp,
			struct cache_err *err)
{
	struct cache_set *set = calloc(1, sizeof(*set));
	int ret = set ? cache_buckets_init(&set->buckets, sb->nbuckets, sb->first_bucket,
					   sb->bucket_sectors) : -ENOMEM;

	if (ret) {
		free(set);
		return cache_err_set(err, ret, 0, "no memory for a bucket table");
	}
	set->dev = dev;
	set->sb = *sb;
	set->gens = cache_gens_of(&set->buckets);
	set->loaded = CACHE_LOAD_MARKS;
	set->has_journal = true;
	/* what follows it is the first entry, with seq 1 at the start of the ring */
	set->journal.newest.pos = (struct cache_jset_pos){
		.last_seq = 1, .index = sb->njournal - 1, .version = CACHE_JSET_VERSION,
		.hidden = true };
	*setp = set;
	return 0;
}
