/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a perfect reader still gets from a damaged set: one that knows which bytes were
 * damaged, and nothing of what stood there. It knows every leaf and every journal entry
 * by the undamaged set, takes each set and each entry of which no byte differs, and merges
 * them as the driver does. Where that gives what the undamaged set gave, the sector is
 * right, and a repair must keep it so.
 */
#ifndef TESTS_LIB_OMNISCIENT_H
#define TESTS_LIB_OMNISCIENT_H

#include "answers.h"

#include "base/checked.h"
#include "disk/jset_codec.h"
#include "disk/keys.h"
#include "format/bset_codec.h"

struct omniscient {
	struct cache_set *was;		/* undamaged */
	struct cache_dev *dev;		/* damaged */
	struct cache_keys leaves;	/* what remains of all leaves, in key order */
	char *buf;			/* a node, a prio_set or a journal entry */
	uint8_t *gen, *known;		/* by bucket: from what remains */
};

static inline void omniscient_raise(struct omniscient *o, const struct cache_bkey *k)
{
	uint64_t b = cache_key_ptrs(k) && cache_ptr_is_available(&o->was->sb, k, 0) ?
		     cache_ptr_bucket(&o->was->sb, k, 0) : UINT64_MAX;

	if (b < o->was->sb.nbuckets &&
	    (!o->known[b] || cache_gen_after(cache_ptr_gen(k->ptr[0]), o->gen[b]))) {
		o->gen[b] = cache_ptr_gen(k->ptr[0]);
		o->known[b] = 1;
	}
}

/* The gens of each prio_set that is whole. */
static inline int omniscient_prios(struct omniscient *o)
{
	const struct cache_sb *sb = &o->was->sb;
	const struct cache_prios *p = &o->was->prios;
	uint64_t n = cache_meta_bucket_bytes(sb) / 512, per = cache_prios_per_bucket(sb);
	char *was = cache_dev_buf(n * 512);
	int ret = was ? 0 : -ENOMEM;

	for (uint64_t i = 0; i < p->nfollowed && !ret; i++) {
		uint64_t at = cache_bucket_sector(sb, p->chain[i]);

		if (at + n > cache_dev_sectors(o->dev))
			continue;
		ret = cache_dev_read(o->was->dev, at, n, was, NULL);
		if (!ret)
			ret = cache_dev_read(o->dev, at, n, o->buf, NULL);
		if (ret || memcmp(was, o->buf, n * 512))
			continue;
		for (uint64_t b = i * per; b < (i + 1) * per && b < sb->nbuckets; b++) {
			o->gen[b] = p->gen[b];
			o->known[b] = 1;
		}
	}
	free(was);
	return ret;
}

static inline int omniscient_decode(struct omniscient *o, const cache_le64 *words,
				    uint32_t nwords, struct cache_keys *keys)
{
	unsigned n;

	for (uint32_t at = 0; at < nwords; at += n) {
		struct cache_bkey k;

		n = cache_bkey_decode(words + at, nwords - at, &k);
		if (!n)
			return 0;
		omniscient_raise(o, &k);
		if (cache_key_size(&k) && !cache_extent_invalid(&o->was->sb, &k) &&
		    cache_keys_push(keys, &k))
			return -ENOMEM;
	}
	return 0;
}

static inline int omniscient_overlay(struct cache_keys *keys, struct cache_keys *newer)
{
	struct cache_keys out = { 0 };
	int ret = cache_keys_settle(newer, 0);

	if (!ret)
		ret = cache_keys_overlay(keys, newer, &out);
	cache_keys_fini(newer);
	cache_keys_fini(keys);
	*keys = out;
	return ret;
}

/* The part of a leaf's key within its range. */
static inline int omniscient_push(struct omniscient *o, const struct cache_btree_node *n,
				  struct cache_bkey k)
{
	uint64_t inode = cache_key_inode(&k);

	if (cache_pos_cmp(inode, k.low, n->lo_inode, n->lo_offset) <= 0 ||
	    cache_pos_cmp(inode, cache_key_start(&k), cache_key_inode(&n->key), n->key.low) >= 0)
		return 0;
	if (cache_pos_cmp(inode, cache_key_start(&k), n->lo_inode, n->lo_offset) < 0)
		cache_bkey_cut_front(&k, n->lo_offset);
	if (cache_bkey_cmp(&k, &n->key) > 0)
		cache_bkey_cut_back(&k, n->key.low);
	return cache_keys_push(&o->leaves, &k);
}

static inline int omniscient_node(void *ctx, const struct cache_btree_node *n)
{
	struct omniscient *o = ctx;
	uint64_t at = cache_ptr_sector(n->key.ptr[0]), nsectors = cache_key_size(&n->key);
	uint64_t block_bytes = o->was->sb.block_sectors * 512ull;
	struct cache_keys keys = { 0 };
	int ret = 0;

	if (at + nsectors > cache_dev_sectors(o->dev))
		return 0;
	ret = cache_dev_read(o->dev, at, nsectors, o->buf, NULL);
	for (uint32_t i = 0; i < n->nsets && !ret; i++) {
		const struct cache_bset_ref *set = &n->sets[i];
		const char *bytes = (const char *)set->words - CACHE_BSET_HEADER_BYTES;
		struct cache_keys newer = { 0 };

		if (memcmp(bytes, o->buf + set->block * block_bytes,
			   CACHE_BSET_HEADER_BYTES + set->nwords * 8ull))
			continue;
		ret = omniscient_decode(o, set->words, set->nwords, &newer);
		if (!ret && !n->level)
			ret = omniscient_overlay(&keys, &newer);
		cache_keys_fini(&newer);
	}
	for (size_t i = 0; i < keys.n && !ret; i++)
		ret = omniscient_push(o, n, keys.k[i]);
	cache_keys_fini(&keys);
	return ret;
}

static inline bool omniscient_has(const struct omniscient *o, const struct cache_jset_pos *pos)
{
	uint64_t at = cache_jset_sector(&o->was->sb, pos);
	uint64_t nsectors = cache_jset_sectors(&o->was->sb, pos->nwords);
	char *was = cache_dev_buf(nsectors * 512);
	bool same = at + nsectors <= cache_dev_sectors(o->dev) &&
		    !cache_dev_read(o->was->dev, at, nsectors, was, NULL) &&
		    !cache_dev_read(o->dev, at, nsectors, o->buf, NULL) &&
		    !memcmp(was, o->buf, CACHE_JSET_HEADER_BYTES + pos->nwords * 8ull);

	free(was);
	return same;
}

static inline int omniscient_journal(struct omniscient *o)
{
	const struct cache_journal *j = &o->was->journal;
	struct cache_keys newer = { 0 };
	int ret = 0;

	for (size_t i = 0; i < j->nreplay && !ret; i++) {
		const struct cache_jset_disk *d = (const void *)o->buf;

		if (omniscient_has(o, j->replay[i]))
			ret = omniscient_decode(o, (const cache_le64 *)(d + 1),
						j->replay[i]->nwords, &newer);
	}
	return ret ? ret : omniscient_overlay(&o->leaves, &newer);
}

static inline int omniscient_answer(struct omniscient *o, struct answers *s)
{
	int ret = 0;

	for (size_t i = 0; i < o->leaves.n && !ret; i++) {
		struct cache_extent e = { .key = o->leaves.k[i] };

		if (!cache_key_ptrs(&e.key) || cache_ptr_sector(e.key.ptr[0]) +
		    cache_key_size(&e.key) > cache_dev_sectors(o->dev))
			continue;
		e.check_key = cache_ptr_dev(e.key.ptr[0]) == CACHE_PTR_CHECK_DEV;
		e.available = cache_ptr_is_available(&o->was->sb, &e.key, 0);
		e.staleness = cache_gen_after(o->gen[cache_ptr_bucket(&o->was->sb, &e.key, 0)],
					      cache_ptr_gen(e.key.ptr[0]));
		ret = answers_see(s, &e);
	}
	return ret;
}

/* Release @s with answers_fini(), also after an error; 0 or -ENOMEM. */
static inline int omniscient_read(struct cache_set *was, struct cache_dev *damaged,
				  struct answers *s)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };
	struct omniscient o = { .was = was, .dev = damaged };
	uint64_t nbytes = cache_max_u64(was->sb.bucket_sectors * 512ull,
					CACHE_JSET_MAX_BYTES + 8192);
	int ret;

	memset(s, 0, sizeof(*s));
	answers_flash(s, &was->uuids);
	o.buf = cache_dev_buf(nbytes);
	o.gen = calloc(was->sb.nbuckets, 1);
	o.known = calloc(was->sb.nbuckets, 1);
	ret = omniscient_prios(&o);
	if (!ret)
		ret = cache_set_each_node(was, omniscient_node, &o, &silent, NULL);
	if (!ret)
		ret = omniscient_journal(&o);
	if (!ret)
		ret = omniscient_answer(&o, s);
	cache_keys_fini(&o.leaves);
	free(o.buf);
	free(o.gen);
	free(o.known);
	return ret;
}

#endif
