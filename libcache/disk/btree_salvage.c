// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading a node with a damaged set. The driver refuses such a node, but most often the sets
 * behind the damage are intact.
 *
 * Why they can be trusted: the checksum of a set is seeded with the pointer to its node,
 * including the gen, and a bucket gets another gen before it is used again. So a set that
 * verifies was written for this node, and since a node is only appended to, it is newer than
 * all sets before it. The only exception is a copy, from a write that was misdirected or done
 * twice. It has the checksum of another set of the node. The second of two such sets is left
 * out, because it must not override what was written between them, unless the first one stands
 * where a longer set was: then the first one is the copy.
 */
#include "disk/btree_salvage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/checked.h"
#include "format/bset_codec.h"
#include "format/correct.h"

/* At most this many sets of a node are corrected, a wrong byte each. */
#define CORRECTED_MAX	8
/* Bytes that may be checksummed while searching for sets, in nodes: hostile sets could overlap. */
#define SUMMED_NODES	8

struct used {
	uint64_t csum;
	bool is_over;		/* it stands over another set, of which the rest is there */
};

struct salvage {
	const struct cache_sb *sb;
	char *data;
	struct cache_btree_node *node;
	uint32_t block_bytes;
	uint64_t magic;
	struct cache_finding *held;	/* findings whose sets may turn out to be corrected */
	size_t nheld, held_capacity;
	size_t nkept;			/* number of @held about corrected sets */
	bool failed;			/* no memory for them */
	struct used *used;		/* each set that is used */
	size_t nused, used_capacity;
	uint32_t claimed;		/* block behind the last damaged set, by its header */
	uint64_t budget;		/* number of bytes that may still be checksummed */
	struct cache_keys newer;	/* keys of the sets behind the damage, in their order */
};

static void hold(void *ctx, const struct cache_finding *f)
{
	struct salvage *s = ctx;
	void *p = cache_array_grow(s->held, s->nheld, &s->held_capacity, sizeof(*s->held));

	s->failed |= !p;
	if (!p)
		return;
	s->held = p;
	s->held[s->nheld++] = *f;
}

static struct cache_bset_disk *set_at(const struct salvage *s, uint32_t block)
{
	return (void *)(s->data + (size_t)block * s->block_bytes);
}

static uint64_t bytes_from(const struct salvage *s, uint32_t block)
{
	return (uint64_t)(s->node->nblocks - block) * s->block_bytes;
}

/* Whether a set with a wrong byte may be at @block, where the log stopped. */
static bool may_be_set(const struct salvage *s, uint32_t block)
{
	const struct cache_bset_disk *d = set_at(s, block);
	uint64_t seq = cache_le64_get(d->seq);
	bool is_magic = cache_le64_get(d->magic) == s->magic;

	if (!s->node->damaged)	/* an earlier node in this bucket has a different seq */
		return is_magic && cache_differ_in_one_byte(seq, s->node->seq);
	return is_magic || seq == s->node->seq;
}

static bool correct(struct salvage *s)
{
	struct cache_btree_node *n = s->node;
	uint32_t block = n->used_blocks;
	struct cache_correction done;
	struct cache_bset_disk *d;

	if (!n->nblocks || block >= n->nblocks || s->nkept == CORRECTED_MAX ||
	    !may_be_set(s, block))
		return false;
	d = set_at(s, block);
	if (!cache_correct_entry(d, CACHE_BSET_HEADER_BYTES, bytes_from(s, block), &n->key.ptr[0],
				 &done))
		return false;
	if (cache_le64_get(d->magic) == s->magic &&
	    cache_le32_get(d->version) <= CACHE_BSET_VERSION)
		return true;
	/* what verifies by chance, or is of another kind, stays as it was read */
	((uint8_t *)d)[done.at] ^= done.flip;
	return false;
}

/* The last finding is about the damage and is kept; other findings will be made again. */
static void note_corrected(struct salvage *s, uint32_t block)
{
	struct cache_finding f = {
		.code = CACHE_P_NODE_CUT, .bucket = s->node->bucket, .level = s->node->level,
		.block = block, .sector = cache_ptr_place(s->sb, &s->node->key, 0) +
					  (uint64_t)block * s->sb->block_sectors };

	for (size_t i = s->nkept; i < s->nheld && s->node->damaged; i++)
		if (s->held[i].code >= CACHE_P_NODE_HEADER &&
		    s->held[i].code <= CACHE_P_NODE_AFTER_END) {
			f = s->held[i];
			break;
		}
	f.corrected = true;
	s->nheld = s->nkept;
	hold(s, &f);
	s->nkept = s->nheld;
}

static void forget_node(struct cache_btree_node *n)
{
	cache_btree_node_fini(n);
	n->seq = n->used_blocks = 0;
	n->damaged = false;
}

static int parse(struct salvage *s, struct cache_err *err)
{
	const struct cache_sink sink = { .report = hold, .ctx = s };

	for (;;) {
		int ret = cache_btree_node_parse(s->sb, s->data, s->node, &sink, err);
		uint32_t block = s->node->used_blocks;

		if (ret || !correct(s))
			return ret;
		note_corrected(s, block);
		forget_node(s->node);
	}
}

/* Notes a set. 1: it is used; 0: it is a copy of another one; -ENOMEM. */
static int note_set(struct salvage *s, uint32_t block, bool is_over)
{
	uint64_t csum = cache_le64_get(set_at(s, block)->csum);
	void *p;

	for (size_t i = 0; i < s->nused; i++) {
		struct used *u = &s->used[i];
		bool was_over = u->is_over;

		if (u->csum != csum)
			continue;
		u->is_over &= is_over;
		return was_over;
	}
	p = cache_array_grow(s->used, s->nused, &s->used_capacity, sizeof(*s->used));
	if (!p)
		return -ENOMEM;
	s->used = p;
	s->used[s->nused++] = (struct used){ csum, is_over };
	return 1;
}

static bool begins_like_set(const struct salvage *s, uint32_t block)
{
	const struct cache_bset_disk *d = set_at(s, block);

	return cache_le64_get(d->magic) == s->magic ||
	       (s->node->seq && cache_le64_get(d->seq) == s->node->seq);
}

/*
 * Behind the last set before the damage the block is not empty, and no other set, whole or not,
 * begins there: then that block is the rest of a set over which this one was written.
 */
static bool is_over_rest(const struct salvage *s)
{
	const struct cache_bset_disk *d = set_at(s, s->node->used_blocks);

	return s->node->used_blocks < s->node->nblocks &&
	       !begins_like_set(s, s->node->used_blocks) && cache_le64_get(d->magic) &&
	       cache_le64_get(d->seq);
}

/* Notes the sets that were read before the damage. */
static int note_leading(struct salvage *s)
{
	const struct cache_btree_node *n = s->node;
	int ret = 0;

	for (uint32_t i = 0; i < n->nsets && ret >= 0; i++)
		ret = note_set(s, n->sets[i].block, i + 1 == n->nsets && is_over_rest(s));
	return ret < 0 ? ret : 0;
}

/* A set that does not verify: where it would end, if its header is right. */
static void note_claim(struct salvage *s, uint32_t block)
{
	uint64_t nbytes = cache_bset_bytes(set_at(s, block));

	if (begins_like_set(s, block) && nbytes <= bytes_from(s, block))
		s->claimed = cache_max_u64(s->claimed,
					   block + cache_div_up(nbytes, s->block_bytes));
}

static bool verifies(struct salvage *s, uint32_t block)
{
	const struct cache_bset_disk *d = set_at(s, block);
	uint64_t seq = cache_le64_get(d->seq), nbytes = cache_bset_bytes(d);

	if (!seq || (s->nused ? seq != s->node->seq : !cache_le32_get(d->version)) ||
	    cache_le64_get(d->magic) != s->magic ||
	    cache_le32_get(d->version) > CACHE_BSET_VERSION ||
	    nbytes > bytes_from(s, block) || nbytes > s->budget)
		return false;
	s->budget -= nbytes;
	return cache_le64_get(d->csum) == cache_bset_csum(d, s->node->key.ptr[0]);
}

static int take_keys(struct salvage *s, const struct cache_bset_disk *d)
{
	const cache_le64 *words = (const void *)(d + 1);
	uint32_t nwords = cache_le32_get(d->keys), at = 0;
	int ret = 0;

	while (at < nwords && !ret) {
		struct cache_bkey k;
		unsigned n = cache_bkey_decode(words + at, nwords - at, &k);
		bool invalid;

		if (!n)
			return 0;
		at += n;
		invalid = s->node->level ? cache_btree_ptr_invalid(s->sb, &k) != NULL :
			  !cache_key_size(&k) || cache_extent_invalid(s->sb, &k);
		if (!invalid)
			ret = cache_keys_push(&s->newer, &k);
	}
	return ret;
}

/* Reads every set that verifies, from where the log stopped. */
static int take_sets(struct salvage *s)
{
	struct cache_btree_node *n = s->node;
	uint32_t block = n->used_blocks;
	int ret = note_leading(s);

	while (!ret && block < n->nblocks) {
		const struct cache_bset_disk *d = set_at(s, block);

		if (!verifies(s, block)) {
			note_claim(s, block++);
			continue;
		}
		if (!s->nused)
			/* the first set is damaged: the seq is not known yet */
			n->seq = cache_le64_get(d->seq);
		ret = note_set(s, block, block < s->claimed);
		if (ret > 0)
			ret = take_keys(s, d);
		block += cache_div_up(cache_bset_bytes(d), s->block_bytes);
		n->used_blocks = block;
	}
	return ret;
}

static int merge(struct salvage *s)
{
	struct cache_keys *keys = &s->node->keys, out = { 0 };
	int ret = cache_keys_settle(&s->newer, s->node->level);

	if (!ret)
		ret = s->node->level ? cache_keys_merge(keys, &s->newer, &out)
				     : cache_keys_overlay(keys, &s->newer, &out);
	if (ret) {
		cache_keys_fini(&out);
		return ret;
	}
	cache_keys_fini(keys);
	*keys = out;
	s->node->plain = false;	/* these sets were not checked for it */
	return 0;
}

static int take_behind(struct salvage *s)
{
	int ret;

	if (!s->node->nblocks)
		return 0;
	s->budget = SUMMED_NODES * bytes_from(s, 0);
	ret = take_sets(s);
	if (!ret && s->newer.n)
		ret = merge(s);
	return ret;
}

int cache_btree_node_salvage(const struct cache_sb *sb, void *data,
			     struct cache_btree_node *node, const struct cache_sink *sink,
			     struct cache_err *err)
{
	struct salvage s = { .sb = sb, .data = data, .node = node,
			     .block_bytes = sb->block_sectors * CACHE_SECTOR_BYTES,
			     .magic = cache_sb_set_magic(sb) ^ CACHE_BSET_MAGIC };
	int ret;

	if (!sink)
		return cache_btree_node_parse(sb, data, node, NULL, err);
	ret = parse(&s, err);
	if (!ret && node->damaged)
		ret = take_behind(&s);
	if (!ret && s.failed)
		ret = -ENOMEM;
	for (size_t i = 0; i < s.nheld && !ret; i++)
		ret = cache_found(sink, err, &s.held[i]);
	free(s.held);
	free(s.used);
	cache_keys_fini(&s.newer);
	return ret == -ENOMEM ? cache_err_set(err, ret, 0, "no memory for a btree node") : ret;
}
