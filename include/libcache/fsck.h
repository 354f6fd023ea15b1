/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Checking cache sets without writing: every rule of the format, every invariant S1 to S19
 * (behaviour 10), and what a kernel would do with the set at its next start (behaviour 7).
 *
 * Threads: a check uses its devices; checks of different devices may run at the same time.
 * Callbacks are called by the calling thread, however many threads a check uses; signals are
 * blocked in the others, which have ended when the call returns.
 */
#ifndef LIBCACHE_FSCK_H
#define LIBCACHE_FSCK_H

#include <stdbool.h>
#include <stdint.h>

#include <libcache/device.h>
#include <libcache/findings.h>

CACHE_DECLS_BEGIN

/* Named as in the JSON output. Extents are live leaf extents, with the journal replayed. */
#define CACHE_FSCK_NUMBERS(X) \
	X(nbuckets) X(btree_levels) X(btree_nodes) X(extents) X(cached_sectors) \
	X(dirty_extents) X(dirty_sectors) X(journal_seq) X(journal_last_seq) \
	X(journal_entries) X(journal_keys) X(metadata_buckets) X(dirty_buckets) \
	X(clean_buckets) X(free_buckets) X(stale_keys) X(read_bytes)

struct cache_fsck_summary {
#define X(name) uint64_t name;
	CACHE_FSCK_NUMBERS(X)
#undef X
};

/* Where the time of a check went, in nanoseconds of all its threads together. */
struct cache_fsck_times {
	uint64_t read_ns;	/* reading nodes */
	uint64_t checksum_ns, merge_ns;
	uint64_t mark_ns;	/* gens and marks of the buckets, as the driver learns them */
	uint64_t extents_ns;	/* whether extents are in order, and whether they overlap */
	/*
	 * An estimate of the driver's next start on this machine: it reads one node at a time, as
	 * fast as some were read that way. The second part is that of checksums, which newer
	 * kernels compute faster.
	 */
	uint64_t start_ns, start_checksum_ns;
};

/* The result for one device. */
struct cache_fsck_result {
	int ret;			/* 0, or the error that ended its check */
	struct cache_err err;
	bool is_backing;
	unsigned count[3];		/* findings, by enum cache_severity */
	/*
	 * What a kernel would do. Never DAMAGE: the next field says whether it may return wrong
	 * blocks after a start without a message.
	 */
	enum cache_verdict kernel;	/* the worst of the drivers asked for */
	bool damage;
	/* by enum cache_era; STARTS for one that was not asked for */
	enum cache_verdict kernels[16];
	/* the set is disabled before its root is read; some kernels oops then */
	bool before_root;
	bool has_summary;		/* a cache device whose tree could be walked */
	struct cache_fsck_summary summary;
	struct cache_fsck_times times;	/* if asked for, where has_summary; else 0 */
	uint64_t reserved[9];
};

static inline bool cache_fsck_is_clean(const struct cache_fsck_result *r)
{
	return !r->ret && !r->count[CACHE_SEVERITY_WARN] && !r->count[CACHE_SEVERITY_CORRUPT];
}

struct cache_fsck {
	size_t size;
	struct cache_dev *const *devs;	/* cache and backing devices, in any order */
	unsigned ndevs;
	struct cache_fsck_result *results;	/* ndevs of them; overwritten */
	uint32_t eras;			/* drivers to check for, a mask; 0: all but the oldest */
	/* May be NULL. Called for each finding; @dev is an index of devs. */
	void (*report)(void *ctx, unsigned dev, const struct cache_finding *f);
	/* May be NULL; a non-zero return asks to stop. See struct cache_sink. */
	int (*progress)(void *ctx, unsigned dev, unsigned pass, uint64_t current,
			uint64_t max);
	void *ctx;
	/*
	 * How many threads verify and merge the nodes of a tree, the calling one included; at
	 * most 65. 0 and 1: only the calling one. Findings and their order do not depend on it.
	 */
	unsigned threads;
	bool timed;	/* fill the times of each result; nothing else changes */
};

/**
 * cache_fsck_run() - check all devices, backing devices together with their cache
 *
 * The devices stay open and are owned by the caller. An error of one device is in its result
 * and does not stop the check of the others.
 *
 * Memory: 3 bytes per bucket of the current cache device, one bit per bucket while its tree is
 * walked and one where a prio_set is lost; 8 bytes per live extent, or one bit per 4 KiB of the
 * cache where the former would be more than a quarter of that; 40 bytes per key of the journal
 * that is to be replayed (28 to hold it, 12 at most to sort it or to simulate the replay); and
 * some 50 MiB for nodes, more where one node is larger than 1 MiB. `tests/size/run` measures it.
 * Return: 0 whatever was found; -ECANCELED; -ENOMEM; -EINVAL for a wrong size.
 */
int cache_fsck_run(const struct cache_fsck *f);

CACHE_DECLS_END
#endif
