// SPDX-License-Identifier: GPL-2.0-only
/*
 * What makes a superblock valid: one table of rules, in the driver's order
 * (format 1.6), then the rules only we have. Opening stops at the first that
 * fails; fsck receives them all.
 */
#include "base/checked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/eras.h"
#include "format/super.h"

struct sb_ctx {
	const struct cache_sb *sb;
	uint64_t dev_sectors;		/* 0: unknown */
	uint32_t logical_block_bytes;
};

enum rule_for { CACHE = 1, BDEV = 2, BOTH = 3 };

/* True when the rule holds; otherwise the value found and the value expected are in @f. */
typedef bool sb_rule_fn(const struct sb_ctx *c, struct cache_finding *f);

static bool is_zero(const void *p, size_t n)
{
	const uint8_t *b = p;

	while (n--)
		if (*b++)
			return false;
	return true;
}

static bool at_least(struct cache_finding *f, uint64_t got, uint64_t want)
{
	f->got = got;
	f->want = want;
	return got >= want;
}

static bool at_most(struct cache_finding *f, uint64_t got, uint64_t want)
{
	f->got = got;
	f->want = want;
	return got <= want;
}

static bool equal(struct cache_finding *f, uint64_t got, uint64_t want)
{
	f->got = got;
	f->want = want;
	return got == want;
}

static uint64_t magic_word(const uint8_t *magic)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | magic[i];
	return v;
}

static bool has_magic(const struct cache_sb *sb)
{
	return cache_sb_has_magic(sb);
}

static bool offset(const struct sb_ctx *c, struct cache_finding *f)
{
	/* if there is no superblock at all, only that is reported */
	return !has_magic(c->sb) || equal(f, c->sb->offset_sector, CACHE_SB_SECTOR);
}

static bool magic(const struct sb_ctx *c, struct cache_finding *f)
{
	f->got = magic_word(c->sb->magic);
	f->want = magic_word(cache_sb_magic);
	return has_magic(c->sb);
}

static bool csum(const struct sb_ctx *c, struct cache_finding *f)
{
	return equal(f, c->sb->csum_stored, c->sb->csum_computed);
}

static bool uuid(const struct sb_ctx *c, struct cache_finding *f)
{
	return !is_zero(c->sb->uuid, sizeof(c->sb->uuid));
}

static bool block_hw(const struct sb_ctx *c, struct cache_finding *f)
{
	return at_least(f, c->sb->block_sectors, c->logical_block_bytes / CACHE_SECTOR_BYTES);
}

static bool version(const struct sb_ctx *c, struct cache_finding *f)
{
	f->got = c->sb->version;
	return c->sb->version <= CACHE_SB_VERSION_BDEV_WITH_FEATURES && c->sb->version != 2;
}

static bool data_offset(const struct sb_ctx *c, struct cache_finding *f)
{
	return at_least(f, c->sb->data_offset_sectors, CACHE_BDEV_DATA_START_SECTORS);
}

static bool has_features(const struct sb_ctx *c)
{
	return c->sb->version >= CACHE_SB_VERSION_CDEV_WITH_FEATURES;
}

static bool compat(const struct sb_ctx *c, struct cache_finding *f)
{
	return !has_features(c) || equal(f, c->sb->feature_compat, 0);
}

static bool ro_compat(const struct sb_ctx *c, struct cache_finding *f)
{
	return !has_features(c) || equal(f, c->sb->feature_ro_compat, 0);
}

static bool incompat(const struct sb_ctx *c, struct cache_finding *f)
{
	uint64_t known = CACHE_FEATURE_INCOMPAT_OBSO_LARGE_BUCKET |
			 CACHE_FEATURE_INCOMPAT_LOG_LARGE_BUCKET;

	return !has_features(c) || equal(f, c->sb->feature_incompat & ~known, 0);
}

static bool journal_many(const struct sb_ctx *c, struct cache_finding *f)
{
	return at_most(f, c->sb->njournal, CACHE_SB_JOURNAL_BUCKETS);
}

static bool nbuckets_max(const struct sb_ctx *c, struct cache_finding *f)
{
	return at_most(f, c->sb->nbuckets, INT64_MAX);
}

static bool nbuckets_min(const struct sb_ctx *c, struct cache_finding *f)
{
	return at_least(f, c->sb->nbuckets, CACHE_NBUCKETS_MIN);
}

static bool nbuckets_queue(const struct sb_ctx *c, struct cache_finding *f)
{
	/* below 128 the stricter rule reports it */
	return c->sb->nbuckets < CACHE_NBUCKETS_MIN ||
	       at_least(f, c->sb->nbuckets, CACHE_NBUCKETS_QUEUE_MIN);
}

static bool block_pow2(const struct sb_ctx *c, struct cache_finding *f)
{
	f->got = c->sb->block_sectors;
	return cache_is_pow2(c->sb->block_sectors);
}

static bool block_page(const struct sb_ctx *c, struct cache_finding *f)
{
	return at_most(f, c->sb->block_sectors, CACHE_PAGE_SECTORS);
}

static bool uses_exponent(const struct cache_sb *sb)
{
	return sb->version >= CACHE_SB_VERSION_CDEV_WITH_FEATURES && !cache_sb_is_bdev(sb) &&
	       sb->feature_incompat & CACHE_FEATURE_INCOMPAT_LOG_LARGE_BUCKET;
}

static bool bucket_exponent(const struct sb_ctx *c, struct cache_finding *f)
{
	return !uses_exponent(c->sb) || at_most(f, c->sb->bucket_field, 31);
}

static bool absurd_exponent(const struct sb_ctx *c)
{
	struct cache_finding unused;

	return !bucket_exponent(c, &unused);
}

static bool bucket_pow2(const struct sb_ctx *c, struct cache_finding *f)
{
	f->got = c->sb->bucket_sectors;
	return cache_is_pow2(c->sb->bucket_sectors) || absurd_exponent(c);
}

static bool bucket_page(const struct sb_ctx *c, struct cache_finding *f)
{
	/* zero is no power of two, and is reported by that rule */
	return !c->sb->bucket_sectors ||
	       at_least(f, c->sb->bucket_sectors, CACHE_PAGE_SECTORS);
}

static bool capacity(const struct sb_ctx *c, struct cache_finding *f)
{
	uint64_t need;

	if (!c->dev_sectors)
		return true;
	if (!cache_mul_ok(c->sb->nbuckets, c->sb->bucket_sectors, &need))
		need = UINT64_MAX;
	f->count = c->sb->nbuckets;
	return at_least(f, c->dev_sectors, need);
}

static bool set_uuid(const struct sb_ctx *c, struct cache_finding *f)
{
	return !is_zero(c->sb->set_uuid, sizeof(c->sb->set_uuid));
}

static bool member(const struct sb_ctx *c, struct cache_finding *f)
{
	f->got = c->sb->nr_this_dev;
	f->count = c->sb->nr_in_set;
	f->want = CACHE_MAX_CACHES_PER_SET;
	return c->sb->nr_in_set && c->sb->nr_this_dev < c->sb->nr_in_set &&
	       c->sb->nr_in_set <= CACHE_MAX_CACHES_PER_SET;
}

static bool journal_order(const struct sb_ctx *c, struct cache_finding *f)
{
	/* a count that does not fit has its own rule, and then there is no order */
	uint64_t n = c->sb->njournal <= CACHE_SB_JOURNAL_BUCKETS ? c->sb->njournal : 0;

	for (f->index = 0; f->index < n; f->index++)
		if (!equal(f, c->sb->journal_bucket[f->index],
			   c->sb->first_bucket + f->index))
			return false;
	return true;
}

static bool journal_end(const struct sb_ctx *c, struct cache_finding *f)
{
	f->count = c->sb->njournal;
	f->got = c->sb->first_bucket;
	f->want = c->sb->nbuckets;
	/* a count above 256 or a first bucket past the end has its own rule */
	return c->sb->njournal > CACHE_SB_JOURNAL_BUCKETS ||
	       c->sb->first_bucket >= c->sb->nbuckets ||
	       cache_sb_reserved_buckets(c->sb) <= c->sb->nbuckets;
}

static bool first_bucket(const struct sb_ctx *c, struct cache_finding *f)
{
	f->got = c->sb->first_bucket;
	f->want = CACHE_SB_SECTOR + CACHE_SB_BYTES / CACHE_SECTOR_BYTES;
	return c->sb->first_bucket * c->sb->bucket_sectors >= f->want ||
	       !c->sb->bucket_sectors;
}

static bool first_bucket_end(const struct sb_ctx *c, struct cache_finding *f)
{
	f->got = c->sb->first_bucket;
	f->want = c->sb->nbuckets;
	return c->sb->first_bucket < c->sb->nbuckets || c->sb->nbuckets < CACHE_NBUCKETS_MIN;
}

static bool replacement(const struct sb_ctx *c, struct cache_finding *f)
{
	f->got = cache_sb_replacement(c->sb);
	f->want = CACHE_RANDOM;
	f->eras = cache_eras_without_policy(f->got);
	return !f->eras;
}

static bool multi_member(const struct sb_ctx *c, struct cache_finding *f)
{
	f->got = c->sb->nr_this_dev;
	f->count = c->sb->nr_in_set;
	f->what = cache_driver_since(cache_driver_is_single);
	f->eras = cache_eras_which(UINT32_MAX, cache_driver_is_single);
	return c->sb->nr_in_set <= 1 || c->sb->nr_in_set > CACHE_MAX_CACHES_PER_SET;
}

static bool obsolete_bucket(const struct sb_ctx *c, struct cache_finding *f)
{
	return !has_features(c) ||
	       !(c->sb->feature_incompat & CACHE_FEATURE_INCOMPAT_OBSO_LARGE_BUCKET);
}

static bool journal_count(const struct sb_ctx *c, struct cache_finding *f)
{
	return !cache_sb_is_synced(c->sb) || c->sb->njournal > CACHE_SB_JOURNAL_BUCKETS ||
	       equal(f, c->sb->njournal, cache_njournal_for(c->sb->nbuckets));
}

static bool pad(const struct sb_ctx *c, struct cache_finding *f)
{
	for (f->index = 0; f->index < 5; f->index++)
		if (!equal(f, c->sb->pad[f->index], 0))
			return false;
	return true;
}

static bool discard(const struct sb_ctx *c, struct cache_finding *f)
{
	f->what = cache_driver_since(cache_driver_ignores_discard);
	return !(c->sb->flags & CACHE_SB_DISCARD);
}

static bool synced(const struct sb_ctx *c, struct cache_finding *f)
{
	return cache_sb_is_synced(c->sb);
}

static bool bdev_size(const struct sb_ctx *c, struct cache_finding *f)
{
	f->got = c->sb->data_offset_sectors;
	f->want = c->dev_sectors;
	return !c->dev_sectors || c->sb->data_offset_sectors < c->dev_sectors;
}

static const struct {
	enum cache_problem code;
	enum rule_for for_;
	sb_rule_fn *holds;
} rules[] = {
	{ CACHE_P_SB_OFFSET,		BOTH,	offset },
	{ CACHE_P_SB_MAGIC,		BOTH,	magic },
	{ CACHE_P_SB_CSUM,		BOTH,	csum },
	{ CACHE_P_SB_UUID,		BOTH,	uuid },
	{ CACHE_P_SB_BLOCK_HW,		BOTH,	block_hw },
	{ CACHE_P_SB_VERSION,		BOTH,	version },
	{ CACHE_P_SB_DATA_OFFSET,	BDEV,	data_offset },
	{ CACHE_P_SB_COMPAT,		CACHE,	compat },
	{ CACHE_P_SB_RO_COMPAT,		CACHE,	ro_compat },
	{ CACHE_P_SB_INCOMPAT,		CACHE,	incompat },
	{ CACHE_P_SB_JOURNAL_MANY,	CACHE,	journal_many },
	{ CACHE_P_SB_NBUCKETS_MAX,	CACHE,	nbuckets_max },
	{ CACHE_P_SB_NBUCKETS_MIN,	CACHE,	nbuckets_min },
	{ CACHE_P_SB_BLOCK_POW2,	CACHE,	block_pow2 },
	{ CACHE_P_SB_BLOCK_PAGE,	CACHE,	block_page },
	{ CACHE_P_SB_BUCKET_EXPONENT,	CACHE,	bucket_exponent },
	{ CACHE_P_SB_BUCKET_POW2,	CACHE,	bucket_pow2 },
	{ CACHE_P_SB_BUCKET_PAGE,	CACHE,	bucket_page },
	{ CACHE_P_SB_CAPACITY,		CACHE,	capacity },
	{ CACHE_P_SB_SET_UUID,		CACHE,	set_uuid },
	{ CACHE_P_SB_MEMBER,		CACHE,	member },
	{ CACHE_P_SB_JOURNAL_ORDER,	CACHE,	journal_order },
	{ CACHE_P_SB_FIRST_BUCKET_END,	CACHE,	first_bucket_end },
	{ CACHE_P_SB_JOURNAL_END,	CACHE,	journal_end },
	{ CACHE_P_SB_FIRST_BUCKET,	CACHE,	first_bucket },
	{ CACHE_P_SB_NBUCKETS_QUEUE,	CACHE,	nbuckets_queue },
	{ CACHE_P_SB_REPLACEMENT,	CACHE,	replacement },
	{ CACHE_P_SB_MULTI_MEMBER,	CACHE,	multi_member },
	{ CACHE_P_SB_OBSOLETE_BUCKET,	CACHE,	obsolete_bucket },
	{ CACHE_P_SB_JOURNAL_COUNT,	CACHE,	journal_count },
	{ CACHE_P_SB_PAD,		BOTH,	pad },
	{ CACHE_P_SB_DISCARD,		CACHE,	discard },
	{ CACHE_P_SB_NOT_SYNCED,	CACHE,	synced },
	{ CACHE_P_BDEV_SIZE,		BDEV,	bdev_size },
};

/* Without the magic, or with an unknown kind, no other rule can be checked. */
static bool ends_here(enum cache_problem code)
{
	return code == CACHE_P_SB_MAGIC || code == CACHE_P_SB_VERSION;
}

int cache_sb_check(const struct cache_sb *sb, uint64_t dev_sectors,
		   uint32_t logical_block_bytes, const struct cache_sink *sink,
		   struct cache_err *err)
{
	const struct sb_ctx c = { sb, dev_sectors, logical_block_bytes };
	enum rule_for kind = cache_sb_is_bdev(sb) ? BDEV : CACHE;

	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		struct cache_finding f = { .code = rules[i].code, .sector = CACHE_SB_SECTOR };
		int ret;

		if (!(rules[i].for_ & kind) || rules[i].holds(&c, &f))
			continue;
		ret = cache_found(sink, err, &f);
		if (ret)
			return ret;
		if (ends_here(f.code))
			break;
	}
	return 0;
}

bool cache_sb_is_usable(const struct cache_sb *sb, uint64_t dev_sectors)
{
	uint64_t need;

	if (!has_magic(sb))
		return false;
	if (cache_sb_is_bdev(sb))
		return sb->data_offset_sectors <= dev_sectors;
	return cache_is_pow2(sb->block_sectors) && sb->block_sectors <= CACHE_PAGE_SECTORS &&
	       sb->bucket_sectors >= CACHE_PAGE_SECTORS && cache_is_pow2(sb->bucket_sectors) &&
	       cache_mul_ok(sb->nbuckets, sb->bucket_sectors, &need) && need <= dev_sectors &&
	       sb->njournal <= CACHE_SB_JOURNAL_BUCKETS && sb->first_bucket &&
	       sb->nr_this_dev < CACHE_MAX_CACHES_PER_SET &&
	       cache_sb_reserved_buckets(sb) < sb->nbuckets;
}

static const char *name_of(const char *const *names, unsigned n, unsigned i)
{
	return i < n ? names[i] : "undefined";
}

const char *cache_replacement_name(unsigned replacement)
{
	static const char *const names[] = { "lru", "fifo", "random" };

	return name_of(names, 3, replacement);
}

const char *cache_mode_name(unsigned mode)
{
	static const char *const names[] = {
		"writethrough", "writeback", "writearound", "none",
	};

	return name_of(names, 4, mode);
}

const char *cache_bdev_state_name(unsigned state)
{
	static const char *const names[] = { "none", "clean", "dirty", "stale" };

	return name_of(names, 4, state);
}

int cache_sb_check_clone(const struct cache_sb *a, const struct cache_sb *b, const char *name,
			 struct cache_err *err)
{
	if (!has_magic(a) || !has_magic(b) || memcmp(a->uuid, b->uuid, sizeof(a->uuid)))
		return 0;
	return cache_err_set(err, -ENOTUNIQ, 0, "it has the same UUID as %s: one of them is a copy of the other",
			     name);
}
