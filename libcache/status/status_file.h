/* SPDX-License-Identifier: GPL-2.0-only */
/* The files of one folder of sysfs. */
#ifndef LIBCACHE_STATUS_FILE_H
#define LIBCACHE_STATUS_FILE_H

#include "status/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The numbers of @scope whose files can be read and have one; the others stay as they are. */
void cache_status_read_numbers(int folder, enum cache_status_scope scope, bool priorities,
			       struct cache_status_numbers *n);

/* Its folders stats_total, stats_day ... */
void cache_status_read_windows(int folder, struct cache_status_numbers *window);

/* Folder @name below @at. Return: false when there is none, or nothing in it is known. */
bool cache_status_read_device(int at, const char *name, enum cache_status_scope scope,
			      bool priorities, struct cache_status_device *d);

/* For qsort() of names: "bdev2" before "bdev10". */
int cache_status_by_name(const void *a, const void *b);
void cache_status_free_names(char **names, size_t n);

#ifdef __cplusplus
}
#endif
#endif
