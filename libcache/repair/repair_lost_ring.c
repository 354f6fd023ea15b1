// SPDX-License-Identifier: GPL-2.0-only
/* Whether a ring that reads well is older than the structures that are on the device. */
#include "repair/repair_lost.h"

#include <errno.h>
#include <stdlib.h>

#include "disk/btree_salvage.h"
#include "format/bset_codec.h"

/* Whether the bucket of @n, now in the buffer, begins with a prio_set or a later node. */
static bool is_reused(const struct lost *l, const struct cache_btree_node *n)
{
	const struct cache_bset_disk *d = (const void *)l->buf;
	uint64_t magic = cache_le64_get(((const struct cache_prio_set_disk *)l->buf)->magic);
	uint8_t own = cache_ptr_gen(n->key.ptr[0]);
	int gen = -1;

	if (magic == (cache_sb_set_magic(l->sb) ^ CACHE_PSET_MAGIC))
		return true;
	if (magic == (cache_sb_set_magic(l->sb) ^ CACHE_BSET_MAGIC) &&
	    cache_bset_bytes(d) <= cache_key_size(&n->key) * CACHE_SECTOR_BYTES)
		gen = cache_bset_find_gen(d, l->sb, n->bucket, own);
	return gen >= 0 && cache_gen_after(gen, own);
}

/* Whether a set of the node that the newest entry names as its root verifies. */
static int has_root(struct lost *l, bool *has)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };
	struct cache_btree_node n = { .key = l->set->journal.newest.btree_root };
	uint64_t sector = cache_key_ptrs(&n.key) ? cache_ptr_sector(n.key.ptr[0]) : 0;
	int ret;

	if (cache_btree_ptr_invalid(l->sb, &n.key) ||
	    cache_key_size(&n.key) > cache_btree_node_sectors(l->sb))
		return 0;
	if (cache_dev_read(l->set->dev, sector, cache_key_size(&n.key), l->buf, NULL)) {
		l->unread = true;
		return 0;
	}
	n.bucket = sector / l->sb->bucket_sectors;
	/* then a part of the old root may be left behind the new content */
	if (is_reused(l, &n))
		return 0;
	ret = cache_btree_node_salvage(l->sb, l->buf, &n, &silent, NULL);
	*has = !ret && (n.nsets || n.keys.n);
	cache_btree_node_fini(&n);
	return ret == -ENOMEM ? ret : 0;
}

static int has_table(struct lost *l, bool *has)
{
	struct repair_noted wrong = { 0 };
	const struct cache_sink sink = { .report = cache_repair_note, .ctx = &wrong };
	const struct cache_jset *newest = &l->set->journal.newest;
	struct cache_uuids u = { 0 };
	int ret = cache_uuids_read(l->set->dev, l->sb, &newest->uuid_bucket, newest->pos.version,
				   &u, &sink, NULL);

	cache_uuids_fini(&u);
	l->unread |= ret == -EIO || wrong.unread;
	*has = !ret && !wrong.n;
	return ret == -ENOMEM ? ret : 0;
}

/* @other: the content is neither a damaged prio_set nor zeros, but something else. */
static int has_head(struct lost *l, bool *has, bool *other)
{
	uint64_t head = l->set->journal.newest.prio_bucket[l->sb->nr_this_dev];
	uint64_t magic = cache_sb_set_magic(l->sb) ^ CACHE_PSET_MAGIC, is;
	int ret;

	if (head < cache_sb_reserved_buckets(l->sb) || head >= l->sb->nbuckets)
		return 0;
	ret = cache_lost_take_prio(l, head);
	if (ret)
		return ret;
	is = cache_le64_get(((const struct cache_prio_set_disk *)l->buf)->magic);
	*other = is && is != magic;
	*has = l->nprios && is == magic;
	return 0;
}

struct naming {
	uint64_t seq, head;	/* of an entry */
};

static int by_entry(const void *a, const void *b, void *ctx)
{
	uint64_t x = ((const struct naming *)a)->seq, y = ((const struct naming *)b)->seq;

	return x < y ? -1 : x > y;
}

/* One per entry of @j that can be read, sorted. */
static int read_namings(struct lost *l, const struct cache_journal *j, struct naming *n,
			size_t *count)
{
	cache_le64 *words = calloc(CACHE_JSET_MAX_WORDS, sizeof(*words));
	int ret = words ? 0 : -ENOMEM;

	*count = 0;
	for (size_t i = 0; i < j->nentries && !ret; i++) {
		struct cache_jset jset;

		ret = cache_jset_read(l->set->dev, l->sb, &j->entries[i], &jset, words, NULL);
		l->unread |= ret == -EIO;
		if (!ret)
			n[(*count)++] = (struct naming){ jset.pos.seq,
							 jset.prio_bucket[l->sb->nr_this_dev] };
		ret = ret == -ENOMEM ? ret : 0;
	}
	free(words);
	return ret ? ret : cache_sort_polled(n, *count, sizeof(*n), by_entry, NULL, l->sink);
}

int cache_lost_find_named(struct lost *l, const struct cache_journal *j, uint64_t head,
		      struct named *named)
{
	struct naming *n = calloc(j->nentries + 1, sizeof(*n));
	uint64_t last = 0;
	size_t count = 0;
	int ret = n ? read_namings(l, j, n, &count) : -ENOMEM;

	*named = (struct named){ 0 };
	for (size_t i = 0; i < count && !ret; i++) {
		uint64_t seq = cache_lost_prio_seq(l, n[i].head);

		named->head |= n[i].head == head;
		named->gone += !seq && n[i].head != last;
		if (seq > named->greatest) {
			named->greatest = seq;
			named->gone = 0;
		}
		last = n[i].head;
	}
	free(n);
	return ret;
}

/* Whether the root's bucket was reused since, according to the gens of the newest chain. */
static int was_replaced(struct lost *l, uint64_t chain, bool *old)
{
	const struct cache_bkey *root = &l->set->journal.newest.btree_root;
	uint64_t b = cache_key_ptrs(root) ? cache_ptr_bucket(l->sb, root, 0) : UINT64_MAX;
	int ret = 0;

	if (b >= l->sb->nbuckets)
		return 0;
	ret = cache_lost_read_prios(l, chain);
	if (!ret)
		*old = cache_gen_after(l->prios.gen[b], cache_ptr_gen(root->ptr[0]));
	return ret;
}

static bool is_after_chain(const struct lost *l, const struct cache_bkey *k)
{
	uint64_t b = cache_key_ptrs(k) && cache_ptr_is_available(l->sb, k, 0) ?
		     cache_ptr_bucket(l->sb, k, 0) : UINT64_MAX;

	return b < l->sb->nbuckets && cache_gen_after(cache_ptr_gen(k->ptr[0]), l->prios.gen[b]);
}

static int see_key(void *ctx, const struct cache_jset_pos *pos, unsigned index,
		   const struct cache_bkey *k)
{
	return is_after_chain(ctx, k);
}

/*
 * Whether the ring was written after the chain: a gen is in a prio_set before a pointer has it, so
 * a pointer with a gen that the chain lacks is newer than the chain.
 */
static int is_later(struct lost *l, uint64_t chain, bool *later)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };
	const struct cache_jset *newest = &l->set->journal.newest;
	int ret = l->prios.gen ? 0 : cache_lost_read_prios(l, chain);

	*later = false;
	if (ret)
		return ret;
	*later = is_after_chain(l, &newest->btree_root) || is_after_chain(l, &newest->uuid_bucket);
	if (!*later)
		ret = cache_journal_each_key(l->set->dev, l->sb, &l->set->journal, true, see_key, l,
					     &silent, NULL);
	*later |= ret == 1;
	l->unread |= ret == -EIO;
	return ret == -ENOMEM ? ret : 0;
}

/*
 * Behind the newest entry's bucket follows an empty one, and then one of the previous lap: only
 * the last write is lost, and the rest is not old. (The first lap begins at index 1.)
 */
static bool lacks_newest_bucket(const struct cache_set *set)
{
	uint32_t n = set->sb.njournal, next = (set->journal.newest.pos.index + 1) % n;

	return next && next + 1 < n && !set->journal.bucket_seq[next] &&
	       set->journal.bucket_seq[next + 1];
}

/*
 * A ring that was read well, but names structures that are not there. Either those are damaged;
 * or the ring is older than the device, and its buckets were reused since. In the second case a
 * complete prio chain exists that no entry of the ring names and that is newer than those
 * named, and the ring has no pointer that is newer than it. (A chain that is named and gone may
 * be there in a wrong place.)
 */
static int judge_ring(struct lost *l, bool *old)
{
	bool other = false, head = false, root = false, table = false, later = false;
	struct named named;
	uint64_t chain;
	int ret = has_head(l, &head, &other);

	if (!ret)
		ret = has_root(l, &root);
	if (!ret && head && root)
		ret = has_table(l, &table);
	if (ret || table)
		return ret;
	l->nprios = 0;
	ret = cache_lost_sift(l);
	if (ret)
		return ret;
	chain = cache_lost_find_chain(l);
	if (!chain)
		return 0;
	ret = cache_lost_find_named(l, &l->set->journal, chain, &named);
	if (!ret && !root)
		ret = was_replaced(l, chain, old);
	if (ret || named.head || *old || lacks_newest_bucket(l->set))
		return ret;
	*old = named.greatest ? cache_lost_prio_seq(l, chain) > named.greatest + named.gone :
	       !head && (!root || other);
	if (*old)
		ret = is_later(l, chain, &later);
	*old &= !later;
	return ret;
}

int cache_repair_ring_is_old(struct cache_set *set, bool *old, const struct cache_sink *sink,
			     struct cache_err *err)
{
	struct lost l = { .set = set, .sb = &set->sb, .sink = sink, .err = err };
	int ret = cache_lost_begin(&l);

	*old = false;
	if (!ret)
		ret = judge_ring(&l, old);
	/* what could not be read is no evidence against the ring */
	*old &= !l.unread;
	cache_lost_end(&l);
	return ret == -ENOMEM ? cache_err_set(err, ret, 0, "no memory for the nodes of a set") : ret;
}
