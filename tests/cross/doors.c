// SPDX-License-Identifier: GPL-2.0-only
/*
 * In place of liburing and libuuid, which are not there for another machine: reads one
 * by one, and what repair and restore ask of a uuid.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dev/dev_ops.h"
#include "host/ids.h"

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

const char *cache_uuid_format(const uint8_t uuid[CACHE_UUID_BYTES],
			      char text[CACHE_UUID_TEXT_BYTES])
{
	char *p = text;

	for (unsigned i = 0; i < CACHE_UUID_BYTES; i++)
		p += sprintf(p, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			     uuid[i]);
	return text;
}
