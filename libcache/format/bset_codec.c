// SPDX-License-Identifier: GPL-2.0-only
/* The checksum of a set: since version 1 it proves to which node the set belongs (format 6.2). */
#include "format/bset_codec.h"

#include "base/crc64.h"
#include "format/bkey.h"

uint64_t cache_bset_csum(const struct cache_bset_disk *d, uint64_t ptr0)
{
	const char *from = (const char *)d + 8;
	uint64_t nbytes = cache_bset_bytes(d) - 8;

	return cache_le32_get(d->version) ? cache_crc64_seeded(ptr0, from, nbytes)
					  : cache_crc64(from, nbytes);
}

int cache_bset_find_gen(const struct cache_bset_disk *d, const struct cache_sb *sb,
			uint64_t bucket, uint8_t first)
{
	uint64_t ptr0 = cache_ptr_make(sb->nr_this_dev, cache_bucket_sector(sb, bucket), 0);
	uint64_t without = cache_bset_csum(d, ptr0), flip[8];

	/* a checksum is linear: each bit of the gen flips the same bits of it */
	for (unsigned bit = 0; bit < 8; bit++)
		flip[bit] = cache_bset_csum(d, ptr0 | 1u << bit) ^ without;
	for (unsigned i = 0; i < 256; i++) {
		uint8_t gen = first + i;
		uint64_t csum = without;

		for (unsigned bit = 0; bit < 8; bit++)
			csum ^= gen >> bit & 1 ? flip[bit] : 0;
		if (cache_le64_get(d->csum) == csum)
			return gen;
	}
	return -1;
}
