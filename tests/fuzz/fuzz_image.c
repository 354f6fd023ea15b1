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
#include "overlay.h"

#include "format/bset_codec.h"
#include "disk/jset_codec.h"

#include "base/crc64.h"
#include <libcache/fsck.h>
#include "set/set.h"
#include "offline/offline.h"
#include "repair/repair.h"
#include "target.h"

#define NODES_MAX	256
#define CHANGES_MAX	32

/* The small ones, which run fastest, more often. */
static const char *const names[] = {
	"registered.cache", "churn-lru.cache", "ring-full.cache", "wb-crash.cache",
	"flash-vol.cache",
};
static const uint8_t choice[8] = { 0, 0, 0, 1, 1, 2, 3, 4 };
#define NIMAGES (sizeof(names) / sizeof(*names))

/* What there is to damage in one image. */
static struct base {
	struct overlay o;
	struct cache_sb sb;
	struct cache_jset_pos entry[512];
	uint32_t nentries;
	struct cache_bkey node[NODES_MAX];
	uint32_t nnodes;
	uint64_t prio[8], uuid_sector;
	uint32_t nprios;
} bases[NIMAGES];

static int add_node(void *ctx, const struct cache_btree_node *n)
{
	struct base *b = ctx;

	if (b->nnodes < NODES_MAX)
		b->node[b->nnodes++] = n->key;
	return 0;
}

static void learn(struct base *b, const char *dir, const char *name)
{
	struct cache_set *set;
	struct cache_dev *dev;
	char path[512];
	int ret;

	snprintf(path, sizeof(path), "%s/images/%s", dir, name);
	ret = overlay_open(&b->o, path);
	if (!ret) {
		dev = overlay_dev(&b->o);
		ret = cache_set_load(dev, CACHE_LOAD_MARKS, NULL, &set, NULL);
	}
	if (ret) {
		fprintf(stderr, "cannot load %s: make tests first\n", path);
		exit(1);
	}
	b->sb = set->sb;
	for (size_t i = 0; i < set->journal.nentries && b->nentries < 512; i++)
		b->entry[b->nentries++] = set->journal.entries[i];
	for (uint64_t i = 0; i < set->prios.nfollowed && b->nprios < 8; i++)
		b->prio[b->nprios++] = set->prios.chain[i];
	b->uuid_sector = cache_ptr_sector(set->journal.newest.uuid_bucket.ptr[0]);
	cache_set_each_node(set, add_node, b, NULL, NULL);
	cache_set_close(set);
	cache_dev_close(dev);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *dir = getenv("BUILD");

	for (size_t i = 0; i < NIMAGES; i++)
		learn(&bases[i], dir ? dir : "build", names[i]);
	return 0;
}

struct change {
	uint8_t kind;
	uint16_t pick, offset, value;
	uint8_t how;
};

/* Changes a little of @buf; the caller computes the checksum again, or does not. */
static void scribble(char *buf, size_t nbytes, const struct change *c)
{
	size_t at = c->offset % (nbytes - 1);

	if (c->how & 0x80)	/* one word becomes a copy of another */
		memcpy(buf + at / 8 * 8 % (nbytes - 7), buf + c->value % (nbytes - 7) / 8 * 8, 8);
	else if (c->how & 0x40)
		memset(buf + at, c->value, nbytes - at < 64 ? nbytes - at : 64);
	else if (c->how & 0x20)
		buf[at] ^= 1 << (c->value & 7);
	else
		memcpy(buf + at, &c->value, 2);
}

static void change_super(struct base *b, struct cache_dev *dev, const struct change *c)
{
	char buf[CACHE_SB_BYTES];

	cache_dev_read(dev, CACHE_SB_SECTOR, 8, buf, NULL);
	scribble(buf, c->how & 2 ? 0xd0 : sizeof(struct cache_sb_disk), c);
	if (c->how & 1)
		((struct cache_sb_disk *)buf)->csum = cache_le64_of(cache_sb_csum(buf));
	cache_dev_write(dev, CACHE_SB_SECTOR, 8, buf, NULL);
}

static void change_journal(struct base *b, struct cache_dev *dev, const struct change *c)
{
	const struct cache_jset_pos *pos = &b->entry[b->nentries - 1 - c->pick % b->nentries];
	uint32_t n = cache_jset_sectors(&b->sb, pos->nwords);
	uint64_t sector = cache_jset_sector(&b->sb, pos);
	char *buf = malloc(n * CACHE_SECTOR_BYTES);
	struct cache_jset_disk *d = (void *)buf;

	cache_dev_read(dev, sector, n, buf, NULL);
	scribble(buf, c->how & 2 ? CACHE_JSET_HEADER_BYTES : n * CACHE_SECTOR_BYTES, c);
	if (c->how & 1 && cache_jset_bytes(d) <= n * CACHE_SECTOR_BYTES)
		d->csum = cache_le64_of(cache_jset_csum(d));
	cache_dev_write(dev, sector, n, buf, NULL);
	free(buf);
}

static void change_prio(struct base *b, struct cache_dev *dev, const struct change *c)
{
	uint32_t nbytes = cache_meta_bucket_bytes(&b->sb), n = nbytes / CACHE_SECTOR_BYTES;
	uint64_t sector = cache_bucket_sector(&b->sb, b->prio[c->pick % b->nprios]);
	char *buf = malloc(nbytes);

	cache_dev_read(dev, sector, n, buf, NULL);
	scribble(buf, c->how & 2 ? CACHE_PRIO_SET_HEADER_BYTES : nbytes, c);
	if (c->how & 1)
		((struct cache_prio_set_disk *)buf)->csum =
			cache_le64_of(cache_crc64(buf + 8, nbytes - 8));
	cache_dev_write(dev, sector, n, buf, NULL);
	free(buf);
}

static void change_uuids(struct base *b, struct cache_dev *dev, const struct change *c)
{
	uint32_t n = cache_meta_bucket_bytes(&b->sb) / CACHE_SECTOR_BYTES;
	uint64_t sector = b->uuid_sector + (c->how & 2 ? 0 : c->pick % n);
	char buf[CACHE_SECTOR_BYTES];

	cache_dev_read(dev, sector, 1, buf, NULL);
	scribble(buf, sizeof(buf), c);
	cache_dev_write(dev, sector, 1, buf, NULL);
}

static void change_node(struct base *b, struct cache_dev *dev, const struct change *c)
{
	const struct cache_bkey *k = &b->node[c->pick % b->nnodes];
	uint32_t n = cache_key_size(k), block = b->sb.block_sectors;
	uint64_t sector = cache_ptr_sector(k->ptr[0]);
	uint32_t at = c->how >> 2 & 7;		/* which block */
	char *buf = malloc(n * CACHE_SECTOR_BYTES);
	struct cache_bset_disk *d;

	if (at * block >= n)
		at = 0;
	cache_dev_read(dev, sector, n, buf, NULL);
	d = (void *)(buf + at * block * CACHE_SECTOR_BYTES);
	scribble((char *)d, c->how & 2 ? CACHE_BSET_HEADER_BYTES + 96 :
		 (n - at * block) * CACHE_SECTOR_BYTES, c);
	if (c->how & 1 && cache_bset_bytes(d) <= (n - at * block) * CACHE_SECTOR_BYTES)
		d->csum = cache_le64_of(cache_bset_csum(d, k->ptr[0]));
	cache_dev_write(dev, sector, n, buf, NULL);
	free(buf);
}

static void (*const kinds[])(struct base *, struct cache_dev *, const struct change *) = {
	change_super, change_journal, change_prio, change_uuids, change_node, change_node,
};

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

static void damage(struct base *b, const uint8_t *data, size_t size)
{
	struct cache_dev *dev = overlay_dev(&b->o);

	for (size_t i = 0; i + 8 <= size && i < 8 * CHANGES_MAX; i += 8) {
		struct change c = { data[i], data[i + 1] | data[i + 2] << 8,
				    data[i + 3] | data[i + 4] << 8,
				    data[i + 5] | data[i + 6] << 8, data[i + 7] };

		kinds[c.kind % (sizeof(kinds) / sizeof(*kinds))](b, dev, &c);
	}
	cache_dev_close(dev);
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
	fprintf(stderr, "repaired without a word, and not clean: %s\n", found.last);
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

	if (cache_offline_open(dev, 0, &found, &set, &err) ||
	    cache_offline_new(set, &opts, &a, &err) || cache_offline_run(a, &res, &err) ||
	    cache_offline_plan(a, &w, &err))
		goto out;
	if (cache_offline_commit(a, &w, &err) || cache_offline_verify(set, 0, &found, &w, &err)) {
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
	return 0;
}
