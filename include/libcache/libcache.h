/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libcache: read, check, repair and format the devices of bcache, Linux's block cache.
 * Each header says what may be called from which thread; manual page: libcache(3).
 *
 * Nothing is printed, no process ended, no environment read and no signal handled. There is
 * no state but what the caller holds.
 *
 * In comments "format 1.6" is section 1.6 of doc/format.md and "behaviour 3.2" section 3.2 of
 * doc/behaviour.md, which are installed with the documents of cache-tools; S1 to S19 and D1 to
 * D17 are the invariants of behaviour 10.
 */
#ifndef LIBCACHE_LIBCACHE_H
#define LIBCACHE_LIBCACHE_H

#include <libcache/backup.h>
#include <libcache/device.h>
#include <libcache/error.h>
#include <libcache/findings.h>
#include <libcache/format.h>
#include <libcache/fsck.h>
#include <libcache/repair.h>
#include <libcache/set.h>
#include <libcache/superblock.h>
#include <libcache/version.h>

#endif
