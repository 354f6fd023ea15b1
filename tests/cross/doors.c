// SPDX-License-Identifier: GPL-2.0-only
/*
 * In place of liburing and libuuid, which are not there for another machine: reads one
 * by one, and the one question about a uuid that a repair asks.
 */
#include <errno.h>
#include <string.h>

#include "dev_ops.h"
#include "libcache/ids.h"

int cache_uring_read_many(struct cache_uring **ring, int fd, struct cache_dev_req *reqs,
			  unsigned n)
{
	return -ENOSYS;
}

void cache_uring_free(struct cache_uring *ring)
{
}

bool cache_uuid_is_zero(const uint8_t uuid[CACHE_UUID_BYTES])
{
	static const uint8_t zero[CACHE_UUID_BYTES];

	return !memcmp(uuid, zero, sizeof(zero));
}
