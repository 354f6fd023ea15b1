// SPDX-License-Identifier: GPL-2.0-only
#include "format/eras.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

static const struct cache_driver drivers[CACHE_ERAS] = {
	[CACHE_ERA_4_15] = {
		.name = "4.15", .npolicies = 3,
		.accepts_front_gap = true, .discards = true,
		.ring_waits_for_discard = true, .several_caches = true,
		.gc_step_nodes = 100, .gc_step_divisor = 100, .gc_pause_ms = 100,
		.gc_pause_wanted_ms = 100,
	},
	[CACHE_ERA_5_10] = {
		.name = "5.10", .npolicies = 3,
		.examined = true, .accepts_front_gap = true, .discards = true,
		.ring_waits_for_discard = true, .checks_prio_write = true,
		.fails_when_disabled = true,
		.gc_step_nodes = 100, .gc_step_divisor = 100, .gc_pause_ms = 100,
		.gc_pause_wanted_ms = 100,
	},
	[CACHE_ERA_6_1] = {
		.name = "6.1", .npolicies = 3,
		.examined = true, .accepts_front_gap = true, .discards = true,
		.ring_waits_for_discard = true, .checks_prio_write = true,
		.fails_when_disabled = true,
		.gc_step_nodes = 100, .gc_step_divisor = 100, .gc_pause_ms = 100,
		.gc_pause_wanted_ms = 100,
	},
	[CACHE_ERA_6_12] = {
		.name = "6.12", .npolicies = 3,
		.examined = true, .accepts_front_gap = true, .discards = true,
		.ring_waits_for_discard = true, .checks_prio_write = true,
		.fails_when_disabled = true, .invalidates_during_gc = true,
		.gc_step_nodes = 100, .gc_step_divisor = 100, .gc_pause_ms = 100,
		.gc_pause_wanted_ms = 100,
	},
	[CACHE_ERA_6_18] = {
		.name = "6.18", .npolicies = 3,
		.examined = true, .accepts_front_gap = true, .discards = true,
		.ring_waits_for_discard = true, .checks_prio_write = true,
		.fails_when_disabled = true, .invalidates_during_gc = true,
		.wide_btree_reserve = true,
		.gc_step_nodes = 100, .gc_step_divisor = 100, .gc_pause_ms = 100,
		.gc_pause_wanted_ms = 100,
	},
	[CACHE_ERA_7_2] = {
		.name = "7.2", .npolicies = 3,
		.examined = true, .checks_prio_write = true,
		.fails_when_disabled = true, .invalidates_during_gc = true,
		.wide_btree_reserve = true,
		.gc_step_nodes = 10, .gc_step_divisor = 128, .gc_small_steps = true,
		.gc_pause_ms = 100,
		.gc_pause_wanted_ms = 10,
	},
};

#define VERSION(major, minor, patch)	\
	((uint64_t)(major) << 32 | (uint64_t)(minor) << 16 | (uint64_t)(patch))
#define ANY	0xffffu			/* as the last patch, or minor version: any */

/* Both ends included. */
struct span {
	uint64_t first, last;
};

#define SERIES(a, b, c, d)	{ VERSION(a, b, 0), VERSION(c, d, ANY) }

/* Where each era begins, in the order of enum cache_era. */
static const uint64_t begins[CACHE_ERAS] = {
	VERSION(3, 10, 0), VERSION(5, 10, 0), VERSION(6, 1, 0), VERSION(6, 12, 0),
	VERSION(6, 16, 0), VERSION(7, 2, 0),
};

/* The newest series of which any version was examined. */
static const uint64_t newest_examined = VERSION(7, 3, ANY);

/* Versions that were not examined and may behave like the next era too. */
static const struct span between[] = {
	SERIES(6, 13, 6, 15), SERIES(6, 19, 7, 1),
};

/* F; the fix of some stable branches left a second hole for a while. */
static const struct span oops[] = {
	{ VERSION(5, 10, 191), VERSION(5, 10, ANY) },
	{ VERSION(6, 1, 52), VERSION(6, 1, 122) },
	{ VERSION(6, 12, 0), VERSION(6, 12, 4) },
};
static const struct span oops_unknown[] = {
	SERIES(3, 10, 5, 9), SERIES(5, 11, 6, 0), SERIES(6, 2, 6, 11),
	{ VERSION(6, 1, 123), VERSION(6, 1, 146) },
	{ VERSION(6, 12, 5), VERSION(6, 12, 36) },
};

/* What is uncertain about the versions of a span. */
static const struct {
	struct span span;
	const char *text;
} notes[] = {
	{ SERIES(3, 10, 5, 9), "only a part of the driver before 5.10 was examined" },
	{ { VERSION(5, 10, 0), VERSION(5, 10, 126) },
	  "before 5.10.127 the journal keeps no ring bucket back, so more sets may hang" },
	{ { VERSION(5, 10, 0), VERSION(5, 10, 12) },
	  "before 5.10.13 not every unknown feature bit is refused" },
	{ SERIES(5, 11, 6, 0), "5.11 to 6.0 were not examined and count as 5.10" },
	{ SERIES(6, 2, 6, 11), "6.2 to 6.11 were not examined and count as 6.1; since 6.10 "
	  "buckets may be invalidated while gc runs" },
	{ { VERSION(6, 12, 0), VERSION(6, 12, 116) },
	  "whether buckets are invalidated while gc runs is known from 6.12.117 on" },
	{ SERIES(6, 13, 6, 15), "6.13 to 6.15 were not examined and may be like 6.12 or 6.18" },
	{ SERIES(6, 16, 6, 18), "of 6.16 to 6.18 not the whole driver was examined" },
	{ SERIES(6, 19, 7, 1), "6.19 to 7.1 were not examined and may be like 6.18 or 7.2" },
	{ { VERSION(7, 4, 0), UINT64_MAX },
	  "newer than every kernel that was examined; counts as 7.2" },
};

const char *cache_driver_oops_versions(void)
{
	return "5.10.191 and later 5.10, 6.1.52 to 6.1.122, 6.12 to 6.12.4";
}

const struct cache_driver *cache_driver_of(enum cache_era era)
{
	return &drivers[(unsigned)era < CACHE_ERAS ? era : CACHE_ERAS - 1];
}

uint32_t cache_eras_which(uint32_t eras, bool (*test)(const struct cache_driver *d))
{
	uint32_t mask = 0;

	for (unsigned i = 0; i < CACHE_ERAS; i++)
		if (eras >> i & 1 && test(&drivers[i]))
			mask |= UINT32_C(1) << i;
	return mask;
}

uint32_t cache_eras_without_policy(unsigned policy)
{
	uint32_t mask = 0;

	for (unsigned i = 0; i < CACHE_ERAS; i++)
		if (policy >= drivers[i].npolicies)
			mask |= UINT32_C(1) << i;
	return mask;
}

const char *cache_driver_since(bool (*test)(const struct cache_driver *d))
{
	for (unsigned i = 0; i < CACHE_ERAS; i++)
		if (test(&drivers[i]))
			return drivers[i].name;
	return "?";
}

bool cache_driver_is_single(const struct cache_driver *d)
{
	return !d->several_caches;
}

bool cache_driver_ignores_discard(const struct cache_driver *d)
{
	return !d->discards && !d->accepts_front_gap;
}

static bool is_examined(const struct cache_driver *d)
{
	return d->examined;
}

uint32_t cache_eras_all(void)
{
	return cache_eras_which(UINT32_MAX, is_examined);
}

const char *cache_eras_text(uint32_t eras, char buf[CACHE_ERAS_TEXT_BYTES])
{
	size_t n = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < CACHE_ERAS; i++)
		if (eras >> i & 1)
			n += snprintf(buf + n, CACHE_ERAS_TEXT_BYTES - n, "%s%s", n ? ", " : "",
				      drivers[i].name);
	return buf;
}

enum cache_era cache_eras_newest(uint32_t eras)
{
	unsigned newest = 0;

	for (unsigned i = 0; i < CACHE_ERAS; i++)
		if (!eras || eras >> i & 1)
			newest = i;
	return newest;
}

uint32_t cache_driver_btree_buckets(const struct cache_driver *d, uint64_t nbuckets,
				    uint32_t njournal)
{
	if (d->wide_btree_reserve)
		return cache_max_u64(32, cache_min_u64(nbuckets / 128, 256));
	return njournal ? njournal : 8;
}

/* Digits at *@p; moves it behind them. */
static bool number(const char **p, unsigned *n)
{
	const char *start = *p;

	for (*n = 0; isdigit((unsigned char)**p); ++*p) {
		*n = 10 * *n + (**p - '0');
		if (*n >= ANY)
			return false;
	}
	return *p != start;
}

/*
 * The versions that @release may be: one; or a whole series, if only that is given, or if a
 * distribution counts its own builds after a patch level of 0.
 */
static bool parse(const char *release, struct span *v)
{
	const char *p = release;
	unsigned major, minor, patch = 0;
	bool exact = false;

	if (!number(&p, &major) || *p++ != '.' || !number(&p, &minor))
		return false;
	if (*p == '.') {
		p++;
		if (!number(&p, &patch))
			return false;
		exact = patch || !*p;
	}
	if (*p && !strchr("-+~_.", *p))
		return false;
	exact |= !strncmp(p, "-rc", 3);
	if (strspn(release, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-+~_") !=
	    strlen(release))
		return false;
	v->first = VERSION(major, minor, patch);
	v->last = VERSION(major, minor, exact ? patch : ANY);
	return true;
}

static bool meets(const struct span *a, const struct span *b)
{
	return a->first <= b->last && b->first <= a->last;
}

static bool holds(const struct span *a, const struct span *part)
{
	return a->first <= part->first && part->last <= a->last;
}

static enum cache_certainty does_oops(const struct span *v)
{
	enum cache_certainty c = CACHE_NO;

	for (unsigned i = 0; i < sizeof(oops) / sizeof(*oops); i++) {
		if (holds(&oops[i], v))
			return CACHE_YES;
		if (meets(&oops[i], v))
			c = CACHE_UNCERTAIN;
	}
	for (unsigned i = 0; i < sizeof(oops_unknown) / sizeof(*oops_unknown); i++)
		if (meets(&oops_unknown[i], v))
			c = CACHE_UNCERTAIN;
	return c;
}

static void find_era(const struct span *v, struct cache_release *r)
{
	for (unsigned i = 0; i < CACHE_ERAS; i++)
		if (v->first >= begins[i])
			r->era = i;
	r->eras = UINT32_C(1) << r->era;
	for (unsigned i = 0; i < sizeof(between) / sizeof(*between); i++)
		if (meets(&between[i], v))
			r->eras |= UINT32_C(2) << r->era;
	r->newer = v->first > newest_examined;
	r->oopses = does_oops(v);
}

int cache_driver_of_release(const char *release, struct cache_release *r,
			    struct cache_err *err)
{
	unsigned n = 0;
	struct span v;

	memset(r, 0, sizeof(*r));
	if (!parse(release, &v))
		return cache_err_set(err, -EINVAL, 0,
				     "kernel is \"%s\", expected a version such as 6.1 or "
				     "what uname -r prints", release);
	if (v.first < begins[0])
		return cache_err_set(err, -ERANGE, 0,
				     "kernel is %s, bcache came with 3.10", release);
	find_era(&v, r);
	for (unsigned i = 0; i < sizeof(notes) / sizeof(*notes); i++)
		if (meets(&notes[i].span, &v) && n < CACHE_RELEASE_NOTES - 1)
			r->note[n++] = notes[i].text;
	return 0;
}
