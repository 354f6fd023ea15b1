/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the files of the formatter. */
#ifndef LIBCACHE_MKCACHE_IMPL_H
#define LIBCACHE_MKCACHE_IMPL_H

#include <libcache/format.h>

#include "dev/dev.h"
#include "format/super.h"

/* A line for the caller, about @d or, with NULL, about all of it. */
void cache_mkcache_note(const struct cache_mkcache *m, bool warning,
			const struct cache_mkcache_dev *d, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* What a kernel will refuse: returns @code, or 0 with a warning if make-bcache accepts it. */
int cache_mkcache_refuse(const struct cache_mkcache *m, const struct cache_mkcache_dev *d,
			 struct cache_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* The options of a caller for its device @i. Return: 0; -EINVAL. */
int cache_mkcache_read(const struct cache_mkcache *given, unsigned i, struct cache_mkcache *m,
		       struct cache_err *err);

/* How many of the devices are cache devices. */
unsigned cache_mkcache_count(const struct cache_mkcache *m);

#define refuse(...)		cache_mkcache_refuse(__VA_ARGS__)
#define count_caches(m)		cache_mkcache_count(m)

/* Checks and chooses everything that concerns more than one device, and all sizes. */
int cache_mkcache_choose(struct cache_mkcache *m, struct cache_err *err);

/* Whether @d->sb has as many buckets as the kernel needs. */
int cache_mkcache_check_nbuckets(const struct cache_mkcache *m,
				 const struct cache_mkcache_dev *d, struct cache_err *err);

/*
 * All but the last step of a format: no superblock, signature or journal entry of old is left,
 * durably. Return: as cache_mkcache_write().
 */
int cache_mkcache_erase(const struct cache_mkcache *m, const struct cache_mkcache_dev *d,
			struct cache_err *err);

/* The last step: @d->sb, durably. */
int cache_mkcache_write_super(const struct cache_mkcache_dev *d, struct cache_err *err);

#endif
