// SPDX-License-Identifier: GPL-2.0-only
#include "disk/node_reads.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

/* Limit of bytes read for buckets that hold no node, beside a share of the useful bytes. */
#define WASTE_BYTES	(8u << 20)
/* Two batches of a device that is read directly may be in hand: see node_batch.c. */
#define WASTE_BYTES_DIRECT	(24u << 20)
#define WASTE_SHARE	4

static uint64_t bytes_of(const struct cache_bkey *key)
{
	return cache_key_size(key) * CACHE_SECTOR_BYTES;
}

static int read_range(struct cache_node_reads *r, const struct cache_bkey *key, char *buf,
		      uint64_t from, uint64_t to)
{
	r->read_bytes += (to - from) * CACHE_SECTOR_BYTES;
	return cache_dev_read(r->dev, cache_ptr_place(r->sb, key, 0) + from, to - from,
			      buf + from * CACHE_SECTOR_BYTES, NULL);
}

static bool is_zero(const char *buf, uint64_t nbytes)
{
	return !buf[0] && !memcmp(buf, buf + 1, nbytes - 1);
}

/* Reads the first block, and the rest only if the first block is not zero. */
static int read_in_steps(struct cache_node_reads *r, const struct cache_bkey *key,
			 struct cache_node_read *node)
{
	uint64_t size = cache_key_size(key), block = r->sb->block_sectors, have;
	int ret;

	have = cache_min_u64(size, block * cache_div_up(CACHE_PAGE_SECTORS, block));
	ret = read_range(r, key, node->data, 0, have);
	if (ret || have == size)
		return ret;
	node->hole = is_zero(node->data, have * CACHE_SECTOR_BYTES);
	return node->hole ? 0 : read_range(r, key, node->data, have, size);
}

/* A node that is read by itself tells how long that takes, as the driver reads all of them. */
static int read_alone(struct cache_node_reads *r, const struct cache_bkey *key,
		      struct cache_node_read *node)
{
	uint64_t start = cache_clock_ns();
	int ret = read_range(r, key, node->data, 0, cache_key_size(key));

	r->times.alone_ns += cache_clock_ns() - start;
	r->times.alone_bytes += bytes_of(key);
	return ret;
}

/* Assigns each node its place in the buffer, which is enlarged as needed. */
static int place(struct cache_node_reads *r, const struct cache_bkey *keys, size_t n)
{
	uint64_t nbytes = 0;

	for (size_t i = 0; i < n; i++)
		nbytes += cache_div_up(bytes_of(&keys[i]), CACHE_PAGE_BYTES) * CACHE_PAGE_BYTES;
	if (nbytes > r->buf->nbytes) {
		free(r->buf->p);
		r->buf->nbytes = 0;
		r->buf->p = cache_dev_buf(nbytes);
		if (!r->buf->p)
			return -ENOMEM;
		r->buf->nbytes = nbytes;
	}
	nbytes = 0;
	for (size_t i = 0; i < n; i++) {
		r->node[i].data = r->buf->p + nbytes;
		nbytes += cache_div_up(bytes_of(&keys[i]), CACHE_PAGE_BYTES) * CACHE_PAGE_BYTES;
	}
	return 0;
}

/* One of several reads that are started together, in the order of the device. */
static void add_read(struct cache_dev_req *reqs, uint8_t *node, unsigned n,
		     const struct cache_bkey *key, uint64_t sector, char *buf, uint8_t i)
{

	for (; n && reqs[n - 1].sector > sector; n--) {
		reqs[n] = reqs[n - 1];
		node[n] = node[n - 1];
	}
	reqs[n] = (struct cache_dev_req){ .sector = sector, .nsectors = cache_key_size(key),
					  .buf = buf };
	node[n] = i;
}

void cache_node_reads_plan(struct cache_node_reads *r, struct cache_node_yield *yield,
			   const struct cache_bkey *keys, size_t n)
{
	uint64_t waste = cache_dev_is_direct(r->dev) ? WASTE_BYTES_DIRECT : WASTE_BYTES;

	for (size_t i = 0; i < n; i++) {
		if (r->node[i].twice)
			continue;
		yield->open += bytes_of(&keys[i]);
		r->node[i].in_steps = yield->wasted + yield->open >
				      waste + yield->useful / WASTE_SHARE;
	}
}

static int read_nodes(struct cache_node_reads *r, const struct cache_bkey *keys, size_t n)
{
	bool alone = r->timed;
	struct cache_dev_req reqs[CACHE_NODE_BATCH];
	uint8_t node[CACHE_NODE_BATCH];
	unsigned nreqs = 0;
	int ret = place(r, keys, n);

	for (size_t i = 0; i < n && !ret; i++) {
		if (r->node[i].twice)
			continue;
		r->node[i].hole = false;
		if (r->node[i].in_steps) {
			r->node[i].result = read_in_steps(r, &keys[i], &r->node[i]);
			continue;
		}
		if (alone) {
			r->node[i].result = read_alone(r, &keys[i], &r->node[i]);
			alone = false;
			continue;
		}
		r->read_bytes += bytes_of(&keys[i]);
		add_read(reqs, node, nreqs++, &keys[i], cache_ptr_place(r->sb, &keys[i], 0),
			 r->node[i].data, i);
	}
	if (!ret && nreqs)
		ret = cache_dev_read_many(r->dev, reqs, nreqs);
	for (unsigned i = 0; i < nreqs && !ret; i++)
		r->node[node[i]].result = reqs[i].result;
	return ret;
}

int cache_node_reads(struct cache_node_reads *r, const struct cache_bkey *keys, size_t n)
{
	uint64_t start = cache_clock_if(r->timed);
	int ret = read_nodes(r, keys, n);

	if (r->timed)
		r->times.read_ns += cache_clock_ns() - start;
	return ret;
}

void cache_node_yield_add(struct cache_node_yield *yield, const struct cache_bkey *key,
			  uint32_t nsets)
{
	yield->open -= bytes_of(key);
	*(nsets ? &yield->useful : &yield->wasted) += bytes_of(key);
}
