// SPDX-License-Identifier: GPL-2.0-only
/* Copying what is dirty, in the order of the backing devices, and reading it back. */
#include "writeback/writeback_impl.h"

#include <stdlib.h>

#include "dev/copy.h"

struct pass {
	struct writeback *w;
	unsigned which;			/* CACHE_WRITEBACK_PASS_COPY or _VERIFY */
	size_t next;			/* extent */
	uint64_t done, max;		/* sectors, for the progress */
};

/* The device that extent @i goes to; NULL: it is not copied, or failed before. */
static struct cache_dev *target_of(const struct pass *p, size_t i, const struct cache_bkey *k)
{
	const struct writeback *w = p->w;
	const struct cache_writeback_device *d = NULL;

	if (cache_bit(w->todo, i) &&
	    !(p->which == CACHE_WRITEBACK_PASS_VERIFY && cache_bit(w->failed, i)))
		d = cache_writeback_device_of(w, cache_key_inode(k));
	return d ? cache_writeback_target(w, d) : NULL;
}

static bool next_extent(void *ctx, struct cache_copy_piece *piece)
{
	struct pass *p = ctx;

	for (; p->next < p->w->view->kept->n; p->next++) {
		struct cache_bkey k = cache_writeback_key(p->w, p->next);
		struct cache_dev *target = target_of(p, p->next, &k);

		if (!target)
			continue;
		*piece = (struct cache_copy_piece){
			.id = p->next++, .target = target, .from = cache_ptr_sector(k.ptr[0]),
			.to = cache_key_start(&k), .nsectors = cache_key_size(&k) };
		return true;
	}
	return false;
}

static int on_failed(void *ctx, size_t id, const struct cache_copy_failure *f)
{
	struct writeback *w = ((struct pass *)ctx)->w;
	struct cache_bkey k = cache_writeback_key(w, id);
	struct cache_writeback_device *d = cache_writeback_device_of(w, cache_key_inode(&k));
	const struct cache_writeback_failure told = {
		.step = f->step, .start = f->to, .sectors = f->nsectors,
		.cache_sector = f->from, .error = f->error };

	cache_bit_set(w->failed, id);
	d->failed_sectors += f->nsectors;
	if (w->opts->failed)
		w->opts->failed(w->opts->ctx, d, &told);
	return 0;
}

static int on_progress(void *ctx, uint64_t nsectors)
{
	const struct cache_writeback_opts *o = ((struct pass *)ctx)->w->opts;
	struct pass *p = ctx;

	p->done += nsectors;
	return o->progress && o->progress(o->ctx, p->which, p->done, p->max);
}

/* What was not reached is not to be done. */
static void leave_rest(struct writeback *w, size_t first)
{
	w->res->cancelled = true;
	for (size_t i = first; i < w->view->kept->n; i++)
		cache_bit_clear(w->todo, i);
}

static int run_pass(struct writeback *w, unsigned which, struct cache_err *err)
{
	struct pass p = { .w = w, .which = which };
	struct cache_copy copy = {
		.source = w->cache, .block_sectors = w->sb.block_sectors,
		.verify = which == CACHE_WRITEBACK_PASS_VERIFY, .ctx = &p,
		.next = next_extent, .failed = on_failed, .progress = on_progress };
	struct cache_copy_piece piece;
	int ret;

	while (next_extent(&p, &piece))
		p.max += piece.nsectors;
	p.next = 0;
	ret = cache_copy_run(&copy, err);
	if (!ret && copy.stopped)
		leave_rest(w, copy.first_left);
	return ret;
}

static int flush_all(struct writeback *w, struct cache_err *err)
{
	int ret = 0;

	for (unsigned i = 0; i < w->res->n && !ret; i++) {
		struct cache_dev *target = cache_writeback_target(w, &w->res->devices[i]);

		if (target)
			ret = cache_dev_flush(target, err);
		if (ret)
			cache_err_prefix(err, ret, "%s", cache_dev_name(target));
	}
	return ret;
}

int cache_writeback_copy(struct writeback *w, struct cache_err *err)
{
	int ret = run_pass(w, CACHE_WRITEBACK_PASS_COPY, err);

	if (!ret)
		ret = flush_all(w, err);
	if (!ret && w->opts->verify)
		ret = run_pass(w, CACHE_WRITEBACK_PASS_VERIFY, err);
	return ret;
}
