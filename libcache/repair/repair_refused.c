// SPDX-License-Identifier: GPL-2.0-only
/* Which extents of a damaged set are not certain to be the newest data of their range. */
#include "repair/repair_impl.h"

#include "base/array.h"
#include "base/checked.h"

void cache_repair_losses_add(struct repair_losses *l, const struct cache_repair_loss *loss)
{
	void *p = cache_array_grow(l->list, l->n, &l->capacity, sizeof(*l->list));

	l->failed |= !p;
	if (!p)
		return;
	l->list = p;
	l->list[l->n++] = *loss;
}

static struct cache_bkey key_of(const struct cache_repair_view *view, size_t i)
{
	const struct cache_packed_key *p = &view->kept->keys[i];

	return (struct cache_bkey){ p->high, p->low, { p->ptr } };
}

/* Of two extents that share a place of the cache, it is not known whose data is there. */
static bool is_in_conflict(const struct cache_repair_view *view, const struct cache_bkey *k)
{
	const struct repair_doubt *d = view->doubt;
	const struct cache_sb *sb = &view->set->sb;
	uint64_t bucket = cache_ptr_sector(k->ptr[0]) / sb->bucket_sectors;

	return bucket >= sb->nbuckets || cache_bit(d->shared, bucket) ||
	       cache_bit(d->foreign, bucket) || cache_repair_is_doubtful(d, k);
}

static bool ends_after(const struct cache_repair_view *view, size_t i, uint64_t inode,
		       uint64_t start)
{
	struct cache_bkey k = key_of(view, i);

	return cache_pos_cmp(cache_key_inode(&k), k.low, inode, start) > 0;
}

/* The first extent of @inode that ends after @start, or one of a later device. */
static size_t find(const struct cache_repair_view *view, uint64_t inode, uint64_t start)
{
	return cache_first_index(i, view->kept->n, ends_after(view, i, inode, start));
}

/* Extents that a loss names: they cannot be right, or another one claims their range. */
static void refuse_lost(const struct cache_repair_view *view, const struct cache_repair_loss *loss,
			uint64_t *refused)
{
	if (!loss->certain && !loss->kept)
		return;
	for (size_t i = find(view, loss->inode, loss->start); i < view->kept->n; i++) {
		struct cache_bkey k = key_of(view, i);

		if (cache_pos_cmp(cache_key_inode(&k), cache_key_start(&k), loss->inode,
				  cache_min_u64(loss->end, CACHE_KEY_OFFSET_MAX)) >= 0)
			return;
		cache_bit_set(refused, i);
	}
}

uint64_t *cache_repair_refused(const struct cache_repair_view *view,
			       const struct repair_losses *losses)
{
	uint64_t *refused = losses->failed ? NULL : cache_bits_new(view->kept->n + 1);

	for (size_t i = 0; i < view->kept->n && refused; i++) {
		struct cache_bkey k = key_of(view, i);

		if (is_in_conflict(view, &k))
			cache_bit_set(refused, i);
	}
	for (size_t i = 0; i < losses->n && refused; i++)
		refuse_lost(view, &losses->list[i], refused);
	return refused;
}
