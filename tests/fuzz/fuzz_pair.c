// SPDX-License-Identifier: GPL-2.0-only
/*
 * A cache device and one of its backing devices, both damaged, are checked together and
 * repaired. The input:
 *
 *	byte 0	bits 0-1 which pair, 2 the backing device first, 3 a device is given twice,
 *		4 a dry run, 5 --guess, 6 repair, 7 with the loss of data
 *	then 8 bytes a change, as fuzz_image.c has them; where bit 7 of the kind is set, of the
 *	superblock of the backing device
 *
 * What must hold: no crash, no over-read, time as the bytes read; looking writes nothing, nor does
 * a dry run; of a backing device nothing but the superblock is written; what a repair calls clean
 * is clean.
 */
#include "budget.h"
#include "damage.h"

#include <libcache/repair.h>

#include "target.h"

enum { BACKING_FIRST = 4, TWICE = 8, DRY_RUN = 16, GUESS = 32, REPAIR = 64, DATA_LOSS = 128 };

static const char *const names[] = { "flash-73", "rewrite-61", "wb-crash", "churn-510" };
#define NPAIRS (sizeof(names) / sizeof(*names))

static struct pair {
	struct base cache;
	struct base backing;		/* of it only the superblock is damaged */
} pairs[NPAIRS];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *dir = getenv("BUILD");
	char path[512];

	for (size_t i = 0; i < NPAIRS; i++) {
		snprintf(path, sizeof(path), "%s.cache", names[i]);
		learn(&pairs[i].cache, path);
		snprintf(path, sizeof(path), "%s/images/%s.back1", dir ? dir : "build", names[i]);
		if (overlay_open(&pairs[i].backing.o, path)) {
			fprintf(stderr, "cannot load %s: make tests first\n", path);
			exit(1);
		}
	}
	return 0;
}

static void damage_pair(struct pair *p, const uint8_t *data, size_t size)
{
	struct cache_dev *backing = overlay_dev(&p->backing.o);

	for (size_t i = 0; i + 8 <= size && i < 8 * CHANGES_MAX; i += 8) {
		struct change c = { 0, data[i + 1] | data[i + 2] << 8,
				    data[i + 3] | data[i + 4] << 8,
				    data[i + 5] | data[i + 6] << 8, data[i + 7] };

		if (data[i] & 0x80)
			change_super(&p->backing, backing, &c);
		else
			damage(&p->cache, data + i, 8);
	}
	cache_dev_close(backing);
}

static void on_finding(void *ctx, unsigned dev, const struct cache_finding *f)
{
	struct cache_finding_field field;
	char line[CACHE_ERR_TEXT_BYTES];

	if (dev >= *(unsigned *)ctx)
		abort();
	cache_finding_text(f, line, sizeof(line));
	for (unsigned i = 0; cache_finding_field(f, i, &field); i++)
		;
}

static void check(struct cache_dev **devs, unsigned n, struct cache_fsck_result *res)
{
	struct cache_fsck f = { .size = sizeof(f), .devs = devs, .ndevs = n, .results = res,
				.report = on_finding, .ctx = &n };

	cache_fsck_run(&f);
}

static bool agree(void *ctx, unsigned dev, const struct cache_repair_plan *plan)
{
	return true;
}

static void repair(struct pair *p, struct cache_dev **devs, unsigned n, unsigned bits)
{
	struct cache_repair_opts opts = { .size = sizeof(opts), .seed = 1, .eras = 0,
					  .allow_data_loss = bits & DATA_LOSS,
					  .dry_run = bits & DRY_RUN, .guess = bits & GUESS,
					  .confirm = agree };
	uint32_t cache_writes = p->cache.o.nwrites, backing_writes = p->backing.o.nwrites;
	struct cache_repair_result res[3];
	struct cache_fsck_result again[3];

	if (cache_repair_run(devs, n, &opts, res))
		return;
	if (bits & DRY_RUN &&
	    (p->cache.o.nwrites != cache_writes || p->backing.o.nwrites != backing_writes)) {
		fprintf(stderr, "a dry run wrote\n");
		abort();
	}
	for (uint32_t i = backing_writes; i < p->backing.o.nwrites; i++)
		if (p->backing.o.write[i].sector != CACHE_SB_SECTOR ||
		    p->backing.o.write[i].n != CACHE_SB_BYTES / CACHE_SECTOR_BYTES) {
			fprintf(stderr, "%" PRIu64 " sectors written at %" PRIu64 "\n",
				p->backing.o.write[i].n, p->backing.o.write[i].sector);
			abort();
		}
	if (bits & DRY_RUN)
		return;
	check(devs, n, again);
	for (unsigned i = 0; i < n; i++)
		if (res[i].checked_again && cache_fsck_is_clean(&res[i].after) &&
		    !cache_fsck_is_clean(&again[i])) {
			fprintf(stderr, "device %u was called clean, and is not\n", i);
			abort();
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t cache_writes, backing_writes;
	struct cache_fsck_result res[3];
	struct cache_dev *devs[3];
	unsigned n = 2, first;
	struct pair *p;

	if (size < 1)
		return 0;
	p = &pairs[(data[0] & 3) % NPAIRS];
	overlay_forget(&p->cache.o);
	overlay_forget(&p->backing.o);
	damage_pair(p, data + 1, size - 1);
	first = !!(data[0] & BACKING_FIRST);
	devs[first] = overlay_dev(&p->cache.o);
	devs[!first] = overlay_dev(&p->backing.o);
	if (data[0] & TWICE)
		devs[n++] = overlay_dev(&p->backing.o);
	cache_writes = p->cache.o.nwrites;
	backing_writes = p->backing.o.nwrites;
	budget_start();
	check(devs, n, res);
	if (p->cache.o.nwrites != cache_writes || p->backing.o.nwrites != backing_writes)
		abort();	/* looking wrote */
	if (data[0] & REPAIR)
		repair(p, devs, n, data[0]);
	budget_end(overlay_bytes, overlay_bytes);
	for (unsigned i = 0; i < n; i++)
		cache_dev_close(devs[i]);
	return 0;
}
