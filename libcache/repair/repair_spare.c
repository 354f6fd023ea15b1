// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buckets that look unused, but may belong to something that could not be read: to a journal
 * entry that is newer than all that were read, or to a node with dirty data. Until the new
 * entry is written the old state must stay complete, including parts that cannot be read today.
 *
 * Two kinds of bucket certainly have no owner. First, a bucket that still starts with a btree
 * node whose gen is behind that of the bucket, or with an older prio_set: a later owner would
 * have overwritten that. Second, a bucket that the allocator never handed out: its gen and prio
 * are 0 in the newest prio_sets, which are written before a bucket is handed out.
 */
#include "repair/repair_impl.h"

#include <stdlib.h>

#include "base/bits.h"
#include "base/checked.h"
#include "base/crc64.h"
#include "format/bset_codec.h"

struct spare {
	struct cache_set *set;
	const struct cache_repair_opts *opts;
	char *buf;
	uint64_t *free;		/* one bit per bucket: its content proves that it has no owner */
	bool newest;		/* no prio_set may be newer than those that were loaded */
};

static bool read_meta(const struct spare *s, uint64_t bucket, uint32_t nsectors)
{
	return !cache_dev_read(s->set->dev, cache_bucket_sector(&s->set->sb, bucket), nsectors,
			       s->buf, NULL);
}

static bool is_old_node(const struct spare *s, uint64_t bucket)
{
	const struct cache_sb *sb = &s->set->sb;
	const struct cache_bset_disk *d = (void *)s->buf;
	uint32_t nsectors = cache_btree_node_sectors(sb);
	uint8_t own;
	int gen;

	if (!cache_prio_is_known(sb, &s->set->prios, bucket) || !read_meta(s, bucket, nsectors) ||
	    cache_bset_bytes(d) > nsectors * CACHE_SECTOR_BYTES)
		return false;
	own = s->set->prios.gen[bucket];
	gen = cache_bset_find_gen(d, sb, bucket, own);
	return gen >= 0 && cache_gen_after(own, gen);
}

/* A damaged prio_set may be newer than all others. */
static bool is_old_prio_set(struct spare *s, uint64_t bucket)
{
	const struct cache_prio_set_disk *d = (void *)s->buf;
	uint32_t nbytes = cache_meta_bucket_bytes(&s->set->sb);

	if (!read_meta(s, bucket, nbytes / CACHE_SECTOR_BYTES) ||
	    cache_le64_get(d->csum) != cache_crc64(s->buf + 8, nbytes - 8) ||
	    cache_le64_get(d->seq) > s->set->prios.seq)
		s->newest = false;
	else
		return cache_le64_get(d->seq) < s->set->prios.seq;
	return false;
}

static void look_at(struct spare *s, uint64_t bucket)
{
	uint64_t magic;
	bool is_free = false;

	/* nodes and prio_sets have the magic at the same offset */
	static_assert(offsetof(struct cache_bset_disk, magic) ==
		      offsetof(struct cache_prio_set_disk, magic), "magic");
	if (!read_meta(s, bucket, CACHE_PAGE_SECTORS)) {
		s->newest = false;
		return;
	}
	magic = cache_le64_get(((const struct cache_bset_disk *)s->buf)->magic) ^
		cache_sb_set_magic(&s->set->sb);
	if (magic == CACHE_BSET_MAGIC)
		is_free = is_old_node(s, bucket);
	else if (magic == CACHE_PSET_MAGIC)
		is_free = is_old_prio_set(s, bucket);
	if (is_free)
		cache_bit_set(s->free, bucket);
}

static bool was_never_given_out(const struct spare *s, uint64_t bucket)
{
	const struct cache_set *set = s->set;

	return s->newest && cache_prio_is_known(&set->sb, &set->prios, bucket) &&
	       !set->prios.gen[bucket] && !set->prios.prio[bucket];
}

static int look_at_all(struct spare *s)
{
	const struct cache_sb *sb = &s->set->sb;
	int ret = 0;

	for (uint64_t b = cache_sb_reserved_buckets(sb); b < sb->nbuckets && !ret; b++) {
		look_at(s, b);
		ret = repair_progress(s->opts, CACHE_REPAIR_PASS_SCAN, b + 1, sb->nbuckets);
	}
	return ret;
}

int cache_repair_spare(struct cache_set *set, struct cache_commit *commit,
		       const struct cache_repair_opts *opts, struct cache_err *err)
{
	struct spare s = { .set = set, .opts = opts, .newest = true };
	int ret;

	s.buf = cache_dev_buf(cache_max_u64(cache_meta_bucket_bytes(&set->sb),
					    cache_btree_node_sectors(&set->sb) * CACHE_SECTOR_BYTES));
	s.free = cache_bits_new(set->sb.nbuckets);
	ret = s.buf && s.free ? look_at_all(&s) : cache_err_set(err, -ENOMEM, 0,
								"no memory for a btree node");
	for (uint64_t b = cache_sb_reserved_buckets(&set->sb); b < set->sb.nbuckets && !ret; b++)
		if (!cache_bit(s.free, b) && !was_never_given_out(&s, b))
			cache_commit_spare(commit, b);
	free(s.buf);
	free(s.free);
	return ret;
}
