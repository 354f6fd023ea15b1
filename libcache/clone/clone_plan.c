// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is copied, and where to. Extents are taken bucket by bucket of the source, buckets of
 * the highest priority first: once for what is dirty, once for what is clean. So neighbours in
 * a bucket stay neighbours, and a bucket of the target has extents of about the same priority.
 */
#include "clone/clone_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/alloc.h"
#include "base/array.h"
#include "base/checked.h"
#include "base/sort.h"

struct cache_clone_device *cache_clone_device_of(const struct clone *c, uint64_t inode)
{
	struct cache_clone_device *d = c->res->devices;
	uint64_t at = cache_first_index(i, c->res->n, d[i].inode >= inode);

	return at < c->res->n && d[at].inode == inode ? &d[at] : NULL;
}

static int list_devices(struct clone *c, struct cache_err *err)
{
	const struct cache_uuids *u = &c->view->set->uuids;
	uint32_t slots = cache_nr_uuids(&c->set->sb);

	c->res->devices = calloc((size_t)u->n + 1, sizeof(*c->res->devices));
	if (!c->res->devices)
		return cache_err_set(err, -ENOMEM, 0, "no memory for the devices of the set");
	for (uint32_t i = 0; i < u->n; i++) {
		enum cache_slot_state state = cache_uuid_state(&u->slot[i]);
		struct cache_clone_device *d = &c->res->devices[c->res->n];

		if (state != CACHE_SLOT_BACKING && state != CACHE_SLOT_FLASH)
			continue;
		if (i >= slots)
			return cache_err_set(err, -ERANGE, 0, "%s: slot %u of the uuid table is in use, and with buckets of %" PRIu64
					     " KiB there are %u: use larger buckets",
					     cache_dev_name(c->dst), i,
					     c->set->sb.bucket_sectors / 2, slots);
		d->inode = i;
		memcpy(d->uuid, u->slot[i].uuid, sizeof(d->uuid));
		memcpy(d->label, u->slot[i].label, sizeof(d->label));
		d->flash = state == CACHE_SLOT_FLASH;
		d->data_start = d->flash ? 0 : c->view->slots[i].data_start;
		c->res->n++;
	}
	return 0;
}

/* Extents grouped by the bucket of the source that they lie in. */
struct groups {
	uint64_t *rank;		/* of buckets with extents: 65535 - prio, and the bucket */
	size_t nranks;
	uint32_t *ids;		/* extents, bucket by bucket */
	uint32_t *end;		/* of each bucket: where its extents end in ids */
};

static uint64_t bucket_of(const struct clone *c, size_t i)
{
	return cache_ptr_sector(c->view->kept->keys[i].ptr) / c->res->source.bucket_sectors;
}

static uint32_t group_start(const struct groups *g, uint64_t bucket)
{
	return bucket ? g->end[bucket - 1] : 0;
}

static int rank_buckets(struct clone *c, struct groups *g)
{
	const struct cache_buckets *t = &c->view->set->buckets;

	for (uint64_t b = 0; b < t->nbuckets; b++)
		if (group_start(g, b) < g->end[b])
			g->rank[g->nranks++] = (uint64_t)(CACHE_BTREE_PRIO - cache_bucket_prio(t, b)) << 32 | b;
	return cache_sort_u64_polled(g->rank, g->nranks, cache_clone_poll, c);
}

/* Within a bucket in the order of its sectors, so that it is read from its start to its end. */
static int sort_groups(struct clone *c, struct groups *g)
{
	uint64_t mask = c->res->source.bucket_sectors - 1, *v;
	uint32_t most = 0;
	int ret;

	for (size_t r = 0; r < g->nranks; r++) {
		uint32_t b = (uint32_t)g->rank[r];

		most = cache_max_u64(most, g->end[b] - group_start(g, b));
	}
	v = calloc((size_t)most + 1, sizeof(*v));
	ret = v ? 0 : -ENOMEM;
	for (size_t r = 0; r < g->nranks && !ret; r++) {
		uint32_t b = (uint32_t)g->rank[r], n = g->end[b] - group_start(g, b);
		uint32_t *ids = g->ids + group_start(g, b);

		for (uint32_t i = 0; i < n; i++)
			v[i] = (cache_ptr_sector(c->view->kept->keys[ids[i]].ptr) & mask) << 32 | ids[i];
		ret = cache_sort_u64_polled(v, n, cache_clone_poll, c);
		for (uint32_t i = 0; i < n; i++)
			ids[i] = (uint32_t)v[i];
		if (!ret)
			ret = cache_clone_poll(c);
	}
	free(v);
	return ret;
}

/* A counting sort; @take: one bit per extent. */
static int group(struct clone *c, const uint64_t *take, struct groups *g)
{
	uint64_t nbuckets = c->res->source.nbuckets;
	size_t n = c->view->kept->n;
	uint32_t *fill = calloc(nbuckets + 1, sizeof(*fill));
	int ret = 0;

	g->end = calloc(nbuckets + 1, sizeof(*g->end));
	g->rank = calloc(nbuckets + 1, sizeof(*g->rank));
	g->ids = calloc(n + 1, sizeof(*g->ids));
	if (!fill || !g->end || !g->rank || !g->ids || n > UINT32_MAX) {
		free(fill);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n && !ret; i++) {
		if (cache_bit(take, i))
			g->end[bucket_of(c, i)]++;
		ret = cache_clone_poll_at(c, i);
	}
	for (uint64_t b = 1; b < nbuckets; b++)
		g->end[b] += g->end[b - 1];
	for (size_t i = 0; i < n && !ret; i++) {
		if (cache_bit(take, i))
			g->ids[group_start(g, bucket_of(c, i)) + fill[bucket_of(c, i)]++] = i;
		ret = cache_clone_poll_at(c, i);
	}
	free(fill);
	if (!ret)
		ret = rank_buckets(c, g);
	return ret ? ret : sort_groups(c, g);
}

static void free_groups(struct groups *g)
{
	free(g->rank);
	free(g->ids);
	free(g->end);
}

/* How many buckets of the target hold @sectors of data, and what leads to @extents of them. */
static uint64_t buckets_for(struct clone *c, uint64_t sectors, uint64_t extents)
{
	const struct cache_sb *sb = &c->set->sb;
	uint64_t data = cache_div_up(sectors, sb->bucket_sectors);

	c->res->used_buckets = data;
	/* each boundary between buckets may cut an extent */
	c->res->node_buckets = cache_rebuild_nodes(sb, extents + data);
	return data + c->res->node_buckets;
}

/* Buckets for data and nodes; the uuid table, two prio chains and full queues are kept apart. */
static uint64_t capacity(struct clone *c)
{
	const struct cache_sb *sb = &c->set->sb;
	const struct cache_alloc_opts o = { .njournal = sb->njournal,
					    .prio_buckets = cache_prio_buckets(sb) };
	uint64_t taken = cache_sb_reserved_buckets(sb) + 1 + 2 * cache_prio_buckets(sb);

	c->res->queue_buckets = cache_alloc_queue_buckets(&o, sb->nbuckets);
	taken += c->res->queue_buckets;
	return sb->nbuckets > taken ? sb->nbuckets - taken : 0;
}

/* The buckets that the extent lies in have the greatest priority of all that is in them. */
static void place(struct clone *c, uint32_t i, uint64_t at, uint64_t nsectors)
{
	const struct cache_sb *sb = &c->set->sb;
	struct cache_buckets *t = &c->set->buckets;
	uint16_t prio = cache_bucket_prio(&c->view->set->buckets, bucket_of(c, i));
	uint64_t first = at / sb->bucket_sectors, last = (at + nsectors - 1) / sb->bucket_sectors;

	/* that of metadata, on a bucket that has none */
	if (prio == CACHE_BTREE_PRIO)
		prio = CACHE_INITIAL_PRIO;
	for (uint64_t b = first; b <= last; b++) {
		uint64_t bucket = cache_sb_reserved_buckets(sb) + b;

		cache_bucket_set_gen(t, bucket, 1);
		if (prio > cache_bucket_prio(t, bucket))
			cache_bucket_set_prio(t, bucket, prio);
	}
	c->at[i] = at;
	c->order[c->nchosen++] = i;
	c->stream = at + nsectors;
	cache_bit_set(c->chosen, i);
}

/* false: it does not fit. */
static bool take_extent(struct clone *c, uint32_t i, uint64_t limit)
{
	struct cache_bkey k = cache_clone_key(c, i);
	uint64_t block = c->set->sb.block_sectors;
	uint64_t at = cache_div_up(c->stream, block) * block, size = cache_key_size(&k);
	struct cache_clone_device *d = cache_clone_device_of(c, cache_key_inode(&k));

	if (buckets_for(c, at + size, c->nchosen + 1) > limit)
		return false;
	place(c, i, at, size);
	if (!cache_key_dirty(&k))
		d->chosen_clean += size;
	return true;
}

static bool take_all(struct clone *c, const struct groups *g, bool dirty, uint64_t limit)
{
	for (size_t r = 0; r < g->nranks; r++) {
		uint32_t b = (uint32_t)g->rank[r];

		for (uint32_t i = group_start(g, b); i < g->end[b]; i++)
			if (cache_key_high_dirty(c->view->kept->keys[g->ids[i]].high) == dirty &&
			    !take_extent(c, g->ids[i], limit))
				return false;
	}
	return true;
}

static int refuse_dirty(struct clone *c, uint64_t limit, struct cache_err *err)
{
	uint64_t extents = 0, sectors = 0, need;

	for (size_t i = 0; i < c->view->kept->n; i++) {
		struct cache_bkey k = cache_clone_key(c, i);

		if (!cache_key_dirty(&k))
			continue;
		extents++;
		sectors += cache_key_size(&k);
	}
	need = buckets_for(c, sectors, extents);
	return cache_err_set(err, -ENOSPC, 0, "%s: the %" PRIu64 " KiB of dirty data need %" PRIu64
			     " buckets of %" PRIu64 " KiB, and of its %" PRIu64 " buckets %" PRIu64
			     " can hold data: write some of it back first, with cache-writeback",
			     cache_dev_name(c->dst), sectors / 2, need,
			     c->set->sb.bucket_sectors / 2, c->set->sb.nbuckets, limit);
}

/* Counts each extent for its device; a bit for those that may be copied. */
static void count_extents(struct clone *c, const uint64_t *refused, uint64_t *take)
{
	for (size_t i = 0; i < c->view->kept->n; i++) {
		struct cache_bkey k = cache_clone_key(c, i);
		struct cache_clone_device *d = cache_clone_device_of(c, cache_key_inode(&k));
		bool dirty = cache_key_dirty(&k);

		if (!d)
			continue;
		*(dirty ? &d->dirty : &d->clean) += cache_key_size(&k);
		if (cache_bit(refused, i))
			*(dirty ? &d->refused_dirty : &d->refused_clean) += cache_key_size(&k);
		else if (cache_key_size(&k))
			cache_bit_set(take, i);
	}
}

static int choose(struct clone *c, const struct groups *g, struct cache_err *err)
{
	uint64_t limit = capacity(c);

	c->res->data_buckets = limit;
	if (!take_all(c, g, true, limit))
		return refuse_dirty(c, limit, err);
	if (!c->opts->dirty_only)
		take_all(c, g, false, limit);
	if (buckets_for(c, c->stream, c->nchosen) > limit)
		return cache_err_set(err, -ENOSPC, 0, "%s: its %" PRIu64 " buckets are too few for the metadata of a set",
				     cache_dev_name(c->dst), c->set->sb.nbuckets);
	c->res->copy_sectors = c->stream;
	return 0;
}

int cache_clone_plan(struct clone *c, struct cache_err *err)
{
	size_t n = c->view->kept->n;
	uint64_t *refused = cache_repair_refused(c->view, &c->losses);
	uint64_t *take = cache_bits_new(n + 1);
	struct groups g = { 0 };
	int ret = list_devices(c, err);

	c->chosen = cache_bits_new(n + 1);
	c->at = calloc(n + 1, sizeof(*c->at));
	c->order = calloc(n + 1, sizeof(*c->order));
	if (!ret && (!refused || !take || !c->chosen || !c->at || !c->order))
		ret = cache_err_set(err, -ENOMEM, 0, "no memory for what is to be copied");
	if (!ret) {
		count_extents(c, refused, take);
		ret = group(c, take, &g);
		if (ret == -ENOMEM)
			cache_err_set(err, ret, 0, "no memory for what is to be copied");
	}
	if (!ret)
		ret = choose(c, &g, err);
	free_groups(&g);
	free(refused);
	free(take);
	return ret;
}

void cache_clone_each_left(const struct clone *c)
{
	const struct cache_clone_device *d = NULL;
	uint64_t start = 0, end = 0;

	for (size_t i = 0; i < c->view->kept->n && c->opts->left; i++) {
		struct cache_bkey k = cache_clone_key(c, i);

		if (cache_bit(c->chosen, i) || cache_key_dirty(&k))
			continue;
		if (d && (d->inode != cache_key_inode(&k) || end != cache_key_start(&k))) {
			c->opts->left(c->opts->ctx, d, start, end);
			d = NULL;
		}
		if (!d)
			start = cache_key_start(&k);
		d = cache_clone_device_of(c, cache_key_inode(&k));
		end = k.low;
	}
	if (d)
		c->opts->left(c->opts->ctx, d, start, end);
}
