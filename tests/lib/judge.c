// SPDX-License-Identifier: GPL-2.0-only
/*
 *	judge PLAN CACHE BACK...
 *
 * The kernel's judgement of a set's data, without a kernel: every block that the guest
 * wrote is read as the kernel would after its start, and must be as old as what was
 * acknowledged of it. An extent of the tree, or of the journal that is replayed over it,
 * answers from the cache; where none is live the backing device does, and behind a flash
 * volume there is nothing. PLAN is what `workloads` left: one line per device, BACK... are those
 * that are not flash volumes, in its order. Says what the guest would say, and before each
 * device "=== JUDGED back1 UUID", or "flash"; fails when a block is wrong or a device would
 * not be attached.
 */
#include "answers.h"

#include "../kernel/guest/written.h"

#include "host/ids.h"

#define BLOCK_SECTORS	(WRITTEN_BLOCK_BYTES / 512)

struct device {
	struct written w;
	uint64_t acked, total;
	bool flash;
	uint8_t uuid[16];
	struct cache_dev *cache, *back;
	int64_t inode;			/* -1: nothing is cached of it */
	uint64_t first_sector;		/* of its data */
	const struct answers *answers;
	size_t at;			/* where among the answers the last read began */
};

static void fail(const char *what, const char *path)
{
	fprintf(stderr, "judge: %s: %s\n", path, what);
	exit(2);
}

static struct cache_set *load(const char *path)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };
	struct cache_set *set = NULL;
	struct cache_dev *dev;

	if (cache_dev_open(path, CACHE_DEV_READ, &dev, NULL) ||
	    cache_set_load(dev, CACHE_LOAD_MARKS, &silent, &set, NULL))
		fail("cannot be loaded", path);
	/* one that has never run has nothing to read, and starts empty */
	if (set->loaded != CACHE_LOAD_MARKS && cache_sb_is_synced(&set->sb))
		fail("no kernel starts this", path);
	return set;
}

/* The part of the answer @a in the @n sectors from @start on, over what is in @to. */
static int overlay(const struct device *d, const struct answer *a, uint64_t start, uint64_t n,
		   char *to)
{
	uint64_t lo = a->start > start ? a->start : start;
	uint64_t hi = a->end < start + n ? a->end : start + n;
	char *buf = cache_dev_buf((hi - lo) * 512);
	int ret = cache_dev_read(d->cache, a->place + (lo - a->start), hi - lo, buf, NULL);

	memcpy(to + (lo - start) * 512, buf, (hi - lo) * 512);
	free(buf);
	return ret;
}

/* Answers are in order and so are the reads. */
static int read_blocks(void *ctx, uint64_t first, uint64_t len, uint64_t *buf)
{
	struct device *d = ctx;
	uint64_t start = d->first_sector + (d->w.base + first) * BLOCK_SECTORS;
	uint64_t n = len * BLOCK_SECTORS;
	int ret = 0;

	memset(buf, 0, n * 512);
	if (d->back)
		ret = cache_dev_read(d->back, start, n, buf, NULL);
	if (d->inode < 0)
		return ret;
	for (size_t i = answers_from(d->answers, &d->at, d->inode, start);
	     i < d->answers->n && !ret; i++) {
		const struct answer *a = &d->answers->a[i];

		if (a->inode != (uint64_t)d->inode || a->start >= start + n)
			break;
		ret = overlay(d, a, start, n, (char *)buf);
	}
	return ret;
}

/* KEY=VALUE of the words of a line, or @fallback. */
static const char *word(const char *line, const char *key, const char *fallback)
{
	size_t n = strlen(key);

	for (const char *p = line; (p = strstr(p, key)); p += n)
		if (p > line && p[-1] == ' ' && p[n] == '=')
			return p + n + 1;
	return fallback;
}

static uint64_t number(const char *line, const char *key, const char *fallback)
{
	return strtoull(word(line, key, fallback), NULL, 0);
}

/* CACHE DEVICE SEED KEY=VALUE... */
static bool parse(const char *line, struct device *d)
{
	char device[32];
	const char *blocks = word(line, "blocks", "16000"), *plus;

	if (sscanf(line, "%*s %31s %" SCNu64, device, &d->w.seed) != 2)
		return false;
	plus = strpbrk(blocks, "+ \n");
	plus = plus && *plus == '+' ? plus : NULL;
	d->flash = !strcmp(device, "flash");
	d->w.base = plus ? strtoull(blocks, NULL, 0) : 0;
	d->w.blocks = strtoull(plus ? plus + 1 : blocks, NULL, 0);
	d->w.span = number(line, "span", "1");
	d->acked = number(line, "acked", "0");
	d->total = number(line, "writes", "0");
	return d->w.blocks && d->w.span && d->w.span <= WRITTEN_SPAN_MAX;
}

static int64_t find_flash(const struct cache_uuids *u)
{
	for (unsigned i = 0; i < u->n; i++)
		if (cache_uuid_state(&u->slot[i]) == CACHE_SLOT_FLASH)
			return i;
	return -1;
}

/* Why the kernel would not attach it; NULL: it would. */
static const char *attach(const struct cache_set *set, struct device *d, const char *path)
{
	struct cache_sb sb;

	if (d->flash) {
		d->inode = find_flash(&set->uuids);
		if (d->inode < 0)
			return "there is no flash volume";
		memcpy(d->uuid, set->uuids.slot[d->inode].uuid, sizeof(d->uuid));
		return NULL;
	}
	if (cache_dev_open(path, CACHE_DEV_READ, &d->back, NULL) ||
	    cache_sb_read(d->back, &sb, NULL))
		fail("cannot be opened", path);
	memcpy(d->uuid, sb.uuid, sizeof(d->uuid));
	d->first_sector = sb.data_offset_sectors;
	d->inode = cache_uuid_find(&set->uuids, sb.uuid);
	if (memcmp(sb.set_uuid, set->sb.set_uuid, sizeof(sb.set_uuid)))
		return "belongs to another set";
	if (d->inode < 0 && cache_sb_bdev_state(&sb) == CACHE_BDEV_STATE_DIRTY)
		return "is dirty, and the set does not know it";
	return NULL;
}

static bool check(struct device *d)
{
	uint64_t *buf = cache_dev_buf(WRITTEN_AT_ONCE * WRITTEN_BLOCK_BYTES);
	int64_t wrong = written_check(&d->w, d->acked, d->total > d->acked ? d->total : d->acked,
				      read_blocks, d, buf);

	free(buf);
	if (wrong < 0)
		fail("cannot be read", "a device");
	return !wrong;
}

/* The device number @n of those that are not flash volumes, at @path. */
static bool judge(const struct cache_set *set, struct device *d, int n, const char *path)
{
	const char *why = attach(set, d, path);
	char uuid[CACHE_UUID_TEXT_BYTES], name[16] = "flash";
	bool right;

	cache_uuid_format(d->uuid, uuid);
	if (!d->flash)
		snprintf(name, sizeof(name), "back%d", n);
	printf("=== JUDGED %s %s\n", name, uuid);
	if (why)
		printf("=== REFUSED: %s\n", why);
	right = !why && check(d);
	cache_dev_close(d->back);
	return right;
}

int main(int argc, char **argv)
{
	struct cache_set *set;
	struct cache_dev *dev;
	struct answers answers = { 0 };
	char line[512];
	bool right = true;
	int n = 0;
	FILE *plan;

	if (argc < 3) {
		fprintf(stderr, "usage: judge PLAN CACHE BACK...\n");
		return 2;
	}
	plan = fopen(argv[1], "r");
	if (!plan)
		fail("cannot be opened", argv[1]);
	set = load(argv[2]);
	if (set->loaded == CACHE_LOAD_MARKS && answers_of(set, &answers))
		fail("cannot be read", argv[2]);
	while (fgets(line, sizeof(line), plan)) {
		struct device d = { .cache = set->dev, .answers = &answers };

		if (!parse(line, &d) || (!d.flash && argc == n + 3))
			fail("is not of these devices", argv[1]);
		n += !d.flash;
		right &= judge(set, &d, n, d.flash ? NULL : argv[n + 2]);
	}
	fclose(plan);
	answers_fini(&answers);
	dev = set->dev;
	cache_set_close(set);
	cache_dev_close(dev);
	return !right;
}
