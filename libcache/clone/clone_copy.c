// SPDX-License-Identifier: GPL-2.0-only
/* The data, and then the keys that lead to it. */
#include "clone/clone_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/checked.h"

struct pass {
	struct clone *c;
	unsigned which;
	size_t next;			/* in c->order */
	uint64_t done;
	struct cache_err *err;
};

static bool next_extent(void *ctx, struct cache_copy_piece *piece)
{
	struct pass *p = ctx;
	const struct clone *c = p->c;
	struct cache_bkey k;
	uint32_t i;

	if (p->next == c->nchosen)
		return false;
	i = c->order[p->next++];
	k = cache_clone_key(c, i);
	*piece = (struct cache_copy_piece){
		.id = i, .target = c->dst, .from = cache_ptr_sector(k.ptr[0]),
		.to = cache_clone_first_sector(c) + c->at[i], .nsectors = cache_key_size(&k) };
	return true;
}

/* What the source does not give can be left out; a target must take and return everything. */
static int on_failed(void *ctx, size_t id, const struct cache_copy_failure *f)
{
	struct pass *p = ctx;
	struct clone_failures *l = &p->c->failed;
	struct cache_bkey k = cache_clone_key(p->c, id);
	uint64_t start = cache_key_start(&k) + (f->from - cache_ptr_sector(k.ptr[0]));
	void *list;

	if (f->step != CACHE_COPY_READ)
		return cache_err_set(p->err, f->error ? f->error : -EIO, f->to, "%s: sectors %" PRIu64 " to %" PRIu64
				     " %s: %s", cache_dev_name(p->c->dst), f->to,
				     f->to + f->nsectors, f->step == CACHE_COPY_WRITE ?
				     "cannot be written" : "cannot be read back",
				     f->error ? strerror(-f->error) : "what was read back differs");
	list = cache_array_grow(l->list, l->n, &l->capacity, sizeof(*l->list));
	if (!list)
		return cache_err_set(p->err, -ENOMEM, 0, "no memory for what cannot be read");
	l->list = list;
	l->list[l->n++] = (struct cache_clone_failure){
		.inode = cache_key_inode(&k), .start = start, .end = start + f->nsectors,
		.cache_sector = f->from, .dirty = cache_key_dirty(&k), .error = f->error };
	return 0;
}

static int on_progress(void *ctx, uint64_t nsectors)
{
	struct pass *p = ctx;
	const struct cache_clone_opts *o = p->c->opts;

	p->done = cache_min_u64(p->done + nsectors, p->c->res->copy_sectors);
	return o->progress && o->progress(o->ctx, p->which, p->done, p->c->res->copy_sectors);
}

static int run_pass(struct clone *c, unsigned which, struct cache_err *err)
{
	struct pass p = { .c = c, .which = which, .err = err };
	struct cache_copy copy = {
		.source = c->src, .block_sectors = c->res->source.block_sectors,
		.verify = which == CACHE_CLONE_PASS_VERIFY, .ctx = &p,
		.next = next_extent, .failed = on_failed, .progress = on_progress };
	int ret = cache_copy_run(&copy, err);

	return ret || !copy.stopped ? ret : -ECANCELED;
}

static int by_start(const void *x, const void *y, void *ctx)
{
	const struct cache_clone_failure *a = x, *b = y;

	return cache_pos_cmp(a->inode, a->start, b->inode, b->start);
}

/* In the order of the keys; what was not read twice counts once. */
static int merge_failures(struct clone *c)
{
	struct clone_failures *l = &c->failed;
	size_t n = 0;
	int ret = cache_sort(l->list, l->n, &(struct cache_sort){
		.size = sizeof(*l->list), .cmp = by_start, .poll = cache_clone_poll, .poll_ctx = c });

	if (ret)
		return ret;
	for (size_t i = 0; i < l->n; i++) {
		struct cache_clone_failure *last = n ? &l->list[n - 1] : NULL, *f = &l->list[i];
		bool touches = last && last->inode == f->inode && f->start <= last->end &&
			       last->dirty == f->dirty &&
			       f->cache_sector - last->cache_sector == f->start - last->start;

		if (touches)
			last->end = cache_max_u64(last->end, f->end);
		else
			l->list[n++] = *f;
	}
	l->n = n;
	return 0;
}

static int tell_failures(struct clone *c, struct cache_err *err)
{
	uint64_t dirty = 0;
	int ret = merge_failures(c);

	if (ret)
		return cache_err_set(err, ret, 0, ret == -ENOMEM ?
				     "no memory for what cannot be read" : "cancelled");
	for (size_t i = 0; i < c->failed.n; i++) {
		const struct cache_clone_failure *f = &c->failed.list[i];
		struct cache_clone_device *d = cache_clone_device_of(c, f->inode);

		*(f->dirty ? &d->failed_dirty : &d->failed_clean) += f->end - f->start;
		dirty += f->dirty ? f->end - f->start : 0;
		if (c->opts->failed)
			c->opts->failed(c->opts->ctx, d, f);
	}
	if (!dirty || c->opts->force)
		return 0;
	return cache_err_set(err, -EIO, 0, "%s: %" PRIu64 " sectors of dirty data cannot be read: no clone was made; --force makes one without them",
			     cache_dev_name(c->src), dirty);
}

int cache_clone_copy(struct clone *c, struct cache_err *err)
{
	int ret = run_pass(c, CACHE_CLONE_PASS_COPY, err);

	if (!ret)
		ret = cache_dev_flush(c->dst, err);
	if (!ret && c->opts->verify)
		ret = run_pass(c, CACHE_CLONE_PASS_VERIFY, err);
	return ret ? ret : tell_failures(c, err);
}

/* The first failure that ends after @start. */
static const struct cache_clone_failure *failure_after(const struct clone *c, uint64_t inode,
						       uint64_t start)
{
	const struct cache_clone_failure *f = c->failed.list;
	uint64_t at = cache_first_index(i, c->failed.n,
					cache_pos_cmp(f[i].inode, f[i].end, inode, start) > 0);

	return at < c->failed.n ? &f[at] : NULL;
}

/*
 * The keys of one extent, whose place in the stream is @at: it is cut where a bucket ends, and
 * what could not be read is left out. Return: how many; @keys may be NULL.
 */
static size_t keys_of(const struct clone *c, const struct cache_packed_key *key, uint64_t at,
		      struct cache_packed_key *keys)
{
	const struct cache_sb *sb = &c->set->sb;
	struct cache_bkey k = { key->high, key->low, { key->ptr } };
	uint64_t inode = cache_key_inode(&k), start = cache_key_start(&k), p = start, end, sector;
	size_t n = 0;

	for (; p < k.low; p = end) {
		const struct cache_clone_failure *f = failure_after(c, inode, p);
		uint64_t place = at + (p - start);
		struct cache_bkey part;

		end = cache_min_u64(k.low, p + sb->bucket_sectors - place % sb->bucket_sectors);
		if (f && f->inode == inode && f->start <= p) {
			end = cache_min_u64(f->end, k.low);
			continue;
		}
		if (f && f->inode == inode)
			end = cache_min_u64(end, f->start);
		sector = cache_clone_first_sector(c) + place;
		part = cache_bkey_make(inode, end, end - p, cache_key_dirty(&k));
		cache_bkey_set_ptrs(&part, 1);
		part.ptr[0] = cache_ptr_make(sb->nr_this_dev, sector,
					     cache_bucket_gen(&c->set->buckets,
							      sector / sb->bucket_sectors));
		if (keys)
			keys[n] = (struct cache_packed_key){ part.high, part.low, part.ptr[0] };
		n++;
	}
	return n;
}

/* Of what was chosen, and of that what was read at least in part. */
static uint64_t drop_others(struct clone *c)
{
	struct repair_kept *kept = c->view->kept;
	uint64_t total = 0;
	size_t n = 0;

	for (size_t i = 0; i < kept->n; i++) {
		size_t nkeys = cache_bit(c->chosen, i) ? keys_of(c, &kept->keys[i], c->at[i], NULL) : 0;

		if (!nkeys)
			continue;
		kept->keys[n] = kept->keys[i];
		c->at[n++] = c->at[i];
		total += nkeys;
	}
	kept->n = n;
	return total;
}

/* In place and from the end: there are as many keys as extents, or more. */
int cache_clone_make_keys(struct clone *c, struct cache_err *err)
{
	struct repair_kept *kept = c->view->kept;
	uint64_t total = drop_others(c), to = total;
	struct cache_packed_key *keys = reallocarray(kept->keys, total + 1, sizeof(*keys));

	if (!keys)
		return cache_err_set(err, -ENOMEM, 0, "no memory for the keys of the clone");
	kept->keys = keys;
	kept->capacity = total + 1;
	for (size_t i = kept->n; i--;) {
		struct cache_packed_key key = keys[i];

		to -= keys_of(c, &key, c->at[i], NULL);
		keys_of(c, &key, c->at[i], keys + to);
	}
	kept->n = total;
	c->res->extents = total;
	return 0;
}
