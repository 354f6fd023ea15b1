// SPDX-License-Identifier: GPL-2.0-only
/*
 * From findings to doubt. A finding proves that one thing is wrong; what else it makes doubtful
 * is a column of problems.def.
 */
#include "repair/repair_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

int cache_repair_doubt_init(struct repair_doubt *d, const struct cache_sb *sb)
{
	uint64_t n = sb->nbuckets;

	memset(d, 0, sizeof(*d));
	d->sb = sb;
	d->nodes = cache_bits_new(n);
	d->foreign = cache_bits_new(n);
	d->shared = cache_bits_new(n);
	d->members = cache_bits_new(n);	/* the chain has fewer members than buckets */
	d->visited = cache_bits_new(n);
	d->falsely_freed = cache_bits_new(n);
	d->maybe_freed = cache_bits_new(n);
	return d->nodes && d->foreign && d->shared && d->members && d->visited &&
	       d->falsely_freed && d->maybe_freed ? 0 : -ENOMEM;
}

void cache_repair_doubt_fini(struct repair_doubt *d)
{
	free(d->nodes);
	free(d->foreign);
	free(d->shared);
	free(d->members);
	free(d->visited);
	free(d->falsely_freed);
	free(d->maybe_freed);
	free(d->ranges.r);
	memset(d, 0, sizeof(*d));
}

static void add_range(struct repair_doubt *d, uint64_t lo_inode, uint64_t lo,
		      uint64_t hi_inode, uint64_t hi)
{
	struct repair_ranges *rs = &d->ranges;
	void *p = cache_array_grow(rs->r, rs->n, &rs->capacity, sizeof(*rs->r));

	if (!p) {
		d->failed = true;
		return;
	}
	rs->r = p;
	rs->r[rs->n++] = (struct repair_range){ lo_inode, lo, hi_inode, hi };
}

static void mark(struct repair_doubt *d, uint64_t *map, uint64_t i)
{
	if (i < d->sb->nbuckets)
		cache_bit_set(map, i);
	else
		d->all = true;
}

static void ask_for(struct repair_doubt *d, enum cache_remedy remedy)
{
	d->super |= remedy == CACHE_FIX_SUPER;
	d->uuids |= remedy == CACHE_FIX_UUIDS;
	d->beyond_extents |= remedy == CACHE_FIX_JOURNAL || remedy == CACHE_FIX_PRIOS ||
			     remedy == CACHE_FIX_BTREE;
	d->rebuild |= d->beyond_extents || remedy == CACHE_FIX_DROP_CLEAN ||
		      remedy == CACHE_FIX_DROP_DIRTY;
}

static void doubt_all(struct repair_doubt *d, bool nodes, bool ring)
{
	d->all = true;
	d->scan |= nodes;
	d->wipe_ring |= ring;
}

static void doubt_node(struct repair_doubt *d, const struct cache_finding *f)
{
	d->scan |= f->level > 0;
	mark(d, d->nodes, f->bucket);
}

static void add_doubt(struct repair_doubt *d, enum cache_doubt doubt,
		      const struct cache_finding *f)
{
	d->unread |= cache_doubt_is_unread(doubt);
	switch (doubt) {
	case CACHE_DOUBT_NONE:
	case CACHE_DOUBT_UNREAD:
		break;
	case CACHE_DOUBT_ALL:
		doubt_all(d, false, false);
		break;
	case CACHE_DOUBT_ALL_RING:
		doubt_all(d, false, true);
		break;
	case CACHE_DOUBT_RING:
		d->wipe_ring = true;
		break;
	case CACHE_DOUBT_HIDDEN:
		d->all |= f->count > 0;
		d->wipe_ring = true;
		break;
	case CACHE_DOUBT_ROOT:
		d->root_lost = true;
		doubt_all(d, true, false);
		break;
	case CACHE_DOUBT_UNREAD_RING:
		doubt_all(d, true, true);
		break;
	case CACHE_DOUBT_NODE:
	case CACHE_DOUBT_UNREAD_NODE:
		doubt_node(d, f);
		break;
	case CACHE_DOUBT_GENS:
		mark(d, d->members, f->index);
		break;
	case CACHE_DOUBT_FOREIGN:
		mark(d, d->foreign, f->bucket);
		break;
	case CACHE_DOUBT_SHARED:
		mark(d, d->shared, f->bucket);
		break;
	case CACHE_DOUBT_LEAF:
		if (f->other)
			mark(d, d->nodes, f->other);
		__attribute__((fallthrough));
	case CACHE_DOUBT_RANGE:
		if (f->start < f->end)
			add_range(d, f->inode, f->start, f->inode, f->end);
		break;
	}
}

void cache_repair_doubt_add(void *ctx, const struct cache_finding *f)
{
	const struct cache_problem_info *info = cache_problem_info(f->code);
	struct repair_doubt *d = ctx;

	if (info->severity == CACHE_SEVERITY_NOTE)
		return;
	ask_for(d, info->remedy);
	d->garbage += f->code == CACHE_P_UUID_GARBAGE;
	d->table |= info->remedy == CACHE_FIX_UUIDS && f->code != CACHE_P_UUID_GARBAGE;
	if (!f->corrected)
		add_doubt(d, info->doubt, f);
}

void cache_repair_note(void *ctx, const struct cache_finding *f)
{
	struct repair_noted *noted = ctx;

	noted->n++;
	noted->unread |= cache_doubt_is_unread(cache_problem_info(f->code)->doubt);
}

void cache_repair_find_again(void *ctx, const struct cache_finding *f)
{
	const struct cache_problem_info *info = cache_problem_info(f->code);
	struct repair_again *a = ctx;

	if (info->severity != CACHE_SEVERITY_CORRUPT || f->corrected ||
	    (info->doubt != CACHE_DOUBT_NODE && info->doubt != CACHE_DOUBT_UNREAD_NODE) ||
	    f->bucket >= a->d->sb->nbuckets)
		return;
	a->changed |= !cache_bit(a->d->nodes, f->bucket);
}

int cache_repair_progress_again(void *ctx, unsigned pass, uint64_t current, uint64_t max)
{
	const struct repair_again *a = ctx;

	return repair_progress(a->d->opts, a->pass, current, max);
}

int cache_repair_changed(const struct repair_again *a, struct cache_err *err)
{
	if (!a->changed)
		return 0;
	return cache_err_set(err, -EIO, 0, "a btree node could be read before, and now cannot");
}

/*
 * A child that counts as replaced, and whose bucket is also used for data. The key of that data
 * may have raised the gen, and then the whole subtree would be lost without a finding.
 */
static bool is_falsely_freed(struct repair_doubt *d, const struct cache_bkey *k, uint64_t bucket)
{
	if (bucket >= d->sb->nbuckets || !cache_bit(d->foreign, bucket) ||
	    !cache_bkey_staleness(d->sb, &d->set->gens, k))
		return false;
	if (cache_set_is_node(d->set, bucket, cache_ptr_gen(k->ptr[0]))) {
		cache_bit_set(d->falsely_freed, bucket);
		d->scan = true;
	}
	return true;
}

/*
 * No set of the leaf is left. Its parent may then be as it was before its last write: what a
 * lost key of it pointed to, such as the leaf that replaced this one, is not in the tree.
 */
static bool is_gone(const struct cache_btree_node *n)
{
	return n->damaged && !n->level && !n->nsets && !n->keys.n;
}

/* The ranges of children in doubt. Their parents are always visited. */
static int visit(void *ctx, const struct cache_btree_node *n)
{
	struct repair_doubt *d = ctx;
	uint64_t inode = n->lo_inode, offset = n->lo_offset;

	cache_bit_set(d->visited, n->bucket);
	d->scan |= is_gone(n);
	if (cache_bkey_is_max(&n->key) && cache_bit(d->nodes, n->bucket) && !n->lo_inode &&
	    !n->lo_offset)
		d->all = true;	/* the root, or all children of a node */
	if (!n->level)
		return 0;
	for (size_t i = 0; i < n->keys.n; i++) {
		const struct cache_bkey *k = &n->keys.k[i];
		uint64_t bucket = cache_ptr_bucket(d->sb, k, 0);
		bool bad = cache_bkey_is_bad(d->sb, &d->set->gens, k, n->level);

		if (bad && is_falsely_freed(d, k, bucket)) {
			add_range(d, inode, offset, cache_key_inode(k), k->low);
			/* the last child may be the missing one: then this walk reports it */
			cache_bit_set(d->nodes, n->bucket);
		}
		/*
		 * a child that was replaced does not bound a range: its range belongs to the
		 * next child
		 */
		if (bad)
			continue;
		if (bucket >= d->sb->nbuckets || cache_bit(d->nodes, bucket))
			add_range(d, inode, offset, cache_key_inode(k), k->low);
		inode = cache_key_inode(k);
		offset = k->low;
	}
	return 0;
}

/* A root that the walk could not enter has no parent, so no parent puts its range in doubt. */
static void doubt_root(struct repair_doubt *d)
{
	const struct cache_bkey *root = &d->set->journal.newest.btree_root;
	uint64_t bucket = cache_key_ptrs(root) ? cache_ptr_bucket(d->sb, root, 0) : UINT64_MAX;

	if (bucket < d->sb->nbuckets && cache_bit(d->visited, bucket))
		return;
	d->root_lost = true;
	doubt_all(d, true, false);
}

static int by_lo(const void *a, const void *b, void *ctx)
{
	const struct repair_range *x = a, *y = b;

	return cache_pos_cmp(x->lo_inode, x->lo, y->lo_inode, y->lo);
}

static int no_memory(struct cache_err *err)
{
	return cache_err_set(err, -ENOMEM, 0, "no memory for what is in doubt");
}

static int merge(struct repair_doubt *d, struct cache_err *err)
{
	struct repair_ranges *rs = &d->ranges;
	size_t n = 0;
	int ret = repair_sort(rs->r, rs->n, sizeof(*rs->r), by_lo, d->opts);

	if (ret)
		return ret == -ENOMEM ? no_memory(err) : ret;
	for (size_t i = 0; i < rs->n; i++) {
		struct repair_range *last = n ? &rs->r[n - 1] : NULL, *r = &rs->r[i];

		if (!last || cache_pos_cmp(r->lo_inode, r->lo, last->hi_inode, last->hi) > 0)
			rs->r[n++] = *r;
		else if (cache_pos_cmp(r->hi_inode, r->hi, last->hi_inode, last->hi) > 0) {
			last->hi_inode = r->hi_inode;
			last->hi = r->hi;
		}
	}
	rs->n = n;
	return 0;
}

int cache_repair_doubt_ranges(struct repair_doubt *d, struct cache_set *set,
			      struct cache_err *err)
{
	struct repair_again again = { .d = d, .pass = CACHE_REPAIR_PASS_DOUBT };
	const struct cache_sink sink = { .report = cache_repair_find_again, .ctx = &again,
					 .progress = cache_repair_progress_again };
	int ret;

	d->set = set;
	ret = cache_set_each_node(set, visit, d, &sink, err);
	if (!ret)
		ret = cache_repair_changed(&again, err);
	if (!ret)
		doubt_root(d);
	if (!ret && d->failed)
		ret = no_memory(err);
	return ret ? ret : merge(d, err);
}

bool cache_repair_is_doubtful(const struct repair_doubt *d, const struct cache_bkey *k)
{
	uint64_t inode = cache_key_inode(k), start = cache_key_start(k);
	const struct repair_range *r = d->ranges.r;
	/* the first range that ends after the start of the extent */
	size_t at = cache_first_index(i, d->ranges.n,
				      cache_pos_cmp(r[i].hi_inode, r[i].hi, inode, start) > 0);

	return at < d->ranges.n && cache_pos_cmp(r[at].lo_inode, r[at].lo, inode, k->low) < 0;
}
