// SPDX-License-Identifier: GPL-2.0-only
/*
 * write_states WORK IMAGE DIR COUNT SEED - what a power cut could leave, as files
 *
 * WORK is done to IMAGE, in memory, and COUNT of the states that the harness makes of it
 * (prefixes, writes dropped, random subsets, torn writes) are written to DIR/N.cache,
 * chosen by SEED. A line each says which: N, then the state's words.
 *
 *	alloc	cache-alloc --commit		repair	cache-fsck -y
 *	format	make-cache over what is there
 */
#include <errno.h>
#include <unistd.h>

#include "harness.h"
#include <libcache/format.h>
#include "offline/offline.h"
#include "repair/repair.h"

struct writer {
	uint64_t seen, total;	/* states; 0 while they are counted */
	const char *dir;
	uint64_t count, written;
	struct cache_rng rng;
};

static int alloc(void *ctx, struct cache_dev *dev)
{
	struct cache_offline_opts opts = { .policy = CACHE_POLICY_FIFO, .count = 2000, .seed = 1,
					   .reserve = CACHE_RESERVE_NONE };
	struct cache_fsck_result found;
	struct cache_offline_result res;
	struct cache_offline_written w;
	struct cache_offline *o;
	struct cache_set *set;
	int ret = cache_offline_open(dev, 0, NULL, &found, &set, NULL);

	if (ret)
		return ret;
	ret = cache_offline_new(set, &opts, &o, NULL);
	if (!ret) {
		ret = cache_offline_run(o, &res, NULL);
		if (!ret)
			ret = cache_offline_plan(o, &w, NULL);
		if (!ret)
			ret = cache_offline_commit(o, &w, NULL);
		cache_offline_free(o);
	}
	cache_set_close(set);
	return ret;
}

static int repair(void *ctx, struct cache_dev *dev)
{
	struct cache_repair_opts opts = { .seed = 7 };
	struct cache_repair_plan plan;

	return cache_repair_cache(dev, &opts, &plan, NULL);
}

static int nobody(const uint8_t set_uuid[16],
		  int (*found)(void *ctx, const char *path, const struct cache_sb *sb),
		  void *ctx)
{
	return 0;
}

static int format(void *ctx, struct cache_dev *dev)
{
	struct cache_mkcache_dev d = { .dev = dev, .uuid = { 1 } };
	struct cache_mkcache m = { .size = sizeof(m), .devs = &d, .ndevs = 1, .bucket_sectors = 16,
				   .block_sectors = 8, .set_uuid = { 2 }, .find_set = nobody };
	int ret = cache_mkcache_plan(&m, NULL);

	if (!ret)
		ret = cache_mkcache_write(&m, 0, NULL);
	return ret;
}

static bool is_zero(const char *p, size_t n)
{
	return !*p && !memcmp(p, p + 1, n - 1);
}

static void write_state(struct cache_dev *dev, const char *path)
{
	static char buf[64 * 1024] __attribute__((aligned(4096)));
	uint64_t n = cache_dev_sectors(dev), step = sizeof(buf) / CACHE_SECTOR_BYTES;
	FILE *f = fopen(path, "w");

	if (!f || ftruncate(fileno(f), n * CACHE_SECTOR_BYTES)) {
		perror(path);
		exit(1);
	}
	for (uint64_t at = 0; at < n; at += step) {
		uint64_t count = n - at < step ? n - at : step;

		CHECK_EQ(cache_dev_read(dev, at, count, buf, NULL), 0);
		if (is_zero(buf, count * CACHE_SECTOR_BYTES))
			continue;
		if (fseek(f, at * CACHE_SECTOR_BYTES, SEEK_SET) ||
		    fwrite(buf, CACHE_SECTOR_BYTES, count, f) != count) {
			perror(path);
			exit(1);
		}
	}
	if (fclose(f)) {
		perror(path);
		exit(1);
	}
}

/* Each state is as likely as any other, and exactly as many are written as were asked for. */
static void see(void *ctx, struct cache_dev *dev, const char *what, size_t at)
{
	struct writer *w = ctx;
	uint64_t left = w->total - w->seen++;
	char path[512];

	if (!w->total || w->written == w->count ||
	    cache_rng_below(&w->rng, left) >= w->count - w->written)
		return;
	snprintf(path, sizeof(path), "%s/%" PRIu64 ".cache", w->dir, w->written);
	write_state(dev, path);
	printf("%" PRIu64 " %s %zu\n", w->written++, what, at);
}

static const struct work {
	const char *name;
	int (*work)(void *ctx, struct cache_dev *dev);
} works[] = { { "alloc", alloc }, { "repair", repair }, { "format", format } };

static const struct work *find_work(const char *name)
{
	for (size_t i = 0; i < sizeof(works) / sizeof(*works); i++)
		if (!strcmp(works[i].name, name))
			return &works[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct work *work = argc == 6 ? find_work(argv[1]) : NULL;
	struct writer w = { 0 };
	struct crash c = { .see = see, .ctx = &w };

	if (!work) {
		fprintf(stderr, "usage: write_states alloc|repair|format IMAGE DIR COUNT SEED\n");
		return 2;
	}
	if (setjmp(test_jmp))
		return 1;
	w.dir = argv[3];
	w.count = strtoull(argv[4], NULL, 0);
	c.seed = strtoull(argv[5], NULL, 0);
	cache_rng_init(&w.rng, c.seed);
	c.work = work->work;
	c.base = set_read(argv[2], "state");
	if (!c.base) {
		perror(argv[2]);
		return 1;
	}
	crash_cuts(&c);		/* how many there are */
	w.total = w.seen;
	w.seen = c.cuts = 0;
	crash_cuts(&c);
	cache_dev_close(c.base);
	return 0;
}
