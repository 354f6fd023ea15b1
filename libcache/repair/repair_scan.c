// SPDX-License-Identifier: GPL-2.0-only
/* Finding btree nodes without a parent: by their magic, proven by their checksum. */
#include "repair/repair_impl.h"

#include <errno.h>
#include <stdlib.h>

#include "disk/btree_salvage.h"
#include "format/bset_codec.h"
#include "base/checked.h"

struct scan {
	struct cache_set *set;
	const struct repair_doubt *d;
	uint64_t magic;
	uint32_t node_sectors, first_sectors;
	char *buf;
	cache_btree_node_fn *fn;
	void *ctx;
	void (*unread)(void *ctx, uint64_t bucket);
	void *unread_ctx;
};

/* How many sets of a node are tried to find its gen; most often the first one gives it. */
#define ASKED_MAX	8

static const struct cache_bset_disk *set_at(const struct scan *s, uint32_t sector)
{
	return (const void *)(s->buf + (size_t)sector * CACHE_SECTOR_BYTES);
}

static bool is_set(const struct scan *s, uint32_t sector)
{
	const struct cache_bset_disk *d = set_at(s, sector);

	return cache_le64_get(d->magic) == s->magic && cache_le64_get(d->seq);
}

/* The gen of the pointer with which a set of the node verifies; -1: it is no node. */
static int node_gen(const struct scan *s, uint64_t bucket)
{
	const struct cache_sb *sb = &s->set->sb;
	uint8_t own = cache_bucket_gen(&s->set->buckets, bucket);
	unsigned asked = 0;
	int gen = -1;

	for (uint32_t at = 0; at < s->node_sectors && gen < 0 && asked < ASKED_MAX;
	     at += sb->block_sectors) {
		if (!is_set(s, at) || cache_bset_bytes(set_at(s, at)) >
				      (s->node_sectors - at) * CACHE_SECTOR_BYTES)
			continue;
		gen = cache_bset_find_gen(set_at(s, at), sb, bucket, own);
		asked++;
	}
	return gen;
}

static int take_node(const struct scan *s, uint64_t bucket, uint8_t gen)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };
	const struct cache_sb *sb = &s->set->sb;
	struct cache_btree_node n = { .bucket = bucket };
	int ret;

	n.key = cache_bkey_make(CACHE_KEY_INODE_MAX, CACHE_KEY_OFFSET_MAX, s->node_sectors,
				false);
	cache_bkey_set_ptrs(&n.key, 1);
	n.key.ptr[0] = cache_ptr_make(sb->nr_this_dev, cache_bucket_sector(sb, bucket), gen);
	ret = cache_btree_node_salvage(sb, s->buf, &n, &silent, NULL);
	if (!ret)
		ret = s->fn(s->ctx, &n);
	cache_btree_node_fini(&n);
	return ret;
}

/*
 * If the first set is damaged, try the sets that may begin at later blocks. Where the priority is
 * lost that would tell a node, any bucket that no key leads to may be one.
 */
static bool may_be_node(const struct scan *s, uint64_t bucket)
{
	if (cache_bucket_prio(&s->set->buckets, bucket) == CACHE_BTREE_PRIO)
		return true;
	if (!cache_prio_is_known(&s->set->sb, &s->set->prios, bucket) &&
	    cache_set_role(s->set, bucket) == CACHE_ROLE_FREE)
		return true;
	for (uint32_t at = 0; at < s->first_sectors; at += s->set->sb.block_sectors)
		if (is_set(s, at))
			return true;
	return false;
}

/* Whether the bucket looks like a node, which is then in s->buf. */
static bool read_node(struct scan *s, uint64_t bucket)
{
	uint64_t sector = cache_bucket_sector(&s->set->sb, bucket);
	int ret = cache_dev_read(s->set->dev, sector, s->first_sectors, s->buf, NULL);

	if (!ret && !may_be_node(s, bucket))
		return false;
	if (!ret)
		ret = cache_dev_read(s->set->dev, sector, s->node_sectors, s->buf, NULL);
	if (ret)
		s->unread(s->unread_ctx, bucket);
	return !ret;
}

static int scan_bucket(struct scan *s, uint64_t bucket)
{
	int gen;

	if (!read_node(s, bucket))
		return 0;
	gen = node_gen(s, bucket);
	if (gen < 0)
		return 0;
	/*
	 * The node's gen is behind that of the bucket: it was freed. Ahead: a lost parent names
	 * it.
	 */
	if (cache_gen_after(cache_bucket_gen(&s->set->buckets, bucket), gen) &&
	    !cache_bit(s->d->maybe_freed, bucket) &&
	    !(cache_bit(s->d->falsely_freed, bucket) && cache_set_is_node(s->set, bucket, gen)))
		return 0;
	return take_node(s, bucket, gen);
}

int cache_repair_scan(struct cache_set *set, const struct repair_doubt *d,
		      cache_btree_node_fn *fn, void *ctx,
		      void (*unread)(void *ctx, uint64_t bucket), void *unread_ctx,
		      struct cache_err *err)
{
	struct scan s = {
		.set = set, .d = d, .magic = cache_sb_set_magic(&set->sb) ^ CACHE_BSET_MAGIC,
		.node_sectors = cache_btree_node_sectors(&set->sb),
		.first_sectors = CACHE_PAGE_SECTORS, .fn = fn, .ctx = ctx, .unread = unread,
		.unread_ctx = unread_ctx,
	};
	int ret = 0;

	s.buf = cache_dev_buf(s.node_sectors * CACHE_SECTOR_BYTES);
	if (!s.buf)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a btree node");
	for (uint64_t b = cache_sb_reserved_buckets(&set->sb); b < set->sb.nbuckets && !ret; b++) {
		if (!cache_bit(d->visited, b))
			ret = scan_bucket(&s, b);
		if (!ret)
			ret = repair_progress(d->opts, CACHE_REPAIR_PASS_SCAN, b + 1,
					      set->sb.nbuckets);
	}
	free(s.buf);
	return ret;
}
