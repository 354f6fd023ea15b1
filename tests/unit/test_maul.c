// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random damage to sets that a kernel wrote. Whatever was hit, mending ends, and then
 * the set is clean or it was said why not. MAUL_RUNS and MAUL_SEED make it longer, or
 * repeat what failed; what came of it is counted.
 */
#include "disk.h"
#include "set.h"

#include "libcache/dev_log.h"
#include "libcache/fsck.h"
#include "libcache/repair.h"
#include "libcache/rng.h"
#include "libcache/super.h"

#define METADATA_MAX	4096

struct maul {
	struct cache_dev *base, *scratch;	/* as it was; what is hit */
	struct cache_dev_log log;
	struct cache_sb sb;
	struct cache_rng rng;
	uint64_t bucket[METADATA_MAX];		/* superblock, ring, prios, uuids, nodes */
	unsigned nbuckets;
	/* of one run */
	bool super;
	const char *said, *found;	/* why not; the last finding */
	char faults[128];
	uint64_t clean, healed, lossy, left;
};

static uint64_t below(struct maul *m, uint64_t n)
{
	return cache_rng_below(&m->rng, n);
}

static uint64_t number(const char *name, uint64_t fallback)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 0) : fallback;
}

static void learn_metadata(struct maul *m)
{
	struct cache_image *img = set_load(m->base);

	m->sb = img->sb;
	for (uint64_t b = 0; b < img->sb.nbuckets && m->nbuckets < METADATA_MAX; b++) {
		enum cache_role role = cache_image_role(img, b);

		if (role != CACHE_ROLE_FREE && role != CACHE_ROLE_CLEAN &&
		    role != CACHE_ROLE_DIRTY)
			m->bucket[m->nbuckets++] = b;
	}
	cache_image_close(img);
}

/* Mostly metadata, and there mostly its beginning; else anywhere. */
static uint64_t pick_block(struct maul *m)
{
	uint64_t block = m->sb.block_sectors, per = m->sb.bucket_sectors / block;
	uint64_t b = below(m, m->sb.nbuckets);

	if (!below(m, 10))
		return CACHE_SB_SECTOR;
	if (below(m, 5))
		b = m->bucket[below(m, m->nbuckets)];
	return cache_bucket_sector(&m->sb, b) + (below(m, 2) ? 0 : below(m, per)) * block;
}

static void flip_bits(struct maul *m, uint8_t *p, uint64_t nbytes)
{
	uint64_t at = below(m, below(m, 2) && nbytes > 300 ? 300 : nbytes);

	p[at] ^= 1u << below(m, 8);
}

/* A field changed on purpose: the checksum of a superblock or an entry follows. */
static void seal(uint8_t *p, uint64_t sector)
{
	struct cache_jset_disk *j = (void *)p;

	if (sector == CACHE_SB_SECTOR)
		((struct cache_sb_disk *)p)->csum = cache_le64_of(cache_sb_csum(p));
	else if (cache_jset_bytes(j) <= 8 * CACHE_SECTOR_BYTES)
		j->csum = cache_le64_of(cache_jset_csum(j));
}

static void hurt(struct maul *m)
{
	static const char *const names[] = { "zero", "flip", "noise", "copy", "sealed", "swap",
					     "bucket" };
	uint64_t at = pick_block(m), from = pick_block(m), n = 8, kind = below(m, 7);
	uint8_t *p = cache_dev_buf(n * CACHE_SECTOR_BYTES);
	uint8_t *q = cache_dev_buf(m->sb.bucket_sectors * CACHE_SECTOR_BYTES);
	size_t len = strlen(m->faults);

	snprintf(m->faults + len, sizeof(m->faults) - len, " %s@%llu", names[kind],
		 (unsigned long long)at);
	cache_dev_read(m->scratch, at, n, p, NULL);
	cache_dev_read(m->scratch, from, n, q, NULL);
	switch (kind) {
	case 0:
		memset(p, 0, n * CACHE_SECTOR_BYTES);
		break;
	case 1:
		flip_bits(m, p, n * CACHE_SECTOR_BYTES);
		break;
	case 2:
		for (unsigned i = 0; i < n * CACHE_SECTOR_BYTES; i++)
			p[i] = cache_rng_u64(&m->rng);
		break;
	case 4:
		flip_bits(m, p, n * CACHE_SECTOR_BYTES);
		seal(p, at);
		break;
	case 5:
		cache_dev_write(m->scratch, from, n, p, NULL);
		/* fall through */
	case 3:
		memcpy(p, q, n * CACHE_SECTOR_BYTES);
		break;
	case 6:
		memset(q, 0, m->sb.bucket_sectors * CACHE_SECTOR_BYTES);
		cache_dev_write(m->scratch, at - at % m->sb.bucket_sectors,
				m->sb.bucket_sectors, q, NULL);
		break;
	}
	if (kind != 6)
		cache_dev_write(m->scratch, at, n, p, NULL);
	free(p);
	free(q);
}

static void on_finding(void *ctx, unsigned dev, const struct cache_finding *f)
{
	const struct cache_problem_info *info = cache_problem_info(f->code);
	struct maul *m = ctx;

	if (info->severity != CACHE_SEVERITY_NOTE)
		m->found = info->code;
	m->super |= (info->number >> 8 == CACHE_PASS_SUPER &&
		     info->severity == CACHE_SEVERITY_CORRUPT) || f->code == CACHE_P_JOURNAL_EMPTY;
}

static bool looks_clean(struct maul *m)
{
	struct cache_fsck_result res = { 0 };
	struct cache_dev *dev = set_lend(m->scratch);
	struct cache_fsck f = { .devs = &dev, .ndevs = 1, .results = &res,
				.report = on_finding, .ctx = m };

	m->super = false;
	CHECK_EQ(cache_fsck_run(&f), 0);
	return cache_fsck_is_clean(&res);
}

/* Whether mending was, by its own word, without any loss. */
static bool mend(struct maul *m)
{
	struct cache_repair_opts opts = { .seed = 7 };
	struct cache_repair_plan plan;
	int ret = 0;

	m->said = NULL;
	if (m->super)
		ret = cache_repair_super(m->scratch, &opts, &plan, NULL);
	if (!ret)
		ret = cache_repair_cache(set_lend(m->scratch), &opts, &plan, NULL);
	if (plan.cannot)
		m->said = plan.cannot;
	else if (ret)
		m->said = "an error";
	else if (plan.blocked_dirty_sectors)
		m->said = "dirty data that cannot be right";
	return plan.safe;
}

static void take_back(struct maul *m)
{
	for (size_t i = 0; i < m->log.n; i++) {
		const struct cache_dev_op *op = &m->log.ops[i];
		char *buf = cache_dev_buf(op->nsectors * CACHE_SECTOR_BYTES + 1);
		size_t n = m->log.n;

		if (op->kind == CACHE_DEV_OP_WRITE) {
			cache_dev_read(m->base, op->sector, op->nsectors, buf, NULL);
			cache_dev_write(m->scratch, op->sector, op->nsectors, buf, NULL);
			free((void *)m->log.ops[n].data);
			m->log.n = n;
		}
		free(buf);
	}
	cache_dev_log_fini(&m->log);
	memset(&m->log, 0, sizeof(m->log));
}

static void maul_once(struct maul *m, uint64_t seed)
{
	bool safe;

	cache_rng_init(&m->rng, seed);
	m->faults[0] = '\0';
	for (uint64_t n = 1 + below(m, 2); n--;)
		hurt(m);
	if (looks_clean(m)) {
		m->clean++;
		take_back(m);
		return;
	}
	safe = mend(m);
	if (looks_clean(m)) {
		m->healed += safe;
		m->lossy += !safe;
	} else {
		m->left++;
		if (!m->said)
			TEST_FAIL("%s, MAUL_SEED=%llu,%s: mended without a word, and not clean: %s",
				  cache_dev_name(m->base), (unsigned long long)seed, m->faults,
				  m->found);
	}
	take_back(m);
}

static void maul(const char *name)
{
	uint64_t runs = number("MAUL_RUNS", 100), seed = number("MAUL_SEED", 1);
	struct maul *m = calloc(1, sizeof(*m));

	m->base = set_open(name);
	learn_metadata(m);
	CHECK_EQ(cache_dev_log_new(set_copy(m->base), &m->log, &m->scratch, NULL), 0);
	for (uint64_t i = 0; i < runs; i++)
		maul_once(m, seed + i);
	printf("# %s: %llu unharmed, %llu healed, %llu healed with what is lost named, "
	       "%llu left and said why\n", name, (unsigned long long)m->clean,
	       (unsigned long long)m->healed, (unsigned long long)m->lossy,
	       (unsigned long long)m->left);
	cache_dev_close(m->scratch);
	cache_dev_close(m->base);
	cache_dev_log_fini(&m->log);
	free(m);
}

TEST(a_set_that_ran_once_survives_random_damage) { maul("registered"); }
TEST(dirty_data_after_a_crash_survives_random_damage) { maul("wb-crash"); }
TEST(a_journal_to_replay_survives_random_damage) { maul("wb-clean"); }
TEST(a_cache_that_churned_survives_random_damage) { maul("churn-lru"); }
TEST(two_devices_in_one_set_survive_random_damage) { maul("two-backs"); }
TEST(a_flash_volume_survives_random_damage) { maul("flash-vol"); }

TEST_MAIN()
