/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Versions of the driver: the one table of what differs between them (doc/kernels.md, 2).
 *
 * An era is a span of kernel versions whose driver behaves the same in everything that we
 * simulate; its name is a well-known version of the span. Code that predicts, allocates or
 * advises uses this table; no other code compares kernel versions.
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
	bool examined;			/* the whole driver was examined; false: a part of it */
	/* A: accepts a gap at the front, with the discard bit and a device that discards */
	bool accepts_front_gap;
	bool discards;			/* B: sends discards if the bit is set */
	/* C: a ring bucket is free only when its discard is complete */
	bool ring_waits_for_discard;
	bool wide_btree_reserve;	/* D: see cache_driver_btree_buckets() */
	bool invalidates_during_gc;	/* E: buckets that were reclaimable when gc began */
	bool checks_prio_write;		/* G: and starts gc if there are too few buckets */
	bool fails_when_disabled;	/* H: fails an allocation of a set that was disabled */
	bool several_caches;		/* I: sets of up to eight cache devices */
	unsigned npolicies;		/* replacement policies that it knows, by number from 0 on */
	/* K: nodes in one step of gc; or nodes / gc_step_divisor */
	unsigned gc_step_nodes;
	unsigned gc_step_divisor;
	bool gc_small_steps;		/* K: never more than gc_step_nodes while searches run */
	unsigned gc_pause_ms;		/* K: between steps, while a request runs */
	unsigned gc_pause_wanted_ms;	/* K: the same while a thread waits for a bucket */
};

/* The eras that were examined; "all kernels" means these. */
uint32_t cache_eras_all(void);
/* The subset of the mask @eras whose driver has @test. */
uint32_t cache_eras_which(uint32_t eras, bool (*test)(const struct cache_driver *d));
/* The name of the first era whose driver has @test; "?": none has. */
const char *cache_driver_since(bool (*test)(const struct cache_driver *d));
/* Tests for these: only sets of one cache device; the discard bit has no effect. */
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

/* What is known of a kernel from the name of its release. */
struct cache_release {
	enum cache_era era;
	/* mask: @era, and the eras that it may behave like, if it is between two examined ones */
	uint32_t eras;
	bool newer;			/* newer than all that were examined */
	/*
	 * F: the kernel oopses when a set is disabled before its root is read; others only
	 * disable the set.
	 */
	enum cache_certainty oopses;
	/* what is uncertain; static strings, NULL at the end */
	const char *note[CACHE_RELEASE_NOTES];
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

/* The kernels that oops (F above), as version ranges for a message. */
const char *cache_driver_oops_versions(void);

#endif
