// SPDX-License-Identifier: GPL-2.0-only
/* Buckets added up to cells, histograms and the journal's ring. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/bucket.h"
#include "base/bits.h"
#include "map/map.h"

const char *cache_map_by_name(unsigned by)
{
	static const char *const names[] = { "prio", "mark", "gen", "dirty", "used", "change" };

	return names[by];
}

const char *cache_map_order_name(unsigned order)
{
	static const char *const names[] = { "linear", "hilbert" };

	return names[order];
}

/* What is known of one bucket. */
struct look {
	unsigned role;		/* or CACHE_MAP_UNKNOWN */
	bool prio_known, gen_known;
	uint16_t prio;
	uint8_t gen;
	unsigned lag;
	uint32_t used;
};

/* Journal buckets are in ascending order. */
static bool is_journal(const struct cache_sb *sb, uint64_t b)
{
	unsigned n = sb->njournal < CACHE_SB_JOURNAL_BUCKETS ? sb->njournal :
							       CACHE_SB_JOURNAL_BUCKETS;

	if (!n || b < sb->journal_bucket[0] || b > sb->journal_bucket[n - 1])
		return false;
	for (unsigned i = 0; i < n; i++)
		if (sb->journal_bucket[i] == b)
			return true;
	return false;
}

/* Without marks only the superblock's own buckets are known. */
static struct look look_at(const struct cache_set *set, uint64_t b)
{
	struct look l = { .role = CACHE_MAP_UNKNOWN };

	if (set->loaded < CACHE_LOAD_MARKS) {
		if (!cache_sb_is_synced(&set->sb))	/* has not run: nothing is in it */
			l.role = CACHE_ROLE_FREE;
		if (b < set->sb.first_bucket)
			l.role = CACHE_ROLE_SUPERBLOCK;
		else if (is_journal(&set->sb, b))
			l.role = CACHE_ROLE_JOURNAL;
	} else {
		l.role = cache_set_role(set, b);
		l.used = cache_bucket_sectors_used(&set->buckets, b);
		l.lag = cache_bucket_gc_gen(&set->buckets, b);
		if (l.role == CACHE_ROLE_FREE && set->nbad_nodes)
			l.role = CACHE_MAP_UNKNOWN;
	}
	if (set->loaded < CACHE_LOAD_PRIOS || !set->prios.prio ||
	    !cache_prio_is_known(&set->sb, &set->prios, b))
		return l;
	l.prio_known = l.gen_known = true;
	l.prio = set->prios.prio[b];
	l.gen = set->prios.gen[b];
	return l;
}

static void add_to_cell(struct cache_map_cell *c, const struct look *l)
{
	c->role[l->role]++;
	c->used_sectors += l->used;
	if (l->prio_known) {
		c->prio_known++;
		c->prio_sum += l->prio;
	}
	if (l->gen_known) {
		c->gen_known++;
		c->gen_sum += l->gen;
	}
}

static void add_to_bars(struct cache_map_bars *b, uint64_t value)
{
	uint64_t bar = value / b->step;

	b->bar[bar < CACHE_MAP_BARS ? bar : CACHE_MAP_BARS - 1]++;
}

static void add_bucket(struct cache_map *m, struct cache_map_cell *c, const struct look *l)
{
	add_to_cell(c, l);
	m->role[l->role]++;
	if (l->prio_known && (l->role == CACHE_ROLE_CLEAN || l->role == CACHE_ROLE_DIRTY)) {
		add_to_bars(&m->prio, l->prio);
		add_to_bars(&m->lag, l->lag);
	}
	if (l->gen_known)
		add_to_bars(&m->gen, l->gen);
}

static void fill_cells(struct cache_map *m, const struct cache_set *set,
		       const struct cache_set *old)
{
	uint64_t per = m->nbuckets / m->ncells, left = m->nbuckets % m->ncells, b = 0;

	for (uint32_t i = 0; i < m->ncells; i++) {
		struct cache_map_cell *c = &m->cell[i];

		c->first = b;
		c->count = per + (i < left);
		for (; b < c->first + c->count; b++) {
			struct look now = look_at(set, b), was;

			add_bucket(m, c, &now);
			if (!old)
				continue;
			was = look_at(old, b);
			if (was.role != now.role || was.gen != now.gen)
				c->changed++;
		}
		m->changed += c->changed;
	}
}

/* Both sides of a square that fills what it has, so that no more cells than buckets are needed. */
static void choose_size(struct cache_map *m, uint32_t width, uint32_t height)
{
	uint32_t side = 1;

	if (m->order == CACHE_MAP_HILBERT) {
		while (side < CACHE_MAP_SIDE_MAX && 2 * side <= width && 2 * side <= height &&
		       (uint64_t)side * side < m->nbuckets)
			side *= 2;
		m->width = m->height = side;
	} else {
		m->width = width;
		m->height = (m->nbuckets + width - 1) / width < height ?
			(m->nbuckets + width - 1) / width : height;
	}
	m->ncells = m->width * m->height;
	if (m->ncells > m->nbuckets)
		m->ncells = m->nbuckets;
}

static void fill_ring(struct cache_map *m, const struct cache_set *set)
{
	const struct cache_journal *j = &set->journal;

	for (uint32_t i = 0; i < m->nring; i++)
		m->ring[i].bucket = set->sb.journal_bucket[i];
	if (set->loaded < CACHE_LOAD_JOURNAL)
		return;
	for (uint32_t i = 0; i < m->nring; i++) {
		m->ring[i].seq = j->bucket_seq[i];
		m->ring[i].unreadable = j->bucket_unreadable[i];
		m->ring[i].replayed = cache_journal_is_replayed(j, i);
	}
}

static bool same_geometry(const struct cache_sb *a, const struct cache_sb *b)
{
	return a->nbuckets == b->nbuckets && a->bucket_sectors == b->bucket_sectors;
}

int cache_map_new(const struct cache_set *set, const struct cache_set *old,
		  enum cache_map_order order, uint32_t width, uint32_t height,
		  struct cache_map **map, struct cache_err *err)
{
	struct cache_map *m;

	*map = NULL;
	if (!set->sb.nbuckets || !width || !height ||
	    (uint64_t)width * height > CACHE_MAP_CELLS_MAX)
		return cache_err_set(err, -EINVAL, 0, "nothing to draw");
	if (old && !same_geometry(&set->sb, &old->sb))
		return cache_err_set(err, -EINVAL, 0, "not an image of the same device: it has %llu "
				     "buckets of %llu sectors", (unsigned long long)old->sb.nbuckets,
				     (unsigned long long)old->sb.bucket_sectors);
	m = calloc(1, sizeof(*m));
	if (!m)
		return cache_err_set(err, -ENOMEM, 0, "no memory");
	m->order = order;
	m->nbuckets = set->sb.nbuckets;
	m->bucket_sectors = set->sb.bucket_sectors;
	m->compared = old != NULL;
	m->prio.step = (UINT16_MAX + 1) / CACHE_MAP_BARS / 2;	/* none is above 32768 */
	m->gen.step = 256 / CACHE_MAP_BARS;
	m->lag.step = 2;
	choose_size(m, width, height);
	m->nring = set->sb.njournal < CACHE_SB_JOURNAL_BUCKETS ? set->sb.njournal :
								 CACHE_SB_JOURNAL_BUCKETS;
	m->cell = calloc((size_t)m->width * m->height, sizeof(*m->cell));
	m->ring = calloc(m->nring + 1, sizeof(*m->ring));
	if (!m->cell || !m->ring) {
		cache_map_free(m);
		return cache_err_set(err, -ENOMEM, 0, "no memory");
	}
	fill_cells(m, set, old);
	fill_ring(m, set);
	*map = m;
	return 0;
}

void cache_map_free(struct cache_map *map)
{
	if (!map)
		return;
	free(map->cell);
	free(map->ring);
	free(map->backing);
	free(map);
}

/* Hilbert's curve: from its distance to a place in a square whose side is a power of two. */
static void hilbert(uint32_t side, uint32_t d, uint32_t *x, uint32_t *y)
{
	uint32_t rx, ry, t;

	*x = *y = 0;
	for (uint32_t s = 1; s < side; s *= 2, d /= 4) {
		rx = 1 & (d / 2);
		ry = 1 & (d ^ rx);
		if (!ry) {
			if (rx) {
				*x = s - 1 - *x;
				*y = s - 1 - *y;
			}
			t = *x;
			*x = *y;
			*y = t;
		}
		*x += s * rx;
		*y += s * ry;
	}
}

void cache_map_place(const struct cache_map *map, uint32_t i, uint32_t *x, uint32_t *y)
{
	if (map->order == CACHE_MAP_HILBERT) {
		hilbert(map->width, i, x, y);
		return;
	}
	*x = i % map->width;
	*y = i / map->width;
}
