/* SPDX-License-Identifier: GPL-2.0-only */
/* A wrapper that makes the n-th transfer go wrong, for tests. */
#ifndef LIBCACHE_DEV_FAULT_H
#define LIBCACHE_DEV_FAULT_H

#include "dev/dev.h"

#ifdef __cplusplus
extern "C" {
#endif

enum cache_fault_kind {
	CACHE_FAULT_READ	= 1 << 0,
	CACHE_FAULT_WRITE	= 1 << 1,
	CACHE_FAULT_FLUSH	= 1 << 2,
};

enum cache_fault_effect {
	CACHE_FAULT_FAIL,	/* @error, and nothing is transferred */
	CACHE_FAULT_GONE,	/* @error, for this one and all that follow */
	CACHE_FAULT_FLIP,	/* a read succeeds with one bit changed */
	CACHE_FAULT_SHORT,	/* @error after the first half was transferred */
};

struct cache_fault {
	unsigned kinds;		/* of enum cache_fault_kind: which are counted */
	uint64_t at;		/* the n-th of them, from 1; 0: none */
	enum cache_fault_effect effect;
	int error;		/* negative errno */
	uint64_t seen;		/* counted so far */
};

/* Owns @under from now on, also after an error; @fault stays owned by the caller. */
int cache_dev_fault_new(struct cache_dev *under, struct cache_fault *fault,
			struct cache_dev **dev, struct cache_err *err);

#ifdef __cplusplus
}
#endif
#endif
