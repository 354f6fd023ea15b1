// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which extents are kept. Clean extents that are in any doubt are dropped: the backing device
 * has the same data. Dirty extents are kept if their key can be followed. Otherwise the range
 * is reported, and it is dropped only with permission (allow_data_loss).
 */
#include "repair/repair_orphans.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/checked.h"

struct collect {
	const struct fsck_cache *c;
	const struct repair_doubt *d;
	const struct cache_repair_opts *opts;
	struct repair_kept *kept;
	struct cache_repair_plan *plan;
};

static void tell_range(struct collect *s, struct cache_repair_loss loss)
{
	const struct cache_uuids *u = &s->c->set->uuids;

	if (loss.inode < u->n) {
		memcpy(loss.uuid, u->slot[loss.inode].uuid, sizeof(loss.uuid));
		loss.data_start = s->c->slots[loss.inode].data_start;
		if (loss.end == UINT64_MAX && s->c->slots[loss.inode].data_end < CACHE_DEV_SECTORS_MAX)
			loss.end = s->c->slots[loss.inode].data_end;
	}
	if (s->opts->loss)
		s->opts->loss(s->opts->ctx, s->opts->dev, &loss);
}

static void tell(struct collect *s, const struct cache_bkey *k, enum cache_loss_code code, bool kept)
{
	tell_range(s, (struct cache_repair_loss){
		.inode = cache_key_inode(k), .start = cache_key_start(k), .end = k->low,
		.certain = true, .kept = kept, .code = code });
}

static void give_up(struct collect *s, const struct cache_bkey *k, enum cache_loss_code why)
{
	tell(s, k, why, false);
	s->plan->dropped_dirty_sectors += cache_key_size(k);
}

static bool is_given_up(const struct collect *s, uint64_t inode)
{
	const struct cache_uuids *u = &s->c->set->uuids;

	for (unsigned i = 0; i < s->opts->ndrop_uuids && inode < u->n; i++)
		if (!memcmp(u->slot[inode].uuid, s->opts->drop_uuids[i], 16))
			return true;
	return false;
}

/* The reason why the extent cannot be kept, even if it is dirty; NONE when it can be. */
static enum cache_loss_code impossible(const struct collect *s, const struct cache_bkey *k)
{
	const struct cache_uuids *u = &s->c->set->uuids;
	uint64_t inode = cache_key_inode(k);
	uint64_t bucket = cache_ptr_bucket(&s->c->set->sb, k, 0);

	if (bucket >= s->c->set->sb.nbuckets)
		return CACHE_LOSS_PTR_PAST_DEVICE;
	if (bucket < cache_sb_reserved_buckets(&s->c->set->sb))
		return CACHE_LOSS_PTR_INTO_JOURNAL;
	if (cache_bit(s->d->foreign, bucket))
		return CACHE_LOSS_BUCKET_FOREIGN;
	if (k->low > CACHE_DEV_SECTORS_MAX)
		return CACHE_LOSS_TOO_FAR;
	if (is_given_up(s, inode))
		return CACHE_LOSS_GIVEN_UP;
	if (!u->n)
		return CACHE_LOSS_NONE;
	if (inode >= u->n)
		return CACHE_LOSS_NO_SUCH_DEVICE;
	if (cache_key_start(k) < s->c->slots[inode].data_start)
		return CACHE_LOSS_BEFORE_DATA;
	if (k->low > s->c->slots[inode].data_end)
		return CACHE_LOSS_PAST_END;
	if (cache_uuid_state(&u->slot[inode]) == CACHE_SLOT_FREE && cache_key_dirty(k) &&
	    s->opts->allow_data_loss)
		return CACHE_LOSS_NO_SLOT;
	if (cache_uuid_state(&u->slot[inode]) == CACHE_SLOT_RETIRED && cache_key_dirty(k))
		return CACHE_LOSS_DETACHED;
	/* slots that the tree uses were filled before: this extent comes from a lost node */
	if (cache_uuid_state(&u->slot[inode]) == CACHE_SLOT_FREE && cache_key_dirty(k))
		return CACHE_LOSS_NO_SLOT;
	return CACHE_LOSS_NONE;
}

static bool clean_is_doubtful(const struct collect *s, const struct cache_bkey *k)
{
	const struct cache_set *set = s->c->set;
	uint64_t bucket = cache_ptr_bucket(&set->sb, k, 0), inode = cache_key_inode(k);

	/* the next device to be attached would get this slot, and these extents with it */
	if (inode < set->uuids.n &&
	    cache_uuid_state(&set->uuids.slot[inode]) == CACHE_SLOT_FREE)
		return true;
	return s->d->all || s->d->no_clean || cache_bit(s->d->shared, bucket) ||
	       !cache_prio_is_known(&set->sb, &set->prios, bucket) ||
	       cache_bit(s->d->members, bucket / cache_prios_per_bucket(&set->sb)) ||
	       cache_repair_is_doubtful(s->d, k);
}

static int keep(struct collect *s, const struct cache_bkey *k)
{
	struct repair_kept *kept = s->kept;
	void *p = cache_array_grow(kept->keys, kept->n, &kept->capacity, sizeof(*kept->keys));

	if (!p)
		return -ENOMEM;
	kept->keys = p;
	kept->keys[kept->n++] = (struct cache_packed_key){ k->high, k->low, k->ptr[0] };
	s->plan->kept_extents++;
	s->plan->kept_sectors += cache_key_size(k);
	if (cache_key_dirty(k))
		s->plan->kept_dirty_sectors += cache_key_size(k);
	return 0;
}

static int judge(void *ctx, const struct cache_extent *e)
{
	struct collect *s = ctx;
	const struct cache_uuids *u = &s->c->set->uuids;
	struct cache_bkey k = e->key;
	uint64_t inode = cache_key_inode(&k);
	enum cache_loss_code why;

	if (e->check_key || !e->available)
		return 0;
	if (e->staleness) {
		if (cache_key_dirty(&k))
			give_up(s, &k, CACHE_LOSS_BUCKET_REUSED);
		return 0;
	}
	cache_bkey_set_ptrs(&k, 1);
	/* The data of a flash volume exists nowhere else, so it counts as dirty. */
	if (inode < u->n && cache_uuid_state(&u->slot[inode]) == CACHE_SLOT_FLASH &&
	    !cache_uuid_is_ambiguous(&u->slot[inode]))
		cache_bkey_set_dirty(&k, true);
	/* The key's position is damaged: it does not say which range was written. */
	why = e->outside ? CACHE_LOSS_OUTSIDE_NODE : impossible(s, &k);
	if (why && cache_key_dirty(&k)) {
		bool leave = s->opts->allow_data_loss || is_given_up(s, inode);

		if (leave) {
			give_up(s, &k, why);
			return 0;
		}
		tell(s, &k, why, true);
		s->plan->blocked_dirty_sectors += cache_key_size(&k);
		return keep(s, &k);
	}
	if (why || (!cache_key_dirty(&k) && clean_is_doubtful(s, &k))) {
		s->plan->dropped_clean_sectors += cache_key_size(&k);
		return 0;
	}
	return keep(s, &k);
}

static void on_unread(void *ctx, uint64_t bucket)
{
	struct collect *s = ctx;

	s->plan->unread_buckets++;
	if (s->opts->unread)
		s->opts->unread(s->opts->ctx, s->opts->dev, bucket);
}

static uint64_t key_inode(const struct cache_packed_key *k)
{
	return k->high & CACHE_KEY_INODE_MAX;
}

static uint64_t key_start(const struct cache_packed_key *k)
{
	return k->low - cache_key_high_size(k->high);
}

static int by_start(const void *a, const void *b, void *ctx)
{
	const struct cache_packed_key *x = a, *y = b;
	int cmp = cache_pos_cmp(key_inode(x), key_start(x), key_inode(y), key_start(y));

	return cmp ? cmp : cache_pos_cmp(0, x->low, 0, y->low);
}

static bool is_dirty(const struct cache_packed_key *k)
{
	return cache_key_high_dirty(k->high);
}

/* Whether @b, which does not start before @a, starts before the end of @a. */
static bool overlaps(const struct cache_packed_key *a, const struct cache_packed_key *b)
{
	return cache_pos_cmp(key_inode(a), a->low, key_inode(b), key_start(b)) > 0;
}

static bool is_sorted(const struct repair_kept *kept)
{
	for (uint64_t i = 1; i < kept->n; i++)
		if (overlaps(&kept->keys[i - 1], &kept->keys[i]))
			return false;
	return true;
}

/* All of @k is lost, or only the part that starts at @from. */
static bool cut_to(struct collect *s, struct cache_packed_key *p, uint64_t from)
{
	struct cache_bkey k = { p->high, p->low, { p->ptr } }, gone = k;
	bool some = cache_key_dirty(&k) && k.low > from;

	if (some) {
		cache_bkey_cut_back(&gone, from);
		cache_bkey_cut_front(&k, from);
		*p = (struct cache_packed_key){ k.high, k.low, k.ptr[0] };
	}
	s->plan->kept_extents -= !some;
	s->plan->kept_sectors -= cache_key_size(&gone);
	if (!cache_key_dirty(&gone)) {
		s->plan->dropped_clean_sectors += cache_key_size(&gone);
		return false;
	}
	s->plan->kept_dirty_sectors -= cache_key_size(&gone);
	s->plan->dropped_dirty_sectors += cache_key_size(&gone);
	tell(s, &gone, CACHE_LOSS_SAME_RANGE, false);
	return some;
}

static bool is_same_answer(const struct cache_packed_key *a, const struct cache_packed_key *b)
{
	return a->high == b->high && a->low == b->low && a->ptr == b->ptr;
}

/* Drops clean extents that overlap other clean ones, because it is not known which is right. */
static int drop_clean_overlaps(struct collect *s)
{
	struct repair_kept *kept = s->kept;
	/* index of the clean extent with the greatest end */
	struct cache_packed_key end = { 0 };
	/* the position where it was kept is last - 1; 0: it was not kept */
	uint64_t n = 0, last = 0;
	int ret = 0;

	for (uint64_t i = 0; i < kept->n && !ret; i++) {
		struct cache_packed_key k = kept->keys[i];
		bool shares = overlaps(&end, &k);

		ret = repair_poll_at(s->opts, i);
		if (is_dirty(&k)) {
			kept->keys[n++] = k;
			continue;
		}
		if (shares && is_same_answer(&end, &k)) {
			cut_to(s, &k, UINT64_MAX);
			continue;
		}
		if (shares && last) {
			cut_to(s, &kept->keys[last - 1], UINT64_MAX);
			memmove(&kept->keys[last - 1], &kept->keys[last],
				(n - last) * sizeof(*kept->keys));
			n--;
			last = 0;
		}
		if (shares)
			cut_to(s, &k, UINT64_MAX);
		else
			kept->keys[n++] = k;
		if (!overlaps(&end, &k) || k.low > end.low) {
			end = k;
			last = shares ? 0 : n;
		}
	}
	kept->n = n;
	return ret;
}

/*
 * If nodes of the tree overlap, one range can have several extents. Between a clean and a dirty
 * extent the dirty one is kept. Of two clean ones neither is kept. Of two dirty ones the second
 * keeps the part that the first does not cover; the rest is reported as lost.
 */
static int resolve_overlaps(struct collect *s)
{
	struct repair_kept *kept = s->kept;
	uint64_t n = 0;
	int ret = repair_sort(kept->keys, kept->n, sizeof(*kept->keys), by_start, s->opts);

	if (!ret)
		ret = drop_clean_overlaps(s);
	for (uint64_t i = 0; i < kept->n && !ret; i++) {
		struct cache_packed_key k = kept->keys[i];

		ret = repair_poll_at(s->opts, i);
		while (n && overlaps(&kept->keys[n - 1], &k) && is_dirty(&k) &&
		       !is_dirty(&kept->keys[n - 1]))
			cut_to(s, &kept->keys[--n], UINT64_MAX);
		if (!n || !overlaps(&kept->keys[n - 1], &k) ||
		    cut_to(s, &k, kept->keys[n - 1].low))
			kept->keys[n++] = k;
	}
	kept->n = n;
	return ret;
}

struct place {
	struct cache_packed_key k;
	uint64_t at;			/* index among the kept extents */
};

static int by_place(const void *a, const void *b, void *ctx)
{
	uint64_t i = cache_ptr_sector(((const struct place *)a)->k.ptr);
	uint64_t j = cache_ptr_sector(((const struct place *)b)->k.ptr);

	return i < j ? -1 : i > j;
}

/*
 * Extents that may share a place on the cache device; those from lost nodes were not examined
 * yet.
 */
static int take_places(const struct collect *s, struct place *in, uint64_t *nplaces)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < s->kept->n; i++) {
		const struct cache_packed_key *k = &s->kept->keys[i];
		uint64_t bucket = cache_ptr_sector(k->ptr) / s->c->set->sb.bucket_sectors;

		if (s->d->scan || (bucket < s->c->set->sb.nbuckets &&
				   cache_bit(s->d->shared, bucket)))
			in[n++] = (struct place){ *k, i };
	}
	*nplaces = n;
	return repair_sort(in, n, sizeof(*in), by_place, s->opts);
}

static void drop_clean(struct collect *s, const struct place *p)
{
	struct cache_packed_key *k = &s->kept->keys[p->at];

	cut_to(s, k, UINT64_MAX);
	k->ptr = UINT64_MAX;
}

static void forget_dropped(struct repair_kept *kept)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < kept->n; i++)
		if (kept->keys[i].ptr != UINT64_MAX)
			kept->keys[n++] = kept->keys[i];
	kept->n = n;
}

/*
 * If several dirty extents use the same place on the cache device, at most one of them is
 * right, and it is not known which. A clean extent at that place is dropped.
 */
static int name_shared(struct collect *s)
{
	struct place *in = calloc(s->kept->n + 1, sizeof(*in)), *last = NULL;
	uint64_t n = 0, end = 0;
	int ret = in ? take_places(s, in, &n) : -ENOMEM;

	for (uint64_t i = 0; i < n && !ret; i++) {
		struct cache_bkey k = { in[i].k.high, in[i].k.low, { in[i].k.ptr } };
		bool shares = last && cache_ptr_sector(in[i].k.ptr) < end;

		ret = repair_poll_at(s->opts, i);
		if (shares && !is_dirty(&in[i].k)) {
			drop_clean(s, &in[i]);
			continue;
		}
		if (shares && !is_dirty(&last->k)) {
			drop_clean(s, last);
			end = 0;	/* the extents before it end before it starts */
		} else if (shares) {
			tell(s, &k, CACHE_LOSS_SAME_PLACE, true);
			s->plan->blocked_dirty_sectors += cache_key_size(&k);
		}
		end = cache_max_u64(end, cache_ptr_sector(in[i].k.ptr) + cache_key_size(&k));
		last = &in[i];
	}
	free(in);
	if (!ret)
		forget_dropped(s->kept);
	return ret;
}

/* Whether extents of the device are kept, which are sorted now. */
static bool has_kept(const struct collect *s, uint64_t inode)
{
	size_t at = cache_first_index(i, s->kept->n, key_inode(&s->kept->keys[i]) >= inode);

	return at < s->kept->n && key_inode(&s->kept->keys[at]) == inode;
}

/* Those of leaves without a parent are not counted in the slots. */
static bool has_device(const struct collect *s, uint64_t inode)
{
	const struct cache_uuids *u = &s->c->set->uuids;

	return inode < u->n && (s->c->slots[inode].extents || has_kept(s, inode) ||
				cache_uuid_state(&u->slot[inode]) != CACHE_SLOT_FREE);
}

/* A range in doubt may start in one device's range and end in that of a later device. */
static void name_range(struct collect *s, const struct repair_range *r)
{
	uint64_t inode = r->lo_inode;

	do {
		struct cache_repair_loss loss = {
			.inode = inode, .start = inode == r->lo_inode ? r->lo : 0,
			.end = inode == r->hi_inode ? r->hi : UINT64_MAX,
			.code = CACHE_LOSS_UPDATES };

		if (inode == r->lo_inode || has_device(s, inode))
			tell_range(s, loss);
	} while (++inode <= r->hi_inode && inode < s->c->set->uuids.n);
}

static void name_all_devices(struct collect *s, enum cache_loss_code code)
{
	for (uint64_t inode = 0; inode < s->c->set->uuids.n; inode++)
		if (has_device(s, inode))
			tell_range(s, (struct cache_repair_loss){
				.inode = inode, .start = s->c->slots[inode].data_start,
				.end = UINT64_MAX, .code = code });
}

static void name_doubtful_ranges(struct collect *s)
{
	for (size_t i = 0; i < s->d->ranges.n; i++)
		name_range(s, &s->d->ranges.r[i]);
	s->plan->doubtful_ranges = s->d->ranges.n;
	if (s->d->unread || s->plan->unread_buckets)
		name_all_devices(s, CACHE_LOSS_UNREAD);
	else if (s->d->all)
		name_all_devices(s, CACHE_LOSS_NEWEST_WRITES);
}

int cache_repair_collect(struct fsck_cache *c, const struct repair_doubt *d,
			 const struct cache_repair_opts *opts, struct repair_kept *kept,
			 struct cache_repair_plan *plan, struct cache_err *err)
{
	struct collect s = { c, d, opts, kept, plan };
	struct repair_again again = { .d = d, .pass = CACHE_REPAIR_PASS_COLLECT };
	const struct cache_sink sink = { .report = cache_repair_find_again, .ctx = &again,
					 .progress = cache_repair_progress_again };
	struct cache_orphans *orphans = NULL;
	int ret = 0;

	if (d->scan)
		ret = cache_orphans_find(c->set, d, on_unread, &s, &orphans, err);
	if (!ret)
		ret = cache_repair_each_extent(c->set, d, orphans, judge, &s, &sink, err);
	if (!ret)
		ret = cache_repair_changed(&again, err);
	cache_orphans_free(orphans);
	if (!ret && !is_sorted(kept))
		ret = resolve_overlaps(&s);
	if (!ret)
		ret = name_shared(&s);
	if (ret == -ENOMEM)
		cache_err_set(err, ret, 0, "no memory for the extents that stay");
	if (ret)
		return ret;
	name_doubtful_ranges(&s);
	plan->drop_all_clean = d->all;
	plan->root_lost = d->root_lost;
	return 0;
}
