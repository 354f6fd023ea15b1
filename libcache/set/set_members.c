// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading a set of several cache devices. The member whose ring is used comes first in the
 * common space, so that its own numbers of buckets hold there.
 */
#include "set/members.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dev/dev.h"
#include "set/set_impl.h"

#define MEMBERS_MAX	CACHE_MAX_CACHES_PER_SET
#define NONE		CACHE_SET_NO_MEMBER

/* Into the numbers of its own device, and to that device's sink. */
static void route(void *ctx, const struct cache_finding *f)
{
	const struct cache_set_members *m = ctx;
	struct cache_finding own = *f;
	unsigned index = m->index[m->leader], ignored, place;
	uint64_t bucket;

	if (cache_members_find(&m->map, f->bucket, &place, &bucket)) {
		index = m->index[place];
		own.bucket = bucket;
	}
	if (cache_members_find(&m->map, f->other, &ignored, &bucket) &&
	    (f->code == CACHE_P_CHILD_PTR || f->code == CACHE_P_EXTENT_PTR))
		own.other = bucket;
	if (cache_members_find(&m->map, f->sector / m->bucket_sectors, &place, &bucket))
		own.sector -= m->map.m[place].base * m->bucket_sectors;
	cache_found(m->given[index].sink, NULL, &own);
}

static int route_progress(void *ctx, unsigned pass, uint64_t current, uint64_t max)
{
	const struct cache_set_members *m = ctx;
	const struct cache_sink *sink = m->given[m->index[m->leader]].sink;

	return sink->progress ? sink->progress(sink->ctx, pass, current, max) : 0;
}

/* Why a device cannot be in one set with the first; 0: it can. */
static enum cache_problem misfit(const struct cache_set_members *m, const struct cache_sb *sb,
				 const struct cache_sb *first, struct cache_finding *f)
{
	f->got = sb->nr_this_dev;
	if (m->index[sb->nr_this_dev] != NONE)
		return CACHE_P_SB_MEMBER_TWICE;
	if (sb->bucket_sectors != first->bucket_sectors) {
		f->what = "bucket size";
		f->got = sb->bucket_sectors;
		f->want = first->bucket_sectors;
		return CACHE_P_SB_MEMBER_DIFFERS;
	}
	f->what = sb->block_sectors != first->block_sectors ? "block size" : "number of members";
	f->got = sb->block_sectors != first->block_sectors ? sb->block_sectors : sb->nr_in_set;
	f->want = sb->block_sectors != first->block_sectors ? first->block_sectors :
							      first->nr_in_set;
	return f->got != f->want ? CACHE_P_SB_MEMBER_DIFFERS : CACHE_P_NONE;
}

/* Gives each usable device its place. 0, or the error of a device without a sink. */
static int take_places(struct cache_set_members *m, const struct cache_sb **first,
		       struct cache_err *err)
{
	int ret = 0;

	*first = NULL;
	for (unsigned i = 0; i < m->n && !ret; i++) {
		const struct cache_set_member *d = &m->given[i];
		struct cache_finding f = { 0 };

		ret = cache_sb_check(d->sb, cache_dev_sectors(d->dev),
				     cache_dev_logical_block_bytes(d->dev), d->sink, err);
		if (ret || !cache_sb_is_one_of_several(d->sb) ||
		    !cache_sb_is_usable(d->sb, cache_dev_sectors(d->dev)))
			continue;
		if (*first)
			f.code = misfit(m, d->sb, *first, &f);
		else
			*first = d->sb;
		if (f.code)
			ret = cache_found(d->sink, err, &f);
		else
			m->index[d->sb->nr_this_dev] = i;
	}
	return ret;
}

/* Members that are not here. */
static int report_absent(const struct cache_set_members *m, unsigned nr_in_set,
			 struct cache_err *err)
{
	int ret = 0;

	for (unsigned i = 0; i < nr_in_set && !ret; i++)
		if (m->index[i] == NONE)
			ret = cache_found(m->given[m->index[m->leader]].sink, err,
					  &(struct cache_finding){
				.code = CACHE_P_SB_MEMBER_ABSENT, .index = i,
				.count = nr_in_set });
	return ret;
}

/* The common space: the leader first. */
static int join(struct cache_set *set, struct cache_err *err)
{
	struct cache_set_members *m = set->members;
	struct cache_dev_part parts[MEMBERS_MAX];
	unsigned n = 0;

	for (unsigned k = 0; k <= MEMBERS_MAX; k++) {
		unsigned place = k ? k - 1 : m->leader;
		const struct cache_set_member *d;

		if (m->index[place] == NONE || (k && place == m->leader))
			continue;
		d = &m->given[m->index[place]];
		cache_members_add(&m->map, d->sb);
		parts[n++] = (struct cache_dev_part){
			.dev = d->dev, .first = m->map.m[place].base * d->sb->bucket_sectors,
			.nsectors = d->sb->nbuckets * d->sb->bucket_sectors };
	}
	set->sb = *m->given[m->index[m->leader]].sb;
	m->bucket_sectors = set->sb.bucket_sectors;
	m->map.nr_in_set = set->sb.nr_in_set;
	set->sb.nbuckets = m->map.nbuckets;
	set->sb.members = &m->map;
	m->sink = (struct cache_sink){ route, m, route_progress };
	return cache_dev_join(parts, n, m->map.nbuckets * m->bucket_sectors, &set->dev, err);
}

/* The chain of one member, put where its buckets are in the common space. */
static int add_prios(struct cache_set *set, unsigned place, bool with_prio, struct cache_err *err)
{
	const struct cache_set_members *m = set->members;
	const struct cache_set_member *d = &m->given[m->index[place]];
	uint64_t base = m->map.m[place].base, at = base / cache_prios_per_bucket(&set->sb);
	uint64_t head = set->journal.newest.prio_bucket[place];
	struct cache_prios p, *all = &set->prios;
	int ret = with_prio ? cache_prio_read(d->dev, d->sb, head, &p, d->sink, err)
			    : cache_prio_read_gens(d->dev, d->sb, head, &p, d->sink, err);

	if (!ret) {
		memcpy(all->gen + base, p.gen, p.nbuckets);
		if (with_prio)
			memcpy(all->prio + base, p.prio, p.nbuckets * sizeof(*p.prio));
		memcpy(all->member_ok + at, p.member_ok, p.nmembers * sizeof(*p.member_ok));
		for (uint64_t i = 0; i < p.nfollowed; i++)
			all->chain[at + i] = base + p.chain[i];
		all->nmetadata += p.nmetadata;
		set->members->prio_seq[place] = p.seq;
	}
	cache_prio_fini(&p);
	return ret;
}

static int load_prios(struct cache_set *set, bool with_prio, struct cache_err *err)
{
	struct cache_prios *all = &set->prios;
	int ret = 0;

	all->nbuckets = set->sb.nbuckets;
	all->nmembers = all->nfollowed = all->nbuckets / cache_prios_per_bucket(&set->sb);
	all->gen = calloc(all->nbuckets, 1);
	all->prio = with_prio ? calloc(all->nbuckets, sizeof(*all->prio)) : NULL;
	all->chain = malloc(all->nmembers * sizeof(*all->chain));
	all->member_ok = calloc(all->nmembers, sizeof(*all->member_ok));
	if (!all->gen || (with_prio && !all->prio) || !all->chain || !all->member_ok)
		return cache_err_set(err, -ENOMEM, 0, "no memory for the gens of %llu buckets",
				     (unsigned long long)all->nbuckets);
	/* where a chain ended early there is no bucket */
	memset(all->chain, 0xff, all->nmembers * sizeof(*all->chain));
	for (unsigned i = 0; i < MEMBERS_MAX && !ret; i++)
		if (set->members->index[i] != NONE)
			ret = add_prios(set, i, with_prio, err);
	return ret ? ret : cache_prio_sort_members(all, err);
}

static const struct cache_sink *sink_of(const struct cache_set *set)
{
	return set->members->given[0].sink ? &set->members->sink : NULL;
}

static int load_rest(struct cache_set *set, enum cache_load upto,
		     struct cache_extent_visit *visit, struct cache_err *err)
{
	const struct cache_jset *newest = &set->journal.newest;
	int ret = load_prios(set, upto != CACHE_LOAD_GENS, err);

	if (!ret)
		ret = cache_uuids_read(set->dev, &set->sb, &newest->uuid_bucket,
				       newest->pos.version, &set->uuids, sink_of(set), err);
	if (ret)
		return ret;
	set->loaded = CACHE_LOAD_PRIOS;
	return upto < CACHE_LOAD_GENS ? 0 : cache_set_mark(set, upto, visit, sink_of(set), err);
}

static int load(struct cache_set *set, struct cache_set_rings *rings, enum cache_load upto,
		struct cache_extent_visit *visit, struct cache_err *err)
{
	struct cache_set_members *m = set->members;
	const struct cache_sb *first;
	int ret = take_places(m, &first, err);

	if (ret || !first)
		return ret;
	ret = cache_set_rings_read(m, rings, err);
	if (!ret)
		ret = report_absent(m, first->nr_in_set, err);
	if (!ret)
		ret = join(set, err);
	if (!ret && upto >= CACHE_LOAD_JOURNAL)
		ret = cache_set_rings_join(set, rings, sink_of(set), err);
	return ret || upto < CACHE_LOAD_PRIOS || !set->has_journal ? ret :
	       load_rest(set, upto, visit, err);
}

int cache_set_load_members(const struct cache_set_member *members, unsigned n,
			   enum cache_load upto, struct cache_extent_visit *visit,
			   struct cache_set **setp, struct cache_err *err)
{
	struct cache_set *set = calloc(1, sizeof(*set));
	struct cache_set_members *m = calloc(1, sizeof(*m) + n * sizeof(*members));
	struct cache_set_rings *rings = calloc(1, sizeof(*rings));
	int ret;

	if (!set || !m || !rings) {
		free(set);
		free(m);
		free(rings);
		return cache_err_set(err, -ENOMEM, 0, "no memory for a set");
	}
	set->sb = *members[0].sb;
	set->members = m;
	m->n = n;
	memcpy(m->given, members, n * sizeof(*members));
	memset(m->index, 0xff, sizeof(m->index));
	if (visit)
		visit->done = false;
	ret = load(set, rings, upto, visit, err);
	cache_set_rings_fini(rings);
	free(rings);
	if (ret)
		cache_set_close(set);
	else
		*setp = set;
	return ret;
}

bool cache_set_member_of(const struct cache_set *set, uint64_t bucket, unsigned *index,
			 uint64_t *local)
{
	unsigned place;

	*index = 0;
	*local = bucket;
	if (!set->members)
		return true;
	if (!cache_members_find(&set->members->map, bucket, &place, local))
		return false;
	*index = set->members->index[place];
	return true;
}

const struct cache_sink *cache_set_members_sink(const struct cache_set *set)
{
	return &set->members->sink;
}

uint64_t cache_set_prio_seq(const struct cache_set *set, unsigned nr_this_dev)
{
	return set->members ? set->members->prio_seq[nr_this_dev] : set->prios.seq;
}

bool cache_set_has_member(const struct cache_set *set, unsigned index)
{
	for (unsigned i = 0; i < MEMBERS_MAX; i++)
		if (set->members->index[i] == index)
			return true;
	return false;
}
