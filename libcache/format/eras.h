/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Versions of the driver: the one table of what differs between them (doc/kernels.md, 2).
 *
 * An era is a span of kernel versions whose driver does the same in all that matters to
 * us; its name is the version by which people know it. Whatever foretells, allocates or advises
 * asks this table; no other code compares kernel versions.
 */
#ifndef LIBCACHE_ERAS_H
#define LIBCACHE_ERAS_H

#include <stdbool.h>
#include <stdint.h>

#include <libcache/findings.h>

#include "base/err.h"

/* The letters are those of doc/kernels.md, part 2. */
struct cache_driver {
	const char *name;
	bool examined;			/* its whole driver was; false: a part of it */
	bool forgives_front_gap;	/* A: with the discard bit, on a device that discards */
	bool discards;			/* B: sends discards if the bit is set */
	bool ring_waits_for_discard;	/* C: a ring bucket is free when its discard came back */
	bool wide_btree_reserve;	/* D: see cache_driver_btree_buckets() */
	bool invalidates_during_gc;	/* E: what was reclaimable when gc began */
	bool checks_prio_write;		/* G: and asks for gc where buckets are too few */
	bool fails_when_disabled;	/* H: an allocation of a set that was given up */
	bool several_caches;		/* I: sets of up to eight cache devices */
	unsigned npolicies;		/* replacement policies that it knows, by number from 0 on */
	unsigned gc_step_nodes;		/* K: a step of gc is this, or nodes / gc_step_divisor */
	unsigned gc_step_divisor;
	bool gc_small_steps;		/* K: never more than gc_step_nodes while searches run */
	unsigned gc_pause_ms;		/* K: between steps, while a request runs */
	unsigned gc_pause_wanted_ms;	/* K: while somebody waits for a bucket */
};

/* Those that were examined; what "all kernels" means. */
uint32_t cache_eras_all(void);
/* Of the mask @eras, those whose driver has @test. */
uint32_t cache_eras_which(uint32_t eras, bool (*test)(const struct cache_driver *d));
/* The name of the first era whose driver has @test; "?": none has. */
const char *cache_driver_since(bool (*test)(const struct cache_driver *d));
/* Tests for these: sets of one cache only; the discard bit means nothing. */
bool cache_driver_is_single(const struct cache_driver *d);
bool cache_driver_ignores_discard(const struct cache_driver *d);
/* All those that know no replacement policy of number @policy. */
uint32_t cache_eras_without_policy(unsigned policy);
/* The row of @era; one out of range gives the newest. */
const struct cache_driver *cache_driver_of(enum cache_era era);

#define CACHE_ERAS_TEXT_BYTES	64

/* "5.10, 6.1, 7.2": the names of the eras in mask @eras, for a message. Return: @buf. */
const char *cache_eras_text(uint32_t eras, char buf[CACHE_ERAS_TEXT_BYTES]);
/* The newest era of mask @eras; 0: of all. */
enum cache_era cache_eras_newest(uint32_t eras);

/*
 * Buckets that the driver asks for as its btree reserve, before the size of the queue is rounded
 * (behaviour 5.1). @njournal: the superblock's at registration, 0 at the very first start.
 */
uint32_t cache_driver_btree_buckets(const struct cache_driver *d, uint64_t nbuckets,
				    uint32_t njournal);

enum cache_certainty { CACHE_NO, CACHE_UNCERTAIN, CACHE_YES };

#define CACHE_RELEASE_NOTES	8

/* What is known of a kernel by the name of its release. */
struct cache_release {
	enum cache_era era;
	/* mask: @era, and those that it may be like, where it lies between two examined ones */
	uint32_t eras;
	bool newer;			/* than all that were examined */
	/*
	 * F: a set that is given up before its root is read makes the kernel oops, where others
	 * only disable the set.
	 */
	enum cache_certainty oopses;
	const char *note[CACHE_RELEASE_NOTES];	/* what is not certain; static life, NULL ends */
};

/**
 * cache_driver_of_release() - the era of a kernel
 * @release: as uname -r has it ("6.1.0-56-amd64"), or a version ("6.12", "7.3.4", "6.16-rc2")
 *
 * A distribution's "6.1.0-56" does not say which stable release it is; what differs
 * within these is then not certain. A kernel newer than the table counts as the newest.
 *
 * Return: 0; -EINVAL for a string of no known form; -ERANGE for a kernel that had no
 * bcache yet. Both say so in @err.
 */
int cache_driver_of_release(const char *release, struct cache_release *r,
			    struct cache_err *err);

/* The kernels that oops (F above), as people write versions; for a message. */
const char *cache_driver_oops_versions(void);

#endif
