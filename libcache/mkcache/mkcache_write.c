// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writing a format, so that a power cut leaves a device without bcache and never half a cache:
 * first the old superblock is erased, then everything that could become valid again under the
 * new one, then the new one is written; each step is durable before the next.
 */
#include "mkcache/mkcache_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "host/probe.h"
#include "mkcache/mkcache_impl.h"

#define CHUNK_SECTORS	2048u	/* of one read while looking for old entries */
#define WIPE_ROUNDS	8	/* erasing one signature may uncover another */
#define SB_END_SECTOR	(CACHE_SB_SECTOR + CACHE_SB_BYTES / CACHE_SECTOR_BYTES)

static bool is_zero(const char *p, size_t n)
{
	return !n || (!p[0] && !memcmp(p, p + 1, n - 1));
}

/* Writes zeros where there are none yet, so that a sparse file stays sparse. */
static int zero(struct cache_dev *dev, uint64_t sector, uint64_t nsectors,
		struct cache_err *err)
{
	size_t nbytes = nsectors * CACHE_SECTOR_BYTES;
	char *buf = cache_dev_buf(nbytes);
	int ret;

	if (!buf)
		return cache_err_set(err, -ENOMEM, 0, "no memory for zeros");
	ret = cache_dev_read(dev, sector, nsectors, buf, err);
	if (!ret && !is_zero(buf, nbytes)) {
		memset(buf, 0, nbytes);
		ret = cache_dev_write(dev, sector, nsectors, buf, err);
	}
	free(buf);
	return ret;
}

static int zero_first_blocks(struct cache_dev *dev, const struct cache_sb *sb,
			     uint64_t njournal, struct cache_err *err)
{
	int ret = 0;

	for (uint64_t i = 0; i < njournal && !ret; i++)
		ret = zero(dev, cache_bucket_sector(sb, sb->first_bucket + i),
			   sb->block_sectors, err);
	return ret;
}

/* Sectors in [@sector, @sector + @n) that start a journal entry with @magic. */
static int scrub_chunk(struct cache_dev *dev, uint64_t sector, uint64_t n, uint64_t magic,
		       char *buf, struct cache_err *err)
{
	int ret = cache_dev_read(dev, sector, n, buf, err);

	for (uint64_t i = 0; i < n && !ret; i++) {
		const struct cache_jset_disk *j =
			(const void *)(buf + i * CACHE_SECTOR_BYTES);

		if (cache_le64_get(j->magic) == magic)
			ret = zero(dev, sector + i, 1, err);
	}
	return ret;
}

static int scrub(const struct cache_mkcache *m, struct cache_dev *dev, const struct cache_sb *sb,
		 struct cache_err *err)
{
	uint64_t magic = CACHE_JSET_MAGIC ^ cache_sb_set_magic(sb);
	uint64_t sector = cache_bucket_sector(sb, sb->first_bucket);
	uint64_t total = cache_bucket_sector(sb, cache_njournal_for(sb->nbuckets)), done = 0;
	char *buf = cache_dev_buf(CHUNK_SECTORS * CACHE_SECTOR_BYTES);
	int ret = 0;

	if (!buf)
		return cache_err_set(err, -ENOMEM, 0, "no memory to look for old entries");
	while (done < total && !ret) {
		uint64_t n = cache_min_u64(CHUNK_SECTORS, total - done);

		if (m->progress && m->progress(m->ctx, CACHE_MKCACHE_PASS_WIPE, done, total))
			ret = cache_err_set(err, -ECANCELED, 0, "cancelled: it is no bcache device now");
		else
			ret = scrub_chunk(dev, sector + done, n, magic, buf, err);
		done += n;
	}
	free(buf);
	return ret;
}

static int wipe_rings(const struct cache_mkcache *m, const struct cache_mkcache_dev *d,
		      struct cache_err *err)
{
	int ret = zero_first_blocks(d->dev, &d->sb, cache_njournal_for(d->sb.nbuckets), err);

	if (!ret && d->has_old && !cache_sb_is_bdev(&d->old))
		ret = zero_first_blocks(d->dev, &d->old, d->old.njournal, err);
	/* a set whose uuid was just made has no entries */
	if (!ret && !m->set_is_new)
		ret = scrub(m, d->dev, &d->sb, err);
	return ret;
}

static int wipe_signature(struct cache_dev *dev, const struct cache_signature *s,
			  struct cache_err *err)
{
	uint64_t sector = s->offset_bytes / CACHE_SECTOR_BYTES;
	uint64_t skip = s->offset_bytes % CACHE_SECTOR_BYTES;
	uint64_t nsectors = cache_div_up(skip + s->nbytes, CACHE_SECTOR_BYTES);
	char *buf = cache_dev_buf(nsectors * CACHE_SECTOR_BYTES);
	int ret;

	if (!buf)
		return cache_err_set(err, -ENOMEM, 0, "no memory to wipe a signature");
	ret = cache_dev_read(dev, sector, nsectors, buf, err);
	if (!ret) {
		memset(buf + skip, 0, s->nbytes);
		ret = cache_dev_write(dev, sector, nsectors, buf, err);
	}
	free(buf);
	return ret;
}

/*
 * With two signatures on one device libblkid names neither, and then udev would not register
 * it. A signature that cannot be erased is not a reason to fail.
 */
static int wipe_signatures(struct cache_dev *dev, struct cache_err *err)
{
	struct cache_signature *sig = calloc(CACHE_PROBE_MAX, sizeof(*sig));
	unsigned n = 1;
	int ret = 0;

	if (!sig)
		return cache_err_set(err, -ENOMEM, 0, "no memory for signatures");
	for (int round = 0; round < WIPE_ROUNDS && n && !ret; round++) {
		if (cache_probe(dev, sig, &n, NULL))
			break;
		for (unsigned i = 0; i < n && !ret; i++)
			if (sig[i].nbytes)
				ret = wipe_signature(dev, &sig[i], err);
		if (!ret)
			ret = cache_dev_flush(dev, err);
	}
	free(sig);
	return ret;
}

int cache_mkcache_write_super(const struct cache_mkcache_dev *d, struct cache_err *err)
{
	uint8_t *buf = cache_dev_buf(CACHE_SB_BYTES);
	int ret;

	if (!buf)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a superblock");
	cache_sb_encode(&d->sb, buf);
	ret = cache_dev_write(d->dev, CACHE_SB_SECTOR, CACHE_SB_BYTES / CACHE_SECTOR_BYTES,
			      buf, err);
	free(buf);
	return ret ? ret : cache_dev_flush(d->dev, err);
}

static int discard_all(const struct cache_mkcache_dev *d, struct cache_err *err)
{
	uint64_t sectors = cache_bucket_sector(&d->sb, d->sb.nbuckets);

	return cache_dev_discard(d->dev, SB_END_SECTOR, sectors - SB_END_SECTOR, err);
}

int cache_mkcache_erase(const struct cache_mkcache *m, const struct cache_mkcache_dev *d,
			struct cache_err *err)
{
	int ret = zero(d->dev, 0, SB_END_SECTOR, err);

	if (!ret)
		ret = cache_dev_flush(d->dev, err);
	if (!ret && !d->is_bdev && m->discard && !m->like_peer)
		ret = discard_all(d, err);
	if (!ret && !d->is_bdev)
		ret = wipe_rings(m, d, err);
	if (!ret)
		ret = wipe_signatures(d->dev, err);
	if (!ret)
		ret = cache_dev_flush(d->dev, err);
	return ret;
}

static int write_device(const struct cache_mkcache *m, const struct cache_mkcache_dev *d,
			struct cache_err *err)
{
	int ret = cache_mkcache_erase(m, d, err);

	if (!ret)
		ret = cache_mkcache_write_super(d, err);
	return ret ? cache_err_prefix(err, ret, "%s", cache_dev_name(d->dev)) : 0;
}

int cache_mkcache_read(const struct cache_mkcache *given, unsigned i, struct cache_mkcache *m,
		       struct cache_err *err)
{
	int ret = cache_opts_read(m, sizeof(*m), given, err);

	if (!ret && i >= m->ndevs)
		ret = cache_err_set(err, -EINVAL, 0, "device %u of a plan of %u", i, m->ndevs);
	return ret;
}

int cache_mkcache_write(const struct cache_mkcache *given, unsigned i, struct cache_err *err)
{
	struct cache_mkcache m;
	int ret = cache_mkcache_read(given, i, &m, err);

	return ret ? ret : write_device(&m, &m.devs[i], err);
}
