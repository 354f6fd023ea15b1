// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cache sets of any size of bucket up to 32 MiB, with nodes of thousands of sets, children that
 * lead into holes, rings and chains of prio_sets as long as the device lets them be. The input:
 *
 *	byte 0	bits 0-3 size of the buckets, 4-5 of the blocks, 6 plan a repair, 7 how a large
 *		size is stored
 *	then 8 bytes a structure: kind, bucket, count (2), and four that the kind reads
 *
 * What must hold: no crash, no over-read; processor time as the bytes that were written there, not
 * as what they claim; and no more is read than the buckets that hold something, a few times over.
 */
#include "budget.h"
#include "overlay.h"

#include <libcache/fsck.h>
#include <libcache/repair.h>

#include "base/checked.h"
#include "base/crc64.h"
#include "disk/jset_codec.h"
#include "disk/prio_codec.h"
#include "format/bset_codec.h"
#include "format/super.h"
#include "target.h"

#define BUCKETS		128u
#define RING		8u
#define STRUCTS_MAX	48u
#define SETS_MAX	4096u
#define BUCKET_MAX	UINT64_C(65536)		/* sectors */
/*
 * A forecast plays the ring some 50 times, for drivers and ways in which a start can go, and
 * looks at up to a page of keys for each one that it inserts; twice the entries took 1.6 times the
 * instructions. The worst ring that was found (ring-that-is-played) takes 1.4 s of the 4.4 s.
 */
#define PLAYS_WEIGHT	3u
/* Passes of a check and of the plan of a repair, each of which may read all there is. */
#define PASSES		16u

static struct overlay o;
static bool touched[BUCKETS];

struct set {
	struct cache_sb sb;
	struct cache_dev *dev;
	uint64_t magic, written_bytes;
};

struct spec {
	unsigned bucket, n, a, b, c, d;
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	o.sectors = BUCKETS * BUCKET_MAX;
	o.base = mmap(NULL, o.sectors * CACHE_SECTOR_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (o.base == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return 0;
}

static void put(struct set *s, uint64_t bucket, uint64_t sector, uint64_t n, const void *buf)
{
	if (sector + n > s->sb.bucket_sectors || bucket >= BUCKETS)
		return;
	if (cache_dev_write(s->dev, cache_bucket_sector(&s->sb, bucket) + sector, n, buf, NULL))
		abort();
	touched[bucket] = true;
	s->written_bytes += n * CACHE_SECTOR_BYTES;
}

static void set_init(struct set *s, unsigned shape)
{
	uint8_t *buf = cache_dev_buf(CACHE_SB_BYTES);
	unsigned shift = 3 + (shape & 15) % 14;

	memset(s, 0, sizeof(*s));
	s->sb = (struct cache_sb){
		.offset_sector = CACHE_SB_SECTOR, .version = CACHE_SB_VERSION_CDEV_WITH_UUID,
		.flags = CACHE_SB_SYNC, .nbuckets = BUCKETS, .seq = 1,
		.block_sectors = 1 << (shape >> 4 & 3), .bucket_sectors = UINT64_C(1) << shift,
		.nr_in_set = 1, .first_bucket = cache_first_bucket_for(UINT64_C(1) << shift),
		.njournal = RING,
	};
	if (shift >= 16) {
		s->sb.version = CACHE_SB_VERSION_CDEV_WITH_FEATURES;
		s->sb.feature_incompat = shape & 128 ? CACHE_FEATURE_INCOMPAT_OBSO_LARGE_BUCKET :
					 CACHE_FEATURE_INCOMPAT_LOG_LARGE_BUCKET;
	}
	memcpy(s->sb.magic, cache_sb_magic, sizeof(s->sb.magic));
	s->sb.uuid[0] = s->sb.set_uuid[0] = 1;
	for (unsigned i = 0; i < RING; i++)
		s->sb.journal_bucket[i] = s->sb.first_bucket + i;
	s->magic = cache_sb_set_magic(&s->sb);
	o.sectors = BUCKETS * s->sb.bucket_sectors;
	overlay_forget(&o);
	s->dev = overlay_dev(&o);
	cache_sb_encode(&s->sb, buf);
	cache_dev_write(s->dev, CACHE_SB_SECTOR, CACHE_SB_BYTES / CACHE_SECTOR_BYTES, buf, NULL);
	free(buf);
	memset(touched, 0, sizeof(touched));
}

static struct cache_bkey node_key(const struct set *s, unsigned bucket, uint64_t inode,
				  uint64_t end, unsigned gen)
{
	struct cache_bkey k = cache_bkey_make(inode, end, cache_btree_node_sectors(&s->sb), false);

	cache_bkey_set_ptrs(&k, 1);
	k.ptr[0] = cache_ptr_make(0, cache_bucket_sector(&s->sb, bucket), gen);
	return k;
}

/* @a: the ring's bucket; @b: block of the first; @c: bits 0-1 bad one, 2-3 of the root's level,
 * 4-7 keys; @d: last_seq, how far behind. @bucket: of the root. */
static void put_jsets(struct set *s, const struct spec *p)
{
	static char buf[CACHE_JSET_MAX_BYTES];
	cache_le64 words[16 * CACHE_BKEY_WORDS_MAX];
	struct cache_jset_disk *d = (void *)buf;
	uint64_t at = p->b * s->sb.block_sectors;
	unsigned bucket = p->a;

	for (unsigned i = 0; i < p->n % SETS_MAX; i++) {
		struct cache_jset j = { .pos = { .seq = 1 + p->d + i, .version = 1 } };
		uint64_t n;

		j.pos.last_seq = j.pos.seq - (p->d < i ? p->d : i);
		j.pos.level = p->c >> 2 & 3;
		j.btree_root = node_key(s, p->bucket, CACHE_KEY_INODE_MAX, CACHE_KEY_OFFSET_MAX, 0);
		j.uuid_bucket = node_key(s, 12, 0, 0, 0);
		j.prio_bucket[0] = 13;
		for (unsigned k = 0; k < p->c >> 4; k++) {
			struct cache_bkey key = cache_bkey_make(0, 64 * (i + k + 1), 16, k & 1);

			cache_bkey_set_ptrs(&key, 1);
			key.ptr[0] = cache_ptr_make(0, cache_bucket_sector(&s->sb, 40 + k), 0);
			j.pos.nwords += cache_bkey_encode(&key, words + j.pos.nwords);
		}
		memset(buf, 0, sizeof(buf));
		cache_jset_encode(&j, s->magic, words, buf);
		d->csum = cache_le64_of(cache_jset_csum(d) ^ (p->c & 3 && i % 64 == (p->c & 3)));
		n = cache_jset_sectors(&s->sb, j.pos.nwords);
		if (at + n > s->sb.bucket_sectors) {
			at = 0;
			bucket++;
		}
		put(s, s->sb.journal_bucket[bucket % RING], at, n, buf);
		at += n;
	}
}

/* @n sets: @a keys in each, @b: how far one starts behind the one before, @c: bits 0-1 seq
 * differs, 2-3 level, 4 dirty; @d: how long a key is. */
static void put_sets(struct set *s, const struct spec *p)
{
	struct cache_bkey node = node_key(s, p->bucket, CACHE_KEY_INODE_MAX,
					  CACHE_KEY_OFFSET_MAX, 0);
	uint32_t bytes = s->sb.block_sectors * CACHE_SECTOR_BYTES;
	unsigned nkeys = p->a % 16, level = p->c >> 2 & 3;
	char *buf = calloc(1, 2 * CACHE_PAGE_BYTES);
	struct cache_bset_disk *d = (void *)buf;
	uint64_t at = 0;

	for (unsigned i = 0; i < 1 + p->n % SETS_MAX; i++) {
		unsigned nwords = 0;

		for (unsigned k = 0; k < nkeys; k++) {
			uint64_t end = (uint64_t)i * p->b + (k + 1) * (p->d + 1u);
			struct cache_bkey key = level ?
				node_key(s, (p->d + k) % BUCKETS, 0, end, 0) :
				cache_bkey_make(0, end, p->d + 1u, p->c & 16);

			cache_bkey_set_ptrs(&key, 1);
			if (!level)
				key.ptr[0] = cache_ptr_make(0, cache_bucket_sector(&s->sb, 60), 0);
			nwords += cache_bkey_encode(&key, (cache_le64 *)(d + 1) + nwords);
		}
		d->magic = cache_le64_of(s->magic ^ CACHE_BSET_MAGIC);
		d->version = cache_le32_of(CACHE_BSET_VERSION);
		d->seq = cache_le64_of(7 + (p->c & 3 && i % 256 == (p->c & 3)));
		d->keys = cache_le32_of(nwords);
		d->csum = cache_le64_of(cache_bset_csum(d, node.ptr[0]));
		put(s, p->bucket, at, s->sb.block_sectors *
		    ((cache_bset_bytes(d) + bytes - 1) / bytes), buf);
		at += s->sb.block_sectors * ((cache_bset_bytes(d) + bytes - 1) / bytes);
	}
	free(buf);
}

/* A node of level 1 + @c % 3 with @n children in the buckets from @a on, @b apart. */
static void put_children(struct set *s, const struct spec *p)
{
	struct cache_bkey node = node_key(s, p->bucket, CACHE_KEY_INODE_MAX,
					  CACHE_KEY_OFFSET_MAX, 0);
	unsigned n = p->n % SETS_MAX, nwords = 0;
	char *buf = calloc(1, sizeof(struct cache_bset_disk) + n * 24 + CACHE_PAGE_BYTES);
	struct cache_bset_disk *d = (void *)buf;

	for (unsigned i = 0; i < n; i++) {
		struct cache_bkey key = node_key(s, (p->a + i * p->b) % BUCKETS, 0, 64 * (i + 1),
						 p->d);

		nwords += cache_bkey_encode(&key, (cache_le64 *)(d + 1) + nwords);
	}
	d->magic = cache_le64_of(s->magic ^ CACHE_BSET_MAGIC);
	d->version = cache_le32_of(CACHE_BSET_VERSION);
	d->seq = cache_le64_of(7);
	d->keys = cache_le32_of(nwords);
	d->csum = cache_le64_of(cache_bset_csum(d, node.ptr[0]));
	put(s, p->bucket, 0, (cache_bset_bytes(d) + CACHE_PAGE_BYTES - 1) / CACHE_PAGE_BYTES * 8,
	    buf);
	free(buf);
}

/* @n prio_sets of one seq, each naming the bucket @a behind it; @b: gens; @c: 1 bad checksum. */
static void put_prios(struct set *s, const struct spec *p)
{
	uint32_t nbytes = cache_meta_bucket_bytes(&s->sb);
	uint8_t *buf = cache_dev_buf(nbytes);
	struct cache_prio_set_disk *d = (void *)buf;

	for (unsigned i = 0; i < p->n % 16; i++) {
		unsigned bucket = (p->bucket + i * p->a) % BUCKETS;

		d->magic = cache_le64_of(s->magic ^ CACHE_PSET_MAGIC);
		d->seq = cache_le64_of(1 + p->d);
		d->next_bucket = cache_le64_of((bucket + p->a) % BUCKETS);
		memset(d + 1, p->b, cache_min_u64(3 * BUCKETS, nbytes - sizeof(*d)));
		d->csum = cache_le64_of(cache_crc64(buf + 8, nbytes - 8) ^ (p->c & 1));
		put(s, bucket, 0, nbytes / CACHE_SECTOR_BYTES, buf);
	}
	free(buf);
}

static void put_word(struct set *s, const struct spec *p)
{
	uint8_t buf[8 * CACHE_SECTOR_BYTES] = { 0 };
	uint64_t sector = p->n * (uint64_t)s->sb.block_sectors % s->sb.bucket_sectors;

	if (p->bucket >= BUCKETS || sector + 8 > s->sb.bucket_sectors)
		return;
	cache_dev_read(s->dev, cache_bucket_sector(&s->sb, p->bucket) + sector, 8, buf, NULL);
	buf[p->a * 8] ^= p->b;
	buf[p->a * 8 + 1] ^= p->c;
	buf[p->d] ^= p->b;
	put(s, p->bucket, sector, 8, buf);
}

static void (*const kinds[])(struct set *, const struct spec *) = {
	put_jsets, put_sets, put_children, put_prios, put_word,
};

static void check(struct set *s, bool plan)
{
	struct cache_repair_opts repair = { .size = sizeof(repair), .dry_run = true, .seed = 1,
					    .look_only = !plan, .allow_data_loss = true };
	struct cache_repair_result res;

	cache_repair_run(&s->dev, 1, &repair, &res);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t may;
	unsigned n = 0;
	struct set s;

	if (size < 1)
		return 0;
	set_init(&s, data[0]);
	for (size_t i = 1; i + 8 <= size && i < 8 * STRUCTS_MAX; i += 8) {
		struct spec p = { data[i + 1], data[i + 2] | data[i + 3] << 8, data[i + 4],
				  data[i + 5], data[i + 6], data[i + 7] };

		kinds[data[i] % (sizeof(kinds) / sizeof(*kinds))](&s, &p);
	}
	for (unsigned i = 0; i < BUCKETS; i++)
		n += touched[i];
	overlay_bytes = 0;
	budget_start();
	check(&s, data[0] & 64);
	budget_end(s.written_bytes * PLAYS_WEIGHT, overlay_bytes);
	may = PASSES * ((n + 3) * s.sb.bucket_sectors * CACHE_SECTOR_BYTES + (4 << 20));
	if (overlay_bytes > may) {
		fprintf(stderr, "%" PRIu64 " bytes read, of %" PRIu64 " at most\n", overlay_bytes, may);
		abort();
	}
	cache_dev_close(s.dev);
	return 0;
}
