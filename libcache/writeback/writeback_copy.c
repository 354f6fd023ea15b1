// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copying, a buffer at a time. Extents come in the order of the backing device, so what
 * touches there is one write; what touches in the cache is one read. Where a transfer fails it
 * is tried again in halves, down to a block.
 */
#include "writeback/writeback_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

#define BATCH_SECTORS	(8u << 11)	/* 8 MiB */
#define BATCH_PIECES	1024u
#define READ_AGAIN	2		/* a block that could not be read */

/* A part of an extent, or all of it, in the buffer. */
struct piece {
	size_t key;
	uint64_t from, to;		/* sectors of the cache, of the target */
	uint32_t at, n;			/* sectors of the buffer */
};

struct copy {
	struct writeback *w;
	struct cache_writeback_device *d;	/* of all pieces */
	struct cache_dev *target;
	char *buf, *check;
	uint64_t *bad;			/* one bit per sector of the buffer */
	struct piece pieces[BATCH_PIECES];
	struct cache_dev_req reqs[BATCH_PIECES];
	unsigned npieces, nreqs;
	uint32_t used;			/* sectors of the buffer */
	size_t next;			/* the extent that comes next, */
	uint64_t offset;		/* and what of it is done */
	uint64_t done, max;		/* sectors, for the progress */
	enum cache_writeback_step step;
	bool verifying;			/* the second pass: extents that failed are left out */
	int fatal;
	struct cache_err *err;
};

static char *place(const struct copy *c, uint32_t at)
{
	return c->buf + (size_t)at * CACHE_SECTOR_BYTES;
}

static void add_piece(struct copy *c, const struct cache_bkey *k)
{
	uint64_t left = cache_key_size(k) - c->offset;
	uint32_t n = cache_min_u64(left, BATCH_SECTORS - c->used);

	c->pieces[c->npieces++] = (struct piece){
		.key = c->next, .from = cache_ptr_sector(k->ptr[0]) + c->offset,
		.to = cache_key_start(k) + c->offset, .at = c->used, .n = n };
	c->used += n;
	c->offset += n;
	if (n < left)
		return;
	c->next++;
	c->offset = 0;
}

/* As many extents of one device as the buffer takes. false: there are none left. */
static bool fill(struct copy *c)
{
	const struct writeback *w = c->w;

	c->npieces = c->used = 0;
	c->target = NULL;
	while (c->next < w->view->kept->n && c->used < BATCH_SECTORS && c->npieces < BATCH_PIECES) {
		struct cache_bkey k = cache_writeback_key(w, c->next);
		struct cache_writeback_device *d = NULL;

		if (cache_bit(w->todo, c->next) && !(c->verifying && cache_bit(w->failed, c->next)))
			d = cache_writeback_device_of(w, cache_key_inode(&k));
		if (!d || !cache_writeback_target(w, d)) {
			c->next++;
			c->offset = 0;
			continue;
		}
		if (c->npieces && d != c->d)
			break;
		c->d = d;
		c->target = cache_writeback_target(w, d);
		add_piece(c, &k);
	}
	return c->npieces;
}

/* @n sectors of piece @p, from buffer sector @at on, are not copied. */
static void fail(struct copy *c, const struct piece *p, uint32_t at, uint32_t n, int error)
{
	const struct cache_writeback_failure f = {
		.step = c->step, .start = p->to + (at - p->at), .sectors = n,
		.cache_sector = p->from + (at - p->at), .error = error };

	for (uint32_t i = at; i < at + n; i++)
		cache_bit_set(c->bad, i);
	cache_bit_set(c->w->failed, p->key);
	c->d->failed_sectors += n;
	if (c->w->opts->failed)
		c->w->opts->failed(c->w->opts->ctx, c->d, &f);
}

/* About a half of @n sectors, in whole blocks; @n is more than one. */
static uint32_t half_of(const struct copy *c, uint32_t n)
{
	uint32_t block = c->w->sb.block_sectors;

	return cache_div_up(n / 2, block) * block;
}

static void read_hard(struct copy *c, const struct piece *p, uint32_t at, uint32_t n)
{
	uint32_t half = half_of(c, n);
	int ret = -EIO;

	if (c->fatal)
		return;
	for (unsigned i = 0; i < (n > c->w->sb.block_sectors ? 1 : READ_AGAIN) && ret; i++)
		ret = cache_dev_read(c->w->cache, p->from + (at - p->at), n, place(c, at), NULL);
	if (ret == -ENOMEM)
		c->fatal = cache_err_set(c->err, ret, 0, "no memory to read the cache");
	else if (ret && n <= c->w->sb.block_sectors)
		fail(c, p, at, n, ret);
	if (!ret || c->fatal || n <= c->w->sb.block_sectors)
		return;
	read_hard(c, p, at, half);
	if (half < n)
		read_hard(c, p, at + half, n - half);
}

/* Pieces that touch in the cache are one request. */
static void make_requests(struct copy *c)
{
	c->nreqs = 0;
	for (unsigned i = 0; i < c->npieces; i++) {
		const struct piece *p = &c->pieces[i];
		struct cache_dev_req *r = c->nreqs ? &c->reqs[c->nreqs - 1] : NULL;

		if (r && r->sector + r->nsectors == p->from)
			r->nsectors += p->n;
		else
			c->reqs[c->nreqs++] = (struct cache_dev_req){ p->from, p->n,
								      place(c, p->at), 0 };
	}
}

static int read_all(struct copy *c)
{
	unsigned i = 0;
	int ret;

	c->step = CACHE_WRITEBACK_READ;
	memset(c->bad, 0, cache_bits_bytes(BATCH_SECTORS));
	make_requests(c);
	ret = cache_dev_read_many(c->w->cache, c->reqs, c->nreqs);
	if (ret)
		return cache_err_set(c->err, ret, 0, "cannot read the cache: %s", strerror(-ret));
	for (unsigned r = 0; r < c->nreqs; r++)
		for (uint64_t n = 0; n < c->reqs[r].nsectors; n += c->pieces[i++].n)
			if (c->reqs[r].result)
				read_hard(c, &c->pieces[i], c->pieces[i].at, c->pieces[i].n);
	return c->fatal;
}

/* Of one block, and not of all that is written. */
static bool is_bad_block(int ret)
{
	return ret == -EIO || ret == -ENODATA || ret == -EREMOTEIO || ret == -EILSEQ ||
	       ret == -ETIMEDOUT || ret == -EBADE;
}

/* What of the sectors belongs to one piece or another. */
static void fail_run(struct copy *c, uint32_t at, uint32_t n, int error)
{
	for (unsigned i = 0; i < c->npieces; i++) {
		const struct piece *p = &c->pieces[i];
		uint32_t lo = cache_max_u64(at, p->at), hi = cache_min_u64(at + n, p->at + p->n);

		if (lo < hi)
			fail(c, p, lo, hi - lo, error);
	}
}

static void write_hard(struct copy *c, uint64_t to, uint32_t at, uint32_t n)
{
	struct cache_err err = { 0 };
	uint32_t half = half_of(c, n);
	int ret;

	if (c->fatal)
		return;
	ret = cache_dev_write(c->target, to, n, place(c, at), &err);
	if (ret && !is_bad_block(ret)) {
		c->fatal = cache_err_set(c->err, ret, err.sector, "%s: %s",
					 cache_dev_name(c->target), cache_err_text(&err, ret));
		return;
	}
	if (ret && n <= c->w->sb.block_sectors)
		fail_run(c, at, n, ret);
	if (!ret || n <= c->w->sb.block_sectors)
		return;
	write_hard(c, to, at, half);
	if (half < n)
		write_hard(c, to + half, at + half, n - half);
}

/* The next sectors from @at on that were read and touch on the target; 0: no more. */
static uint32_t next_run(const struct copy *c, uint32_t *at, unsigned *i, uint64_t *to)
{
	uint32_t n = 0;

	while (*at < c->used && cache_bit(c->bad, *at))
		++*at;
	for (; *at + n < c->used && !cache_bit(c->bad, *at + n); n++) {
		while (c->pieces[*i].at + c->pieces[*i].n <= *at + n)
			++*i;
		if (!n)
			*to = c->pieces[*i].to + (*at - c->pieces[*i].at);
		else if (c->pieces[*i].to + (*at + n - c->pieces[*i].at) != *to + n)
			break;
	}
	return n;
}

static int write_all(struct copy *c)
{
	uint32_t at = 0, n;
	uint64_t to = 0;
	unsigned i = 0;

	c->step = CACHE_WRITEBACK_WRITE;
	while (!c->fatal && (n = next_run(c, &at, &i, &to))) {
		write_hard(c, to, at, n);
		at += n;
	}
	return c->fatal;
}

/* Both are read again; what cannot be, or differs, stays dirty. */
static int compare_all(struct copy *c)
{
	uint32_t block = c->w->sb.block_sectors;

	c->step = CACHE_WRITEBACK_VERIFY;
	for (unsigned i = 0; i < c->npieces && !c->fatal; i++) {
		const struct piece *p = &c->pieces[i];
		char *check = c->check + (size_t)p->at * CACHE_SECTOR_BYTES;
		int ret = cache_dev_read(c->target, p->to, p->n, check, NULL);

		for (uint32_t at = p->at; at < p->at + p->n; at += block) {
			uint32_t n = cache_min_u64(block, p->at + p->n - at);

			if (cache_bit(c->bad, at))
				continue;
			if (ret || memcmp(place(c, at), check + (at - p->at) * CACHE_SECTOR_BYTES,
					  n * CACHE_SECTOR_BYTES))
				fail(c, p, at, n, ret);
		}
	}
	return c->fatal;
}

static bool asks_to_stop(struct copy *c, unsigned pass)
{
	const struct cache_writeback_opts *o = c->w->opts;

	c->done += c->used;
	return o->progress && o->progress(o->ctx, pass, c->done, c->max);
}

/* What was not reached is not to be done. */
static void leave_rest(struct copy *c)
{
	c->w->res->cancelled = true;
	for (size_t i = c->next; i < c->w->view->kept->n; i++)
		cache_bit_clear(c->w->todo, i);
}

static int pass(struct copy *c, unsigned which)
{
	int ret = 0;

	c->verifying = which == CACHE_WRITEBACK_PASS_VERIFY;
	c->next = c->offset = c->done = 0;
	while (!ret && fill(c)) {
		ret = read_all(c);
		if (!ret)
			ret = c->verifying ? compare_all(c) : write_all(c);
		if (!ret && asks_to_stop(c, which) && c->next < c->w->view->kept->n) {
			leave_rest(c);
			return 0;
		}
	}
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

static void count_max(struct copy *c)
{
	for (size_t i = 0; i < c->w->view->kept->n; i++) {
		struct cache_bkey k = cache_writeback_key(c->w, i);
		struct cache_writeback_device *d = cache_writeback_device_of(c->w, cache_key_inode(&k));

		if (d && cache_bit(c->w->todo, i) && cache_writeback_target(c->w, d))
			c->max += cache_key_size(&k);
	}
}

int cache_writeback_copy(struct writeback *w, struct cache_err *err)
{
	struct copy *c = calloc(1, sizeof(*c));
	int ret = 0;

	if (c) {
		c->w = w;
		c->err = err;
		c->buf = cache_dev_buf(BATCH_SECTORS * CACHE_SECTOR_BYTES);
		c->bad = cache_bits_new(BATCH_SECTORS);
		if (w->opts->verify)
			c->check = cache_dev_buf(BATCH_SECTORS * CACHE_SECTOR_BYTES);
	}
	if (!c || !c->buf || !c->bad || (w->opts->verify && !c->check))
		ret = cache_err_set(err, -ENOMEM, 0, "no memory to copy with");
	else
		count_max(c);
	if (!ret)
		ret = pass(c, CACHE_WRITEBACK_PASS_COPY);
	if (!ret)
		ret = flush_all(w, err);
	if (!ret && w->opts->verify)
		ret = pass(c, CACHE_WRITEBACK_PASS_VERIFY);
	if (c) {
		cache_dev_buf_free(c->buf);
		cache_dev_buf_free(c->check);
		free(c->bad);
	}
	free(c);
	return ret;
}
