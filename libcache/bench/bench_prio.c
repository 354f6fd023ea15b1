// SPDX-License-Identifier: GPL-2.0-only
/* The cost of a prio write, without a cache set to write it to. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench_impl.h"
#include "base/checked.h"
#include "base/crc64.h"
#include "format/ondisk.h"
#include "format/super.h"
#include "base/types.h"

#define PAIR_BYTES	3
#define CRC64_POLY	0x42f0e1eba9ea3693ull

int cache_bench_prio_init(struct cache_bench_prio *w, const struct cache_bench_opts *o)
{
	struct cache_sb sb = { .bucket_sectors = o->bucket_sectors };

	memset(w, 0, sizeof(*w));
	w->o = o;
	w->crc = cache_crc64;
	w->area_bytes = cache_meta_bucket_bytes(&sb);
	if (w->area_bytes <= CACHE_PRIO_SET_HEADER_BYTES)
		return -EINVAL;
	w->per_set = (w->area_bytes - CACHE_PRIO_SET_HEADER_BYTES) / PAIR_BYTES;
	w->sets = cache_div_up(o->nbuckets, w->per_set);
	w->buf = aligned_alloc(CACHE_PAGE_BYTES, w->area_bytes);
	if (!w->buf)
		return -ENOMEM;
	memset(w->buf, 0, w->area_bytes);
	return 0;
}

void cache_bench_prio_fini(struct cache_bench_prio *w)
{
	free(w->buf);
}

static int write_set(struct cache_bench_prio *w, uint64_t i)
{
	ssize_t n = pwrite(w->o->commit_fd, w->buf, w->area_bytes, i * w->area_bytes);

	if (n < 0)
		return -errno;
	return n == (ssize_t)w->area_bytes ? 0 : -EIO;
}

/* Last to first, as the chain requires; two generations side by side. */
int cache_bench_prio_write(struct cache_bench_prio *w)
{
	struct cache_prio_set_disk *set = (struct cache_prio_set_disk *)w->buf;

	if (w->o->commit == CACHE_BENCH_COMMIT_NONE)
		return 0;
	set->seq = cache_le64_of(++w->seq);
	for (uint64_t i = w->sets; i--;) {
		uint64_t first = i * w->per_set;
		size_t n = cache_min_u64(w->per_set, w->o->nbuckets - first);
		int ret = 0;

		w->fill(w->owner, first, n, w->buf + CACHE_PRIO_SET_HEADER_BYTES);
		set->csum = cache_le64_of(w->crc(w->buf + 8, w->area_bytes - 8));
		if (w->o->commit == CACHE_BENCH_COMMIT_FILE)
			ret = write_set(w, i + (w->seq & 1) * w->sets);
		if (ret)
			return ret;
		w->bytes += w->area_bytes;
	}
	w->writes++;
	return 0;
}

uint64_t cache_bench_crc64_bytewise(const void *data, size_t nbytes)
{
	const uint8_t *p = data;
	uint64_t table[256], crc = ~0ull;

	for (unsigned int i = 0; i < 256; i++) {
		table[i] = (uint64_t)i << 56;
		for (int k = 0; k < 8; k++)
			table[i] = table[i] << 1 ^ (table[i] >> 63 ? CRC64_POLY : 0);
	}
	while (nbytes--)
		crc = crc << 8 ^ table[crc >> 56 ^ *p++];
	return ~crc;
}
