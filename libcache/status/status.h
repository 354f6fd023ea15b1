/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the running cache sets of this machine do, as the driver shows it in sysfs. Any file may be
 * absent, and sets and devices come and go while they are read: what was not read is not known,
 * and what is gone altogether is left out. Nothing here writes.
 *
 * The driver shows most amounts in units of 1024 with one decimal, so that they are only as
 * exact as that.
 */
#ifndef LIBCACHE_STATUS_H
#define LIBCACHE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CACHE_STATUS_NAME_BYTES		64
#define CACHE_STATUS_SETS_MAX		1024	/* more on one machine are not read */
#define CACHE_STATUS_DEVICES_MAX	4096	/* of one kind in one set */

enum cache_status_value {
#define VALUE(scope, name, ...) CACHE_STATUS_##name,
#include "status/values.def"
#undef VALUE
	CACHE_STATUS_NVALUES
};

enum cache_status_scope {
	CACHE_STATUS_SET, CACHE_STATUS_CACHE, CACHE_STATUS_BACKING, CACHE_STATUS_WINDOW,
};

enum cache_status_unit {
	CACHE_STATUS_COUNT, CACHE_STATUS_BYTES, CACHE_STATUS_PERCENT, CACHE_STATUS_REAL,
};

/* A row of values.def. */
struct cache_status_def {
	const char *name, *file, *line;
	double scale;
	enum cache_status_scope scope;
	enum cache_status_unit unit;
	const char *type, *metric, *help;
};

const struct cache_status_def *cache_status_def(enum cache_status_value v);

/* Of one scope; what was not read is not known. */
struct cache_status_numbers {
	bool   known[CACHE_STATUS_NVALUES];
	double v[CACHE_STATUS_NVALUES];
};

enum cache_status_windows {
	CACHE_STATUS_FIVE_MINUTE, CACHE_STATUS_HOUR, CACHE_STATUS_DAY, CACHE_STATUS_TOTAL,
	CACHE_STATUS_NWINDOWS
};

/* "five_minute", "hour", "day", "total". */
const char *cache_status_window_name(enum cache_status_windows w);

/* A cache device, a backing device or a flash-only volume. Texts are empty where not known. */
struct cache_status_device {
	char name[CACHE_STATUS_NAME_BYTES];	/* in its set: "cache0", "bdev1", "volume2" */
	char device[CACHE_STATUS_NAME_BYTES];	/* "sdb1"; of a volume none */
	char bcache[CACHE_STATUS_NAME_BYTES];	/* "bcache0"; of a cache device none */
	char label[CACHE_STATUS_NAME_BYTES];
	char uuid[CACHE_STATUS_NAME_BYTES];
	char state[CACHE_STATUS_NAME_BYTES];	/* "no cache", "clean", "dirty", "inconsistent" */
	char cache_mode[CACHE_STATUS_NAME_BYTES];	/* the one in brackets */
	char policy[CACHE_STATUS_NAME_BYTES];	/* of replacement, of a cache device */
	char choices[CACHE_STATUS_NAME_BYTES];	/* of the mode or policy, as the driver lists them */
	uint64_t size_sectors;			/* of the disk; 0: not known */
	struct cache_status_numbers n;
	struct cache_status_numbers window[CACHE_STATUS_NWINDOWS];
};

struct cache_status_list {
	struct cache_status_device *d;
	size_t n, capacity;
};

struct cache_status_set {
	char uuid[CACHE_STATUS_NAME_BYTES];	/* empty: devices that no set has */
	struct cache_status_numbers n;
	struct cache_status_numbers window[CACHE_STATUS_NWINDOWS];
	struct cache_status_list caches, backing, volumes;
};

struct cache_status {
	struct cache_status_set *set;	/* sorted by uuid */
	size_t n, capacity;
	struct cache_status_set without;	/* its backing devices are attached to no set */
	uint64_t time_ns;		/* of the monotonic clock, when it was read */
};

/**
 * cache_status_read() - all sets, their devices, and backing devices without a set
 * @sysfs:	where sysfs is, or a copy of it; NULL: "/sys"
 * @priorities: read priority_stats too, for which the driver sorts all its buckets
 * @status:	receives it; cache_status_free() is the caller's, after a failure too
 *
 * Return: 0, also without any set; -ENODEV when the driver is not loaded; -EACCES and others
 * when its folder cannot be read; -ENOMEM.
 */
int cache_status_read(const char *sysfs, bool priorities, struct cache_status *status,
		      struct cache_err *err);
void cache_status_free(struct cache_status *status);

/* Takes set number @i out; those behind it move up. */
void cache_status_drop(struct cache_status *status, size_t i);

/**
 * cache_status_number() - a number as the driver writes it
 * @text:  "12", "-1.5k", "4.0M/sec", "67%": a number, perhaps a unit of 1024 each
 * @value: receives it when true is returned
 */
bool cache_status_number(const char *text, double *value);

/* Hits of all that did not bypass, in percent; false when there was nothing, or it is not known. */
bool cache_status_hit_ratio(const struct cache_status_numbers *window, double *percent);

/* All that is written to the cache devices of a set over the data of it; false: not known. Data
 * that garbage collection moves is data to the driver. */
bool cache_status_amplification(const struct cache_status_set *set, double *ratio);

enum cache_status_clean_when {
	CACHE_STATUS_CLEAN_NOW,		/* nothing is dirty */
	CACHE_STATUS_CLEAN_AT_RATE,	/* in so many seconds, at the present rate */
	CACHE_STATUS_CLEAN_NEVER,	/* writeback is stopped */
	CACHE_STATUS_CLEAN_UNKNOWN,
};

/* When a backing device is clean if nothing more is written; @seconds only with AT_RATE. */
enum cache_status_clean_when cache_status_clean_when(const struct cache_status_device *d,
						     double *seconds);

/**
 * cache_status_delta() - how much a number of a device or window grew
 * @from, @to: earlier and later
 *
 * Return: true with the growth in @delta; false when one of them is not known or a counter went
 * backwards (the set was started again, or the number was cleared).
 */
bool cache_status_delta(const struct cache_status_numbers *from,
			const struct cache_status_numbers *to, enum cache_status_value v,
			double *delta);

/* The same set, or the same device of it, in another reading; NULL when it is not there. */
const struct cache_status_set *cache_status_find(const struct cache_status *s, const char *uuid);
const struct cache_status_device *cache_status_find_device(const struct cache_status_list *l,
							   const char *name);

/**
 * cache_status_prometheus() - the text format that Prometheus reads
 * @prefix: of all names: "bcache", "node_bcache"
 *
 * Each metric has its HELP and TYPE once; labels are escaped and valid UTF-8.
 * Return: 0; -ENOMEM. A failed write is left to @out's error flag.
 */
int cache_status_prometheus(const struct cache_status *s, const char *prefix, FILE *out);

#ifdef __cplusplus
}
#endif
#endif
