// SPDX-License-Identifier: GPL-2.0-only
/* A set's checksum: since version 1 it proves where the set belongs (format 6.2). */
#include "format/bset_codec.h"

#include "base/crc64.h"

uint64_t cache_bset_csum(const struct cache_bset_disk *d, uint64_t ptr0)
{
	const char *from = (const char *)d + 8;
	uint64_t nbytes = cache_bset_bytes(d) - 8;

	return cache_le32_get(d->version) ? cache_crc64_seeded(ptr0, from, nbytes)
					  : cache_crc64(from, nbytes);
}
