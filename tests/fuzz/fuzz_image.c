// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kernel-written image, damaged as the input says, is checked, repaired and checked
 * again. The input is a list of changes to named structures, their checksums computed again,
 * so that damage gets past the checksums:
 *
 *	byte 0	bits 0-2 which image, 5 run the allocator on what is clean, with the
 *		policy in bits 3-4, 6 repair the rest, 7 with the loss of data
 *	then 8 bytes a change: kind, pick (2), offset (2), value (2), how
 *
 * What must hold: no crash, no over-read, no endless loop, bounded memory; checking
 * changes nothing; what is repaired is clean, or it was said why not.
 */
#include "budget.h"
#include "damage.h"

#include <libcache/fsck.h>
#include "offline/offline.h"
#include "repair/repair.h"
#include "target.h"

/* The small ones, which run fastest, more often. */
static const char *const names[] = {
	"registered.cache", "churn-lru.cache", "ring-full.cache", "wb-crash.cache",
	"flash-vol.cache",
};
static const uint8_t choice[8] = { 0, 0, 0, 1, 1, 2, 3, 4 };
#define NIMAGES (sizeof(names) / sizeof(*names))

static struct base bases[NIMAGES];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	for (size_t i = 0; i < NIMAGES; i++)
		learn(&bases[i], names[i]);
	return 0;
}

/* What a check found. */
struct found {
	struct cache_fsck_result res;
	bool super;		/* the superblock is what is wrong */
	const char *last;	/* the last finding that has a remedy */
};

static void on_finding(void *ctx, unsigned dev, const struct cache_finding *f)
{
	const struct cache_problem_info *info = cache_problem_info(f->code);
	char line[CACHE_ERR_TEXT_BYTES];
	struct cache_finding_field field;
	struct found *found = ctx;

	cache_finding_text(f, line, sizeof(line));
	for (unsigned i = 0; cache_finding_field(f, i, &field); i++)
		;
	if (info->severity != CACHE_SEVERITY_NOTE && info->remedy != CACHE_FIX_NONE)
		found->last = info->code;
	if (info->severity == CACHE_SEVERITY_CORRUPT)
		found->super |= info->number >> 8 == CACHE_PASS_SUPER ||
				f->code == CACHE_P_JOURNAL_EMPTY;
}

static struct found check(struct overlay *o)
{
	struct cache_dev *dev = overlay_dev(o);
	struct found found = { 0 };
	struct cache_fsck f = { .size = sizeof(f), .devs = &dev, .ndevs = 1, .results = &found.res,
				.report = on_finding, .ctx = &found };

	cache_fsck_run(&f);
	cache_dev_close(dev);
	return found;
}

/* As cache-fsck -y does it: the superblock first. */
static void repair(struct overlay *o, bool super, bool allow_data_loss)
{
	struct cache_repair_opts opts = { .seed = 1, .allow_data_loss = allow_data_loss };
	struct cache_repair_plan plan = { 0 };
	struct cache_dev *dev = overlay_dev(o);
	struct found found;
	int ret = 0;

	if (super)
		ret = cache_repair_super(dev, &opts, &plan, NULL);
	if (!ret)
		ret = cache_repair_cache(dev, &opts, &plan, NULL);
	cache_dev_close(dev);
	if (ret || plan.cannot || plan.blocked_dirty_sectors)
		return;
	found = check(o);
	if (cache_fsck_is_clean(&found.res) || (found.res.has_summary && !found.last))
		return;
	fprintf(stderr, "repaired without a message, and not clean: %s\n", found.last);
	abort();
}

/* Takes buckets on a set that the check called clean: it must stay so. */
static void allocate(struct overlay *o, unsigned policy)
{
	struct cache_offline_opts opts = { .policy = policy % CACHE_POLICY_NR, .count = 20,
					   .seed = 1 };
	struct cache_offline_result res;
	struct cache_offline_written w;
	struct cache_fsck_result found;
	struct cache_set *set = NULL;
	struct cache_dev *dev = overlay_dev(o);
	struct cache_offline *a = NULL;
	struct cache_err err = { 0 };

	if (cache_offline_open(dev, 0, NULL, &found, &set, &err) ||
	    cache_offline_new(set, &opts, &a, &err) || cache_offline_run(a, &res, &err) ||
	    cache_offline_plan(a, &w, &err))
		goto out;
	if (cache_offline_commit(a, &w, &err) || cache_offline_verify(set, 0, NULL, &found, &w, &err)) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
out:
	cache_offline_free(a);
	cache_set_close(set);
	cache_dev_close(dev);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct found found;
	uint32_t nwrites;
	struct base *b;

	if (size < 9)
		return 0;
	b = &bases[choice[data[0] & 7]];
	budget_start();
	overlay_forget(&b->o);
	damage(b, data + 1, size - 1);
	nwrites = b->o.nwrites;
	found = check(&b->o);
	if (b->o.nwrites != nwrites)
		abort();	/* looking wrote */
	if (cache_fsck_is_clean(&found.res) && data[0] & 0x20)
		allocate(&b->o, data[0] >> 3);
	else if (data[0] & 0x40)
		repair(&b->o, found.super, data[0] & 0x80);
	budget_end(overlay_bytes, overlay_bytes);
	return 0;
}
