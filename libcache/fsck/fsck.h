/* SPDX-License-Identifier: GPL-2.0-only */
/* Of the check what only the library needs; the check itself: fsck.h of the public headers. */
#ifndef LIBCACHE_FSCK_FSCK_H
#define LIBCACHE_FSCK_FSCK_H

#include <libcache/fsck.h>

#include "format/problem.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The one of two verdicts that a start would meet first: what turns the device
 * away comes before what panics later. DAMAGE counts as STARTS.
 */
enum cache_verdict cache_verdict_first(enum cache_verdict a, enum cache_verdict b);

#ifdef __cplusplus
}
#endif
#endif
