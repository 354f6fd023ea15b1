// SPDX-License-Identifier: GPL-2.0-only
/* Who owns a bucket or a sector of the cache device. */
#include "show_keys.h"

#include <errno.h>
#include <inttypes.h>

/* What is asked for: of several cache devices, the one that is named first. */
struct question {
	struct show_keys *o;
	uint64_t bucket;		/* of all devices, format/members.h */
	uint64_t own_bucket;		/* the same, in its device's own numbers */
	uint64_t first, end;		/* sectors of its device; @end not in it */
	bool node_found;
	uint64_t nextents, stale;
};

static const struct cache_set *image(const struct question *q)
{
	return q->o->show.set;
}

static struct cache_report *report(const struct question *q)
{
	return cmd_report(&q->o->show.cmd);
}

static void show_bucket(struct question *q)
{
	static const struct cache_field
		member = { "on_member", "On member", CACHE_UNIT_COUNT },
		bucket = { "bucket", "Bucket", CACHE_UNIT_COUNT },
		first = { "first_sector", "First sector", CACHE_UNIT_COUNT },
		role = { "role", "Role", CACHE_UNIT_TEXT },
		prio = { "prio", "Prio", CACHE_UNIT_COUNT },
		gen = { "gen", "Gen", CACHE_UNIT_COUNT },
		on_disk = { "gen_on_disk", "Gen on disk", CACHE_UNIT_COUNT },
		used = { "sectors_used", "Sectors used", CACHE_UNIT_COUNT };
	const struct cache_set *set = image(q);
	struct cache_report *r = report(q);
	uint64_t b = q->bucket;

	if (set->members)
		cache_report_u64(r, &member, q->o->show.sb.nr_this_dev);
	cache_report_u64(r, &bucket, q->own_bucket);
	cache_report_u64(r, &first, cache_bucket_sector(&set->sb, q->own_bucket));
	cache_report_str(r, &role, cache_role_name(cache_set_role(set, b)));
	cache_report_u64(r, &prio, cache_bucket_prio(&set->buckets, b));
	cache_report_u64(r, &gen, cache_bucket_gen(&set->buckets, b));
	if (cache_prio_is_known(&set->sb, &set->prios, b))
		cache_report_u64(r, &on_disk, set->prios.gen[b]);
	else
		cache_report_null(r, &on_disk);
	cache_report_u64(r, &used, cache_bucket_sectors_used(&set->buckets, b));
}

/* Entries of the ring in that range. */
static void show_entries(struct question *q)
{
	static const struct cache_field cols[] = {
		{ "seq", "SEQ", CACHE_UNIT_SEQ }, { "last_seq", "LAST_SEQ", CACHE_UNIT_SEQ },
		{ "offset", "OFFSET", CACHE_UNIT_COUNT }, { "bytes", "BYTES", CACHE_UNIT_COUNT },
	};
	const struct cache_set *set = image(q);
	struct cache_report *r = report(q);
	uint64_t base = (q->bucket - q->own_bucket) * set->sb.bucket_sectors;

	cache_report_table(r, "entries", cols, 4, 0);
	for (size_t i = 0; i < set->journal.nentries; i++) {
		const struct cache_jset_pos *e = &set->journal.entries[i];
		uint64_t sector = cache_jset_sector(&set->sb, e) - base;

		if (sector >= q->end ||
		    sector + cache_jset_sectors(&set->sb, e->nwords) <= q->first)
			continue;
		cache_report_row(r);
		cache_report_u64(r, NULL, e->seq);
		cache_report_u64(r, NULL, e->last_seq);
		cache_report_u64(r, NULL, e->offset_sectors);
		cache_report_u64(r, NULL, CACHE_JSET_HEADER_BYTES + 8 * (uint64_t)e->nwords);
		cache_report_end(r);
	}
	cache_report_end(r);
}

static void show_prio_member(struct question *q)
{
	static const struct cache_field
		index = { "member", "Member of the chain", CACHE_UNIT_COUNT },
		first = { "first_bucket", "Prios from bucket", CACHE_UNIT_COUNT },
		last = { "last_bucket", "to bucket", CACHE_UNIT_COUNT };
	const struct cache_set *set = image(q);
	uint64_t per = cache_prios_per_bucket(&set->sb), begin, nbuckets, i = 0, end;

	show_own_buckets(&q->o->show, &begin, &nbuckets);
	nbuckets -= begin;
	begin /= per;
	while (begin + i < set->prios.nfollowed && set->prios.chain[begin + i] != q->bucket)
		i++;
	end = (i + 1) * per;
	cache_report_u64(report(q), &index, i);
	cache_report_u64(report(q), &first, i * per);
	cache_report_u64(report(q), &last, (end < nbuckets ? end : nbuckets) - 1);
}

static int show_node(void *ctx, const struct cache_btree_node *n)
{
	static const struct cache_field
		level = { "level", "Level", CACHE_UNIT_COUNT },
		seq = { "seq", "Node seq", CACHE_UNIT_WORD },
		sets = { "sets", "Sets", CACHE_UNIT_COUNT },
		keys = { "nkeys", "Keys", CACHE_UNIT_COUNT },
		lo_inode = { "after_inode", "After inode", CACHE_UNIT_COUNT },
		lo = { "after_offset", "and offset", CACHE_UNIT_COUNT },
		inode = { "inode", "Up to inode", CACHE_UNIT_COUNT },
		end = { "end", "and offset", CACHE_UNIT_COUNT };
	struct question *q = ctx;
	struct cache_report *r = report(q);

	if (n->bucket != q->bucket)
		return 0;
	q->node_found = true;
	cache_report_u64(r, &level, n->level);
	cache_report_u64(r, &seq, n->seq);
	cache_report_u64(r, &sets, n->nsets);
	cache_report_u64(r, &keys, n->keys.n);
	cache_report_u64(r, &lo_inode, n->lo_inode);
	cache_report_u64(r, &lo, n->lo_offset);
	cache_report_u64(r, &inode, cache_key_inode(&n->key));
	cache_report_u64(r, &end, n->key.low);
	return 1;
}

static int show_extent(void *ctx, const struct cache_extent *e)
{
	struct question *q = ctx;
	uint64_t sector;

	if (e->check_key || !e->available ||
	    (image(q)->members && cache_ptr_dev(e->key.ptr[0]) != q->o->show.sb.nr_this_dev))
		return 0;
	sector = cache_ptr_sector(e->key.ptr[0]);
	if (sector >= q->end || sector + cache_key_size(&e->key) <= q->first)
		return 0;
	if (e->staleness)
		q->stale++;
	else
		q->nextents++;
	show_keys_row(q->o, &e->key, 0, e->leaf_bucket, NULL);
	return 0;
}

static const struct cache_sink silent = { cache_sink_ignore, NULL };

static int show_extents(struct question *q)
{
	static const struct cache_field
		live = { "live_extents", NULL, CACHE_UNIT_COUNT },
		stale = { "stale_extents", NULL, CACHE_UNIT_COUNT };
	struct cache_report *r = report(q);
	struct cache_err err = { 0 };
	int ret;

	show_keys_begin(q->o, 0);
	ret = cache_set_each_extent(q->o->show.set, show_extent, q, &silent, &err);
	if (ret)
		return show_failed(&q->o->show, ret, &err);
	cache_report_end(r);
	cache_report_u64(r, &live, q->nextents);
	cache_report_u64(r, &stale, q->stale);
	cache_report_line(r, "%" PRIu64 " live extents, %" PRIu64 " stale", q->nextents, q->stale);
	return EXIT_DONE;
}

static int show_tree_node(struct question *q)
{
	struct cache_err err = { 0 };
	int ret = cache_set_each_node(q->o->show.set, show_node, q, &silent, &err);

	if (ret < 0)
		return show_failed(&q->o->show, ret, &err);
	if (!q->node_found)
		cache_report_line(report(q), "no node was reached there");
	return EXIT_DONE;
}

static int answer(struct question *q)
{
	show_bucket(q);
	switch (cache_set_role(image(q), q->bucket)) {
	case CACHE_ROLE_SUPERBLOCK:
	case CACHE_ROLE_UUID:
		return EXIT_DONE;
	case CACHE_ROLE_JOURNAL:
		show_entries(q);
		return EXIT_DONE;
	case CACHE_ROLE_PRIO:
		show_prio_member(q);
		return EXIT_DONE;
	case CACHE_ROLE_BTREE:
		return show_tree_node(q);
	default:
		return show_extents(q);
	}
}

int show_owner(struct show_keys *o)
{
	const struct cache_sb *sb = &o->show.set->sb;
	struct question q = { .o = o };
	struct cache_err err = { 0 };
	uint64_t begin, end;

	show_own_buckets(&o->show, &begin, &end);
	q.own_bucket = o->owner_is_sector ? o->owner / sb->bucket_sectors : o->owner;
	if (q.own_bucket >= end - begin) {
		cache_err_set(&err, -ERANGE, 0, "bucket %" PRIu64 " is past the last of %"
			      PRIu64 " buckets", q.own_bucket, end - begin);
		return show_failed(&o->show, err.code, &err);
	}
	q.bucket = begin + q.own_bucket;
	q.first = o->owner_is_sector ? o->owner : cache_bucket_sector(sb, q.own_bucket);
	q.end = q.first + (o->owner_is_sector ? 1 : sb->bucket_sectors);
	return answer(&q);
}
