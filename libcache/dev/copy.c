// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two batches: one is written while the other is read by a second thread, which uses nothing
 * but the source and its batch. What it could not read is reported by the first thread.
 */
#include "dev/copy.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

#define BATCH_SECTORS	(4u << 11)	/* 4 MiB */
#define BATCH_PIECES	1024u
#define READ_AGAIN	2		/* a block that could not be read */
#define DIFFERS		255		/* in bad[]: no errno is as large */

/* A piece, or a part of it, in the buffer. */
struct part {
	size_t id;
	struct cache_dev *target;
	uint64_t from, to;
	uint32_t at, n;			/* sectors of the buffer */
};

struct batch {
	char *buf;
	uint8_t bad[BATCH_SECTORS];	/* the errno of each sector; 0: good */
	struct part parts[BATCH_PIECES];
	struct cache_dev_req reqs[BATCH_PIECES];
	unsigned nparts, nreqs;
	uint32_t used;			/* sectors of the buffer */
	struct cache_dev *source;
	uint32_t block;
	int fatal;
	pthread_t thread;
	bool running;
};

struct copy {
	struct cache_copy *c;
	struct batch *batch[2];
	char *check;
	struct cache_copy_piece piece;	/* what of it is not in a batch yet */
	enum cache_copy_step step;
	int fatal;
	struct cache_err *err;
};

static char *place(const struct batch *b, uint32_t at)
{
	return b->buf + (size_t)at * CACHE_SECTOR_BYTES;
}

static void add_part(struct copy *c, struct batch *b)
{
	struct cache_copy_piece *p = &c->piece;
	uint32_t n = cache_min_u64(p->nsectors, BATCH_SECTORS - b->used);

	b->parts[b->nparts++] = (struct part){ p->id, p->target, p->from, p->to, b->used, n };
	b->used += n;
	p->from += n;
	p->to += n;
	p->nsectors -= n;
}

/* As many pieces as it takes. false: there are none left. */
static bool fill(struct copy *c, struct batch *b)
{
	b->nparts = b->used = 0;
	while (b->used < BATCH_SECTORS && b->nparts < BATCH_PIECES) {
		if (!c->piece.nsectors && !c->c->next(c->c->ctx, &c->piece))
			break;
		add_part(c, b);
	}
	return b->nparts;
}

/* About a half of @n sectors, in whole blocks; @n is more than one. */
static uint32_t half_of(uint32_t block, uint32_t n)
{
	return cache_div_up(n / 2, block) * block;
}

static void read_hard(struct batch *b, const struct part *p, uint32_t at, uint32_t n)
{
	uint32_t half = half_of(b->block, n);
	int ret = -EIO;

	if (b->fatal)
		return;
	for (unsigned i = 0; i < (n > b->block ? 1 : READ_AGAIN) && ret; i++)
		ret = cache_dev_read(b->source, p->from + (at - p->at), n, place(b, at), NULL);
	if (ret == -ENOMEM)
		b->fatal = ret;
	else if (ret && n <= b->block)
		memset(b->bad + at, -ret, n);
	if (!ret || b->fatal || n <= b->block)
		return;
	read_hard(b, p, at, half);
	if (half < n)
		read_hard(b, p, at + half, n - half);
}

/* Parts that touch on the source are one request. */
static void make_requests(struct batch *b)
{
	b->nreqs = 0;
	for (unsigned i = 0; i < b->nparts; i++) {
		const struct part *p = &b->parts[i];
		struct cache_dev_req *r = b->nreqs ? &b->reqs[b->nreqs - 1] : NULL;

		if (r && r->sector + r->nsectors == p->from)
			r->nsectors += p->n;
		else
			b->reqs[b->nreqs++] = (struct cache_dev_req){ p->from, p->n,
								      place(b, p->at), 0 };
	}
}

static void *read_batch(void *arg)
{
	struct batch *b = arg;
	unsigned i = 0;

	memset(b->bad, 0, sizeof(b->bad));
	make_requests(b);
	b->fatal = cache_dev_read_many(b->source, b->reqs, b->nreqs);
	for (unsigned r = 0; r < b->nreqs && !b->fatal; r++)
		for (uint64_t n = 0; n < b->reqs[r].nsectors; n += b->parts[i++].n)
			if (b->reqs[r].result)
				read_hard(b, &b->parts[i], b->parts[i].at, b->parts[i].n);
	return NULL;
}

/* Without a thread it is read at once. */
static void start_read(struct batch *b)
{
	b->running = !pthread_create(&b->thread, NULL, read_batch, b);
	if (!b->running)
		read_batch(b);
}

static void end_read(struct batch *b)
{
	if (b->running)
		pthread_join(b->thread, NULL);
	b->running = false;
}

/* @n sectors of part @p, from buffer sector @at on, are not copied. */
static void fail(struct copy *c, struct batch *b, const struct part *p, uint32_t at, uint32_t n,
		 int error)
{
	const struct cache_copy_failure f = {
		.step = c->step, .from = p->from + (at - p->at), .to = p->to + (at - p->at),
		.nsectors = n, .error = error };

	memset(b->bad + at, error ? -error : DIFFERS, n);
	if (!c->fatal)
		c->fatal = c->c->failed(c->c->ctx, p->id, &f);
}

/* What the other thread could not read. */
static void report_unread(struct copy *c, struct batch *b)
{
	c->step = CACHE_COPY_READ;
	for (unsigned i = 0; i < b->nparts && !c->fatal; i++) {
		const struct part *p = &b->parts[i];
		uint32_t n;

		for (uint32_t at = p->at; at < p->at + p->n; at += n) {
			for (n = 1; at + n < p->at + p->n && b->bad[at + n] == b->bad[at]; n++)
				;
			if (b->bad[at])
				fail(c, b, p, at, n, -b->bad[at]);
		}
	}
}

/* Of one block, and not of all that is written. */
static bool is_bad_block(int ret)
{
	return ret == -EIO || ret == -ENODATA || ret == -EREMOTEIO || ret == -EILSEQ ||
	       ret == -ETIMEDOUT || ret == -EBADE;
}

/* What of the sectors belongs to one part or another. */
static void fail_run(struct copy *c, struct batch *b, uint32_t at, uint32_t n, int error)
{
	for (unsigned i = 0; i < b->nparts; i++) {
		const struct part *p = &b->parts[i];
		uint32_t lo = cache_max_u64(at, p->at), hi = cache_min_u64(at + n, p->at + p->n);

		if (lo < hi)
			fail(c, b, p, lo, hi - lo, error);
	}
}

/* A range of the buffer that is one range of a target. */
struct run {
	struct cache_dev *target;
	uint64_t to;
	uint32_t at, n;
};

static void write_hard(struct copy *c, struct batch *b, const struct run *r)
{
	uint32_t half = half_of(b->block, r->n);
	struct run first = *r, second = *r;
	struct cache_err err = { 0 };
	int ret;

	if (c->fatal)
		return;
	ret = cache_dev_write(r->target, r->to, r->n, place(b, r->at), &err);
	if (ret && !is_bad_block(ret)) {
		c->fatal = cache_err_set(c->err, ret, err.sector, "%s: %s",
					 cache_dev_name(r->target), cache_err_text(&err, ret));
		return;
	}
	if (ret && r->n <= b->block)
		fail_run(c, b, r->at, r->n, ret);
	if (!ret || r->n <= b->block)
		return;
	first.n = cache_min_u64(half, r->n);
	write_hard(c, b, &first);
	second.to += first.n;
	second.at += first.n;
	second.n -= first.n;
	if (second.n)
		write_hard(c, b, &second);
}

/* The next sectors from @r->at on that were read and touch on one target. false: no more. */
static bool next_run(const struct batch *b, struct run *r, unsigned *i)
{
	r->n = 0;
	while (r->at < b->used && b->bad[r->at])
		r->at++;
	for (; r->at + r->n < b->used && !b->bad[r->at + r->n]; r->n++) {
		const struct part *p = &b->parts[*i];

		while (p->at + p->n <= r->at + r->n)
			p = &b->parts[++*i];
		if (!r->n) {
			r->target = p->target;
			r->to = p->to + (r->at - p->at);
		} else if (p->target != r->target || p->to + r->at + r->n - p->at != r->to + r->n) {
			break;
		}
	}
	return r->n;
}

static void write_batch(struct copy *c, struct batch *b)
{
	struct run r = { .at = 0 };
	unsigned i = 0;

	c->step = CACHE_COPY_WRITE;
	for (; !c->fatal && next_run(b, &r, &i); r.at += r.n)
		write_hard(c, b, &r);
}

/* Both are read again; what cannot be, or differs, is not copied. */
static void compare_batch(struct copy *c, struct batch *b)
{
	c->step = CACHE_COPY_VERIFY;
	for (unsigned i = 0; i < b->nparts && !c->fatal; i++) {
		const struct part *p = &b->parts[i];
		char *check = c->check + (size_t)p->at * CACHE_SECTOR_BYTES;
		int ret = cache_dev_read(p->target, p->to, p->n, check, NULL);

		for (uint32_t at = p->at; at < p->at + p->n; at += b->block) {
			uint32_t n = cache_min_u64(b->block, p->at + p->n - at);

			if (b->bad[at])
				continue;
			if (ret || memcmp(place(b, at), check + (at - p->at) * CACHE_SECTOR_BYTES,
					  n * CACHE_SECTOR_BYTES))
				fail(c, b, p, at, n, ret);
		}
	}
}

/* What was read is dealt with. */
static void finish_batch(struct copy *c, struct batch *b)
{
	if (b->fatal)
		c->fatal = cache_err_set(c->err, b->fatal, 0, "cannot read %s: %s",
					 cache_dev_name(b->source), strerror(-b->fatal));
	if (!c->fatal)
		report_unread(c, b);
	if (!c->fatal && c->c->verify)
		compare_batch(c, b);
	else if (!c->fatal)
		write_batch(c, b);
}

/* Unless that was all. */
static void stop(struct copy *c)
{
	struct cache_copy *o = c->c;

	o->stopped = c->piece.nsectors || o->next(o->ctx, &c->piece);
	o->first_left = c->piece.id;
}

static int run_all(struct copy *c)
{
	struct cache_copy *o = c->c;
	struct batch *now = c->batch[0], *after = c->batch[1], *swap;
	bool more = fill(c, now), later;

	if (more)
		start_read(now);
	while (more) {
		end_read(now);
		later = !c->fatal && !o->stopped && !now->fatal && fill(c, after);
		if (later)
			start_read(after);
		finish_batch(c, now);
		if (!c->fatal && o->progress && o->progress(o->ctx, now->used) && !o->stopped)
			stop(c);
		if (c->fatal && later)
			end_read(after);
		more = later && !c->fatal;
		swap = now;
		now = after;
		after = swap;
	}
	return c->fatal;
}

static struct batch *new_batch(const struct cache_copy *o)
{
	struct batch *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->source = o->source;
	b->block = o->block_sectors;
	b->buf = cache_dev_buf(BATCH_SECTORS * CACHE_SECTOR_BYTES);
	return b;
}

static void free_batch(struct batch *b)
{
	if (b)
		cache_dev_buf_free(b->buf);
	free(b);
}

int cache_copy_run(struct cache_copy *o, struct cache_err *err)
{
	struct copy c = { .c = o, .err = err };
	int ret;

	o->stopped = false;
	for (unsigned i = 0; i < 2; i++)
		c.batch[i] = new_batch(o);
	if (o->verify)
		c.check = cache_dev_buf(BATCH_SECTORS * CACHE_SECTOR_BYTES);
	if (!c.batch[0] || !c.batch[1] || !c.batch[0]->buf || !c.batch[1]->buf ||
	    (o->verify && !c.check))
		ret = cache_err_set(err, -ENOMEM, 0, "no memory to copy with");
	else
		ret = run_all(&c);
	for (unsigned i = 0; i < 2; i++)
		free_batch(c.batch[i]);
	cache_dev_buf_free(c.check);
	return ret;
}
