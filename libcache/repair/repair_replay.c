// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is replayed where entries of the replay are lost: also entries that stand behind damaged
 * ones, where no driver reads them; and no keys that the tree has had already. The newest entry
 * says from which one on the driver must replay; where it is lost an older one asks for more than
 * was needed, and what leaves have since written over those keys would be turned back. But a leaf
 * is written with all keys that were inserted into it until then. So of the replayed keys in the
 * range of a leaf, those of entries before the newest one of which the leaf has a key are in it,
 * or were replaced there.
 */
#include "repair/repair_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/checked.h"
#include "disk/journal_blocks.h"

struct flushed {
	struct cache_set *set;
	const struct cache_sink *sink;	/* asked whether to go on; NULL: always */
	uint32_t *end;		/* of each entry, in words of the overlay */
	size_t nentries;
	uint32_t *by_key;	/* the overlay's extents, equal ones together, the newest last */
	uint64_t *drop;		/* one bit per extent of the overlay, in its order */
	/* an interior node is, or has lost a write: then a leaf may have less than its range */
	bool damaged;
};

static struct cache_bkey extent(const struct flushed *f, size_t i)
{
	struct cache_bkey k;

	cache_overlay_key(&f->set->overlay, f->set->overlay.at[i], &k);
	return k;
}

static bool starts_from(const struct flushed *f, size_t i, uint64_t inode, uint64_t offset)
{
	struct cache_bkey k = extent(f, i);

	return cache_pos_cmp(cache_key_inode(&k), cache_key_start(&k), inode, offset) >= 0;
}

/* The first extent that starts at this position or after it. */
static size_t first_from(const struct flushed *f, uint64_t inode, uint64_t offset)
{
	return cache_first_index(i, f->set->overlay.n, starts_from(f, i, inode, offset));
}

/* The replayed entry that the extent at @at is of. */
static size_t entry_of(const struct flushed *f, uint32_t at)
{
	return cache_first_index(i, f->nentries, f->end[i] > at);
}

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* 0: the same extent in the same place. */
static int key_cmp(const struct cache_bkey *a, const struct cache_bkey *b)
{
	int ret = compare(a->high, b->high);

	if (!ret)
		ret = compare(a->low, b->low);
	return ret || !cache_key_ptrs(a) ? ret : compare(a->ptr[0], b->ptr[0]);
}

static int at_cmp(const struct flushed *f, uint32_t at, const struct cache_bkey *k)
{
	struct cache_bkey e;

	cache_overlay_key(&f->set->overlay, at, &e);
	return key_cmp(&e, k);
}

static int by_key(const void *a, const void *b, void *ctx)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	const struct flushed *f = ctx;
	struct cache_bkey k;
	int ret;

	cache_overlay_key(&f->set->overlay, y, &k);
	ret = at_cmp(f, x, &k);
	return ret ? ret : compare(x, y);
}

/* The newest entry that has @k of a leaf, or @newest where that is newer. */
static size_t newest_with(const struct flushed *f, const struct cache_bkey *k, size_t newest)
{
	size_t after = cache_first_index(i, f->set->overlay.n, at_cmp(f, f->by_key[i], k) > 0);

	if (!after || at_cmp(f, f->by_key[after - 1], k))
		return newest;
	return cache_max_u64(newest, entry_of(f, f->by_key[after - 1]));
}

/* @newest: the newest entry of which @n has a key. 0, or -ECANCELED. */
static int newest_in(const struct flushed *f, const struct cache_btree_node *n, size_t *newest)
{
	int ret = 0;

	*newest = 0;
	for (uint32_t i = 0; i < n->nsets && !ret; i++) {
		const struct cache_bset_ref *set = &n->sets[i];
		unsigned len;

		for (uint32_t at = 0; at < set->nwords; at += len) {
			struct cache_bkey k;

			len = cache_bkey_decode(set->words + at, set->nwords - at, &k);
			if (!len)
				break;
			if (cache_key_size(&k) && cache_key_size(&k) <= k.low)
				*newest = newest_with(f, &k, *newest);
		}
		ret = cache_poll(f->sink, 0, 0, 0);
	}
	return ret;
}

/* The range that is certainly that of leaf @n: @inode, @start to @last. false: none is. */
static bool range_of(const struct flushed *f, const struct cache_btree_node *n, uint64_t *inode,
		     uint64_t *start, struct cache_bkey *last)
{
	*inode = n->lo_inode;
	*start = n->lo_offset;
	*last = n->key;
	if (!f->damaged)
		return true;
	/* the leaf before it may be lost, and its range be added to this one's */
	if (!n->keys.n)
		return false;
	*inode = cache_key_inode(&n->keys.k[0]);
	*start = cache_key_start(&n->keys.k[0]);
	*last = n->keys.k[n->keys.n - 1];
	return true;
}

/* A child of @n is gone and @n does not say what replaced it: it is as it was before a write. */
static int lacks_child(const struct cache_set *set, const struct cache_btree_node *n)
{
	int freed = 1;

	for (size_t i = 0; i < n->keys.n && freed > 0; i++) {
		const struct cache_bkey *k = &n->keys.k[i];

		if (cache_bkey_is_freeing(k) || !cache_bkey_staleness(&set->sb, &set->gens, k))
			continue;
		freed = cache_set_is_freed_by(set, n, cache_ptr_bucket(&set->sb, k, 0),
					      cache_ptr_gen(k->ptr[0]));
	}
	return freed < 0 ? freed : !freed;
}

static int on_parent(struct flushed *f, const struct cache_btree_node *n)
{
	int ret = n->damaged ? 1 : lacks_child(f->set, n);

	f->damaged |= ret > 0;
	return ret < 0 ? ret : 0;
}

/* Those that go on into another leaf stay: that one may not have them. */
static int on_node(void *ctx, const struct cache_btree_node *n)
{
	struct flushed *f = ctx;
	uint64_t inode, start;
	struct cache_bkey last;
	size_t first, newest;
	int ret;

	if (n->level)
		return on_parent(f, n);
	/* what a leaf has had may be in the part that is damaged */
	if (n->damaged || !range_of(f, n, &inode, &start, &last))
		return 0;
	first = first_from(f, inode, start);
	if (first == f->set->overlay.n)
		return 0;
	ret = newest_in(f, n, &newest);
	for (size_t i = first; !ret && i < f->set->overlay.n; i++) {
		struct cache_bkey k = extent(f, i);

		if (cache_pos_cmp(cache_key_inode(&k), cache_key_start(&k),
				  cache_key_inode(&last), last.low) >= 0)
			break;
		if (cache_bkey_cmp(&k, &last) <= 0 && entry_of(f, f->set->overlay.at[i]) < newest)
			cache_bit_set(f->drop, i);
	}
	return ret;
}

static void drop(struct flushed *f)
{
	struct cache_overlay *o = &f->set->overlay;
	size_t n = 0;

	for (size_t i = 0; i < o->n; i++)
		if (!cache_bit(f->drop, i))
			o->at[n++] = o->at[i];
	o->n = n;
}

int cache_repair_drop_flushed(struct cache_set *set, const struct cache_sink *sink,
			      struct cache_err *err)
{
	struct cache_sink silent = { .report = cache_sink_ignore };
	const struct cache_journal *j = &set->journal;
	struct flushed f = { .set = set, .sink = sink, .nentries = j->nreplay };
	size_t n = set->overlay.n;
	uint32_t end = 0;
	int ret = 0;

	if (sink) {
		silent.progress = sink->progress;
		silent.ctx = sink->ctx;
	}
	f.end = calloc(j->nreplay + 1, sizeof(*f.end));
	f.by_key = reallocarray(NULL, n + 1, sizeof(*f.by_key));
	f.drop = cache_bits_new(n + 1);
	if (!f.end || !f.by_key || !f.drop)
		ret = -ENOMEM;
	for (size_t i = 0; i < j->nreplay && !ret; i++)
		f.end[i] = end += j->replay[i]->nwords;
	if (!ret && n) {
		memcpy(f.by_key, set->overlay.at, n * sizeof(*f.by_key));
		ret = cache_sort_polled(f.by_key, n, sizeof(*f.by_key), by_key, &f, sink);
	}
	if (!ret && n)
		ret = cache_set_each_node(set, on_node, &f, &silent, err);
	if (ret == -ENOMEM)
		cache_err_set(err, ret, 0, "no memory for the journal's keys");
	if (!ret)
		drop(&f);
	free(f.end);
	free(f.by_key);
	free(f.drop);
	return ret;
}

static bool is_whole(const struct cache_journal *j)
{
	return j->nreplay == j->newest.pos.seq + 1 - j->newest.pos.last_seq;
}

/*
 * Whether the newest entry of @run may be the last that was written: it is that of @j. Or that one
 * is not in its place, and no driver was started from it and went on, since none could be or
 * nothing is missing before the newer one.
 */
static bool is_last(const struct cache_journal *run, const struct cache_journal *j)
{
	uint64_t last = j->newest.pos.seq;
	size_t at = cache_first_index(i, run->nreplay, run->replay[i]->seq >= last);

	if (run->newest.pos.seq == last)
		return run->newest.pos.csum == j->newest.pos.csum;
	return at < run->nreplay && run->replay[at]->seq == last && !run->replay[at]->hidden &&
	       (is_whole(run) || !is_whole(j));
}

/* Whether @run has every entry of the replay of @j, one more, and the newest one. */
static bool has_more(const struct cache_journal *run, const struct cache_journal *j)
{
	uint64_t first = run->newest.pos.last_seq;
	size_t i = 0, k = 0;

	if (run->nreplay <= j->nreplay || !is_last(run, j))
		return false;
	while (k < j->nreplay && j->replay[k]->seq < first)
		k++;
	for (; i < run->nreplay && k < j->nreplay; i++)
		k += run->replay[i]->seq == j->replay[k]->seq &&
		     run->replay[i]->csum == j->replay[k]->csum;
	return k == j->nreplay;
}

/*
 * Whether each entry of the replay that is in its place stands behind the one before it, in one lap
 * of the ring. A set that was started without those behind damage wrote others of their seqs,
 * farther on.
 */
static bool is_one_lap(const struct cache_sb *sb, const struct cache_journal *j)
{
	const struct cache_jset_pos *first = NULL, *before = NULL;
	uint64_t last = 0;

	for (size_t i = 0; i < j->nreplay; i++) {
		const struct cache_jset_pos *pos = j->replay[i];
		uint64_t at = first ? cache_journal_blocks_between(sb, first, pos) : 0;

		if (!pos->hidden)
			continue;
		if (before && ((before != first && at <= last) ||
			       !cache_journal_can_follow(sb, before, pos)))
			return false;
		first = first ? first : pos;
		before = pos;
		last = at;
	}
	return true;
}

int cache_repair_add_survivors(struct cache_set *set, bool *added, const struct cache_sink *sink,
			       struct cache_err *err)
{
	struct cache_journal *j = &set->journal, run, old = *j;
	int ret = cache_journal_survivors(set->dev, &set->sb, j, &run, sink, err);

	*added = ret == 1 && has_more(&run, j) && is_one_lap(&set->sb, &run);
	if (*added) {
		j->entries = run.entries;
		j->nentries = run.nentries;
		j->replay = run.replay;
		j->nreplay = run.nreplay;
		j->newest = run.newest;
		run = old;
	}
	cache_journal_fini(&run);
	return ret < 0 ? ret : 0;
}
