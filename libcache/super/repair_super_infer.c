// SPDX-License-Identifier: GPL-2.0-only
/*
 * What each field of a cache device's superblock must be. A field is changed if it breaks a
 * rule; if evidence contradicts it that cannot be wrong by chance; or, with an invalid
 * checksum, if it differs from the value that follows from the others. For a set that has run,
 * the journal and the prio_sets are the evidence. For a set that never ran nothing can be lost,
 * and the formatter's formulas are used (format 1.5).
 */
#include "super/repair_super.h"

#include <string.h>

#include "base/checked.h"
#include "host/ids.h"
#include "base/rng.h"

#define RANDOM_PROOF	"nothing refers to it"

static void say(struct super_repair *m, enum super_field f, const char *proof)
{
	m->proof[f] = proof;
}

static void guess(struct super_repair *m, enum super_field f, const char *proof)
{
	say(m, f, proof);
	m->guessed |= 1u << f;
}

/* What says that the set has run. */
static const char *proof_of_run(const struct super_repair *m)
{
	return m->by_nodes ? "btree nodes and a dirty backing device" : "journal";
}

static uint64_t dev_buckets(const struct super_repair *m)
{
	return m->sb.bucket_sectors ? cache_dev_sectors(m->dev) / m->sb.bucket_sectors : 0;
}

/* The first start raises the version; a damaged superblock may have 0, which is valid too. */
static void infer_version(struct super_repair *m)
{
	bool as_formatted = m->ran && !cache_sb_is_synced(&m->sb);

	if ((m->csum_valid && !as_formatted) || !m->ran || m->sb.version)
		return;
	m->sb.version = CACHE_SB_VERSION_CDEV_WITH_UUID;
	say(m, SUPER_VERSION, proof_of_run(m));
}

static void infer_features(struct super_repair *m)
{
	const uint64_t known = CACHE_FEATURE_INCOMPAT_OBSO_LARGE_BUCKET |
			       CACHE_FEATURE_INCOMPAT_LOG_LARGE_BUCKET;

	if (m->csum_valid || m->sb.version < CACHE_SB_VERSION_CDEV_WITH_FEATURES)
		return;
	m->sb.feature_compat = m->sb.feature_ro_compat = 0;
	m->sb.feature_incompat &= known;
	say(m, SUPER_COMPAT, "no such feature is known");
	say(m, SUPER_RO_COMPAT, "no such feature is known");
	say(m, SUPER_INCOMPAT, "no such feature is known");
}

/* For a set that never ran: the only size with which the device has nbuckets buckets. */
static uint64_t size_for_count(const struct super_repair *m)
{
	for (unsigned shift = 3; shift < 32; shift++)
		if (cache_dev_sectors(m->dev) >> shift == m->sb.nbuckets)
			return UINT64_C(1) << shift;
	return 0;
}

static void infer_bucket(struct super_repair *m)
{
	uint64_t old = m->sb.bucket_sectors, size = old;
	bool sane = cache_is_pow2(old) && old >= CACHE_PAGE_SECTORS;

	if (m->ran && m->ev.bucket_sectors && (!sane || !m->csum_valid || m->ev.bucket_proven)) {
		size = m->ev.bucket_sectors;
		say(m, SUPER_BUCKET, m->ev.bucket_proven ? "prio_set" : "journal");
	} else if (!m->ran && (!sane || (!m->csum_valid && size_for_count(m)))) {
		size = size_for_count(m);
		say(m, SUPER_BUCKET, "number of buckets and device size");
	}
	if (!size || size == old)
		return;
	m->sb.bucket_sectors = size;
	m->sb.bucket_field = 0;		/* it will be encoded again */
	if (size > UINT16_MAX && !(m->sb.feature_incompat & CACHE_FEATURE_INCOMPAT_LOG_LARGE_BUCKET)) {
		m->sb.version = CACHE_SB_VERSION_CDEV_WITH_FEATURES;
		m->sb.feature_incompat = CACHE_FEATURE_INCOMPAT_LOG_LARGE_BUCKET;
		say(m, SUPER_VERSION, m->proof[SUPER_BUCKET]);
		say(m, SUPER_INCOMPAT, m->proof[SUPER_BUCKET]);
	}
}

/* Whether a chain of the length that was found covers that many buckets. */
static bool fits_chain(const struct super_repair *m, uint64_t nbuckets)
{
	return !m->ran || !m->ev.members || m->ev.bucket_sectors != m->sb.bucket_sectors ||
	       cache_div_up(nbuckets, cache_prios_per_bucket(&m->sb)) == m->ev.members;
}

/*
 * Whether the ring in the superblock is the one that the kernel creates for that many buckets:
 * of that length, and contiguous but for one entry that may be damaged too.
 */
static bool fits_ring(const struct super_repair *m, uint64_t nbuckets)
{
	unsigned n = m->sb.njournal, breaks = 0;

	if (n != cache_njournal_for(nbuckets))
		return false;
	for (unsigned i = 1; i < n; i++)
		breaks += m->sb.journal_bucket[i] != m->sb.journal_bucket[i - 1] + 1;
	return breaks <= 2;
}

static bool is_past(const struct super_repair *m, const struct cache_bkey *k, uint64_t nbuckets)
{
	return cache_key_ptrs(k) && cache_ptr_sector(k->ptr[0]) / m->sb.bucket_sectors >= nbuckets;
}

/* Whether the journal is, or names something, past the end of that many buckets. */
static bool is_too_few(const struct super_repair *m, uint64_t nbuckets)
{
	const struct cache_jset *newest = &m->ev.newest;
	uint64_t end = cache_first_bucket_for(m->sb.bucket_sectors) + cache_njournal_for(nbuckets);

	return m->ran && (m->ev.last_sector / m->sb.bucket_sectors >= end ||
			  newest->prio_bucket[m->ev.nr_this_dev] >= nbuckets ||
			  is_past(m, &newest->btree_root, nbuckets) ||
			  is_past(m, &newest->uuid_bucket, nbuckets));
}

/* A value that no other data of the set depends on. */
static bool is_unfounded(const struct super_repair *m, uint64_t nbuckets)
{
	return !m->csum_valid && !fits_ring(m, nbuckets) &&
	       (m->no_magic || is_too_few(m, nbuckets));
}

static void infer_nbuckets(struct super_repair *m)
{
	uint64_t most = dev_buckets(m), n = m->sb.nbuckets;

	if (!m->csum_valid && !fits_ring(m, n) && fits_ring(m, most) && fits_chain(m, most)) {
		m->sb.nbuckets = most;
		say(m, SUPER_NBUCKETS, "device size and journal buckets");
		return;
	}
	if (n >= CACHE_NBUCKETS_QUEUE_MIN && n <= most && fits_chain(m, n) && !is_unfounded(m, n))
		return;
	/* the device was truncated: no other number of buckets brings the lost part back */
	if (m->csum_valid && n > most && n <= INT64_MAX && fits_chain(m, n))
		return;
	m->sb.nbuckets = most;
	if (fits_chain(m, most))
		say(m, SUPER_NBUCKETS, "device size");
	else
		guess(m, SUPER_NBUCKETS, "device size");
}

/*
 * For a set that never ran: the largest value with which every backing device at hand can
 * attach.
 */
static uint32_t default_block(const struct super_repair *m)
{
	uint32_t block = CACHE_PAGE_SECTORS;

	for (unsigned i = 0; i < m->opts->nbacking; i++)
		if (cache_is_pow2(m->opts->backing[i].block_sectors))
			block = cache_min_u64(block, m->opts->backing[i].block_sectors);
	return cache_max_u64(block, cache_dev_logical_block_bytes(m->dev) / CACHE_SECTOR_BYTES);
}

static void infer_block(struct super_repair *m)
{
	uint32_t old = m->sb.block_sectors;
	bool sane = cache_is_pow2(old) && old <= CACHE_PAGE_SECTORS;

	if (!m->ran) {
		if (!sane) {
			m->sb.block_sectors = default_block(m);
			say(m, SUPER_BLOCK, "nothing was written yet");
		}
		return;
	}
	if (sane && m->ev.blocks >> __builtin_ctz(old) & 1)
		return;
	if (!m->ev.blocks || (sane && !cache_is_pow2(m->ev.blocks)))
		return;
	/*
	 * the largest value that is possible; once two adjacent entries exist, it is the only
	 * one
	 */
	m->sb.block_sectors = 1u << (31 - __builtin_clz(m->ev.blocks));
	if (cache_is_pow2(m->ev.blocks))
		say(m, SUPER_BLOCK, "journal");
	else
		guess(m, SUPER_BLOCK, "journal");
}

static bool ring_begins_at(const struct super_repair *m, uint64_t first)
{
	unsigned n = m->sb.njournal;

	if (!n || n > CACHE_SB_JOURNAL_BUCKETS)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (m->sb.journal_bucket[i] != first + i)
			return false;
	return true;
}

static void infer_first(struct super_repair *m)
{
	uint64_t want, start;

	if (!m->sb.bucket_sectors)
		return;
	want = cache_first_bucket_for(m->sb.bucket_sectors);
	start = m->sb.first_bucket * m->sb.bucket_sectors;
	/* of two that contradict each other, each journal bucket is where the formatter puts it */
	if (m->sb.first_bucket == want ||
	    (m->csum_valid && !ring_begins_at(m, want) &&
	     start >= CACHE_SB_SECTOR + CACHE_SB_BYTES / CACHE_SECTOR_BYTES &&
	     cache_sb_reserved_buckets(&m->sb) < m->sb.nbuckets))
		return;
	m->sb.first_bucket = want;
	say(m, SUPER_FIRST, "formula");
}

/* The kernel creates the ring at the first start, and never changes it. */
static uint16_t ring_size(const struct super_repair *m)
{
	return cache_sb_is_synced(&m->sb) ? cache_njournal_for(m->sb.nbuckets) : 0;
}

static bool ring_is_right(const struct super_repair *m)
{
	unsigned n = m->sb.njournal;

	if (n > CACHE_SB_JOURNAL_BUCKETS || cache_sb_reserved_buckets(&m->sb) > m->sb.nbuckets ||
	    (!m->csum_valid && n != ring_size(m)) || (!n && cache_sb_is_synced(&m->sb)))
		return false;
	return !n || ring_begins_at(m, m->sb.first_bucket);
}

static void infer_ring(struct super_repair *m)
{
	uint16_t n = ring_size(m);

	if (ring_is_right(m))
		return;
	m->sb.njournal = n;
	for (unsigned i = 0; i < CACHE_SB_JOURNAL_BUCKETS; i++)
		m->sb.journal_bucket[i] = i < n ? m->sb.first_bucket + i : 0;
	say(m, SUPER_KEYS, "formula");
	say(m, SUPER_RING, "formula");
}

static void infer_flags(struct super_repair *m)
{
	if (cache_sb_replacement(&m->sb) > CACHE_RANDOM) {
		m->sb.flags &= ~((uint64_t)CACHE_SB_REPLACEMENT_MASK << CACHE_SB_REPLACEMENT_SHIFT);
		m->chosen |= 1u << SUPER_FLAGS;
		say(m, SUPER_FLAGS, "the kernel's default; a newer kernel may know the old policy");
	}
	if (m->ran && !cache_sb_is_synced(&m->sb)) {
		m->sb.flags |= CACHE_SB_SYNC;
		say(m, SUPER_FLAGS, proof_of_run(m));
	}
}

static void infer_member(struct super_repair *m)
{
	if (m->sb.nr_in_set && m->sb.nr_this_dev < m->sb.nr_in_set &&
	    m->sb.nr_in_set <= CACHE_MAX_CACHES_PER_SET)
		return;
	m->sb.nr_this_dev = m->ran ? m->ev.nr_this_dev : 0;
	m->sb.nr_in_set = m->sb.nr_this_dev + 1;
	say(m, SUPER_THIS_DEV, m->ran ? "journal" : "formatter's default");
	say(m, SUPER_IN_SET, m->ran ? "journal" : "formatter's default");
}

static void random_uuid(struct super_repair *m, uint8_t *uuid, unsigned salt)
{
	struct cache_rng rng;

	cache_rng_init(&rng, m->opts->seed + salt);
	for (unsigned i = 0; i < CACHE_UUID_BYTES; i++)
		uuid[i] = cache_rng_u64(&rng);
	uuid[6] = (uuid[6] & 0x0f) | 0x40;
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
}

/* A backing device at hand that names the set whose entries were found; or any one. */
static const uint8_t *set_of_backing(const struct super_repair *m)
{
	for (unsigned i = 0; i < m->opts->nbacking; i++) {
		const struct cache_sb *b = &m->opts->backing[i];

		if (m->ran ? cache_sb_set_magic(b) == m->ev.set_magic
			   : !cache_uuid_is_zero(b->set_uuid))
			return b->set_uuid;
	}
	return NULL;
}

/*
 * The journal proves the first half of the uuid. The other half is nowhere else on the device:
 * the kernel does not use it, but a backing device finds its set by the whole uuid.
 */
static void infer_set_uuid(struct super_repair *m)
{
	const cache_le64 half = cache_le64_of(m->ev.set_magic);
	const uint8_t *known = set_of_backing(m);

	if (m->ran ? cache_sb_set_magic(&m->sb) == m->ev.set_magic
		   : !cache_uuid_is_zero(m->sb.set_uuid))
		return;
	if (known) {
		memcpy(m->sb.set_uuid, known, CACHE_UUID_BYTES);
		say(m, SUPER_SET_UUID, "backing device");
		return;
	}
	if (cache_uuid_is_zero(m->sb.set_uuid))
		random_uuid(m, m->sb.set_uuid, 1);
	if (!m->ran) {
		say(m, SUPER_SET_UUID, RANDOM_PROOF);
		return;
	}
	memcpy(m->sb.set_uuid, &half, sizeof(half));
	guess(m, SUPER_SET_UUID, "journal, for its first half");
}

static void infer_uuid(struct super_repair *m)
{
	if (!cache_uuid_is_zero(m->sb.uuid))
		return;
	random_uuid(m, m->sb.uuid, 0);
	say(m, SUPER_UUID, RANDOM_PROOF);
}

void cache_super_infer(struct super_repair *m)
{
	infer_version(m);
	infer_features(m);
	infer_bucket(m);
	infer_flags(m);
	if (m->sb.bucket_sectors >= CACHE_PAGE_SECTORS) {
		infer_nbuckets(m);
		infer_first(m);
		infer_ring(m);
	}
	infer_block(m);
	infer_member(m);
	infer_uuid(m);
	infer_set_uuid(m);
}
