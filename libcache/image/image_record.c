// SPDX-License-Identifier: GPL-2.0-only
#include "image/image_record.h"

#include <errno.h>
#include <stdlib.h>

#include "base/checked.h"
#include "base/sort.h"
#include "dev/dev_ops.h"

#define FIRST_RUNS	1024

struct record {
	struct cache_dev *under;
	struct cache_image_run *run;
	size_t n, capacity;
	bool search, lost;
};

static int sort(struct record *r, int (*cmp)(const void *a, const void *b, void *ctx),
		const struct cache_image_poll *poll)
{
	return cache_sort(r->run, r->n, &(struct cache_sort){
		.size = sizeof(*r->run), .cmp = cmp, .poll = poll ? poll->fn : NULL,
		.poll_ctx = poll ? poll->ctx : NULL });
}

static int by_place(const void *pa, const void *pb, void *ctx)
{
	const struct cache_image_run *a = pa, *b = pb;

	if (a->search != b->search)
		return a->search ? 1 : -1;
	return a->sector < b->sector ? -1 : a->sector > b->sector;
}

static int by_sector(const void *pa, const void *pb, void *ctx)
{
	const struct cache_image_run *a = pa, *b = pb;

	if (a->sector != b->sector)
		return a->sector < b->sector ? -1 : 1;
	return (int)a->search - (int)b->search;
}

/* Sorted, each sector once in either kind. Return: 0, or why not: then only the order is another. */
static int tidy(struct record *r, const struct cache_image_poll *poll)
{
	size_t n = 0;
	int ret = sort(r, by_place, poll);

	if (ret || !r->n)
		return ret;
	for (size_t i = 1; i < r->n; i++) {
		struct cache_image_run *last = &r->run[n], *next = &r->run[i];
		uint64_t end = last->sector + last->nsectors;

		if (next->search == last->search && next->sector <= end)
			last->nsectors = cache_max_u64(end, next->sector + next->nsectors) -
					 last->sector;
		else
			r->run[++n] = *next;
	}
	r->n = n + 1;
	return 0;
}

static int make_space(struct record *r)
{
	size_t capacity = r->capacity ? 2 * r->capacity : FIRST_RUNS;
	void *p;

	if (r->n < r->capacity)
		return 0;
	/* in any thread, so it does not ask; it takes less time than the reads before it */
	if (!tidy(r, NULL) && r->n < r->capacity / 2)
		return 0;
	p = reallocarray(r->run, capacity, sizeof(*r->run));
	if (!p)
		return -ENOMEM;
	r->run = p;
	r->capacity = capacity;
	return 0;
}

static void remember(struct record *r, uint64_t sector, uint64_t nsectors)
{
	struct cache_image_run *last = r->n ? &r->run[r->n - 1] : NULL;

	if (last && last->search == r->search && sector >= last->sector &&
	    sector <= last->sector + last->nsectors) {
		last->nsectors = cache_max_u64(last->nsectors, sector + nsectors - last->sector);
		return;
	}
	if (make_space(r)) {
		r->lost = true;
		return;
	}
	r->run[r->n++] = (struct cache_image_run){ sector, nsectors, r->search };
}

static int record_read(struct cache_dev *dev, uint64_t sector, uint64_t nsectors, void *buf)
{
	struct record *r = dev->priv;

	remember(r, sector, nsectors);
	return cache_dev_read(r->under, sector, nsectors, buf, NULL);
}

static int record_read_many(struct cache_dev *dev, struct cache_dev_req *reqs, unsigned n)
{
	struct record *r = dev->priv;

	for (unsigned i = 0; i < n; i++)
		remember(r, reqs[i].sector, reqs[i].nsectors);
	return cache_dev_read_many(r->under, reqs, n);
}

static int record_refuse(struct cache_dev *dev, uint64_t sector, uint64_t nsectors,
			 const void *buf)
{
	return -EROFS;
}

static int record_flush(struct cache_dev *dev)
{
	return -EROFS;
}

static void record_close(struct cache_dev *dev)
{
	struct record *r = dev->priv;

	if (r)
		free(r->run);
	free(r);
}

static const struct cache_dev_ops record_ops = {
	.read = record_read, .read_many = record_read_many, .write = record_refuse,
	.flush = record_flush, .close = record_close,
};

int cache_image_record_new(struct cache_dev *under, struct cache_dev **devp,
			   struct cache_err *err)
{
	struct cache_dev *dev = cache_dev_alloc(&record_ops, under->name);
	struct record *r = calloc(1, sizeof(*r));

	if (!dev || !r) {
		cache_dev_close(dev);
		free(r);
		return cache_err_set(err, -ENOMEM, 0, "no memory for a device");
	}
	r->under = under;
	dev->priv = r;
	dev->sectors = under->sectors;
	dev->logical_block_bytes = under->logical_block_bytes;
	dev->preferred_block_bytes = under->preferred_block_bytes;
	dev->discards = under->discards;
	/* not ->direct: what is read ahead in vain would be saved */
	*devp = dev;
	return 0;
}

void cache_image_record_search(struct cache_dev *dev)
{
	((struct record *)dev->priv)->search = true;
}

int cache_image_record_take(struct cache_dev *dev, struct cache_image_run **runs, size_t *n,
			    const struct cache_image_poll *poll, struct cache_err *err)
{
	struct record *r = dev->priv;
	int ret = r->lost ? -ENOMEM : tidy(r, poll);

	if (!ret)
		ret = sort(r, by_sector, poll);
	if (ret)
		return cache_err_set(err, ret, 0, ret == -ENOMEM ? "no memory for what was read" :
				     "cancelled");
	*runs = r->run;
	*n = r->n;
	r->run = NULL;
	r->n = r->capacity = 0;
	return 0;
}
