// SPDX-License-Identifier: GPL-2.0-only
/* Marking keys (behaviour 4.1, 4.2). */
#include "base/checked.h"

#include "alloc/mark.h"
#include "base/bits.h"
#include "format/super.h"

static bool resolve(const struct cache_marks *m, const struct cache_bkey *k, unsigned i,
		    uint64_t *bucket)
{
	*bucket = cache_ptr_bucket(m->sb, k, i);
	return cache_ptr_is_available(m->sb, k, i) && *bucket < m->gens->nbuckets;
}

static uint8_t staleness(const struct cache_marks *m, uint64_t bucket, uint64_t ptr)
{
	return cache_gen_after(cache_gens_gen(m->gens, bucket), cache_ptr_gen(ptr));
}

/* The gen of a bucket whose prio_set is lost: the newest gen of its pointers. */
static void learn_gen(struct cache_marks *m, uint64_t bucket, uint8_t gen)
{
	if (!m->gen_unknown || !cache_bit(m->gen_unknown, bucket))
		return;
	cache_bit_clear(m->gen_unknown, bucket);
	cache_gens_set_gen(m->gens, bucket, gen);
	cache_gens_set_last_gc(m->gens, bucket, gen);
}

static void set_prio(struct cache_marks *m, uint64_t b, const struct cache_bkey *k,
		     unsigned level)
{
	struct cache_buckets *t = m->gens->table;

	if (!t)
		return;
	if (level && !cache_bkey_is_freeing(k))
		cache_bucket_set_prio(t, b, CACHE_BTREE_PRIO);
	else if (!level && cache_bucket_prio(t, b) == CACHE_BTREE_PRIO)
		cache_bucket_set_prio(t, b, CACHE_INITIAL_PRIO);
}

static void raise_gen(struct cache_marks *m, const struct cache_bkey *k, unsigned level)
{
	for (unsigned i = 0; i < cache_key_ptrs(k); i++) {
		uint8_t gen = cache_ptr_gen(k->ptr[i]);
		uint64_t b;

		if (!resolve(m, k, i, &b))
			continue;
		learn_gen(m, b, gen);
		if (staleness(m, b, k->ptr[i]))
			continue;
		if (cache_gens_gen(m->gens, b) != gen) {
			cache_gens_set_gen(m->gens, b, gen);
			m->raised++;
		}
		set_prio(m, b, k, level);
	}
}

static void add_sectors_used(struct cache_marks *m, uint64_t b, uint64_t sectors)
{
	struct cache_buckets *t = m->gens->table;

	if (t)
		cache_bucket_set_sectors_used(t, b,
			cache_min_u64(cache_bucket_sectors_used(t, b) + sectors,
				      CACHE_GC_SECTORS_MAX));
}

static bool mark_ptr(struct cache_marks *m, const struct cache_bkey *k, uint64_t ptr,
		     uint64_t b, unsigned level, struct cache_mark_clash *clash)
{
	enum cache_gc_mark mark = cache_gens_mark(m->gens, b);

	if (cache_gen_after(cache_gens_last_gc(m->gens, b), cache_ptr_gen(ptr)))
		cache_gens_set_last_gc(m->gens, b, cache_ptr_gen(ptr));
	if (staleness(m, b, ptr))
		return true;
	if (mark && (mark == CACHE_GC_MARK_METADATA) != (level != 0)) {
		*clash = (struct cache_mark_clash){ b, mark };
		return false;
	}
	if (level)
		cache_gens_set_mark(m->gens, b, CACHE_GC_MARK_METADATA);
	else if (cache_key_dirty(k))
		cache_gens_set_mark(m->gens, b, CACHE_GC_MARK_DIRTY);
	else if (!mark)
		cache_gens_set_mark(m->gens, b, CACHE_GC_MARK_RECLAIMABLE);
	add_sectors_used(m, b, cache_key_size(k));
	return true;
}

bool cache_mark_key(struct cache_marks *m, const struct cache_bkey *k, unsigned level,
		    struct cache_mark_clash *clash)
{
	bool ok = true;

	/* Freeing keys only carry a gen: the driver marks nothing for a pointer 0:0. */
	if (cache_bkey_is_freeing(k))
		return true;
	for (unsigned i = 0; i < cache_key_ptrs(k); i++) {
		uint64_t b;

		if (resolve(m, k, i, &b))
			ok &= mark_ptr(m, k, k->ptr[i], b, level, clash);
	}
	return ok;
}

bool cache_mark_initial(struct cache_marks *m, const struct cache_bkey *k, unsigned level,
			struct cache_mark_clash *clash)
{
	raise_gen(m, k, level);
	return cache_mark_key(m, k, level, clash);
}
