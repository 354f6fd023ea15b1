// SPDX-License-Identifier: GPL-2.0-only
/*
 *	maul hurt ORIGINAL COPY SEED		damages COPY, says how and what it lies about
 *	maul weigh ORIGINAL REPAIRED HURT LOSSES
 *						what REPAIRED need not answer as ORIGINAL did
 *
 * HURT is what the first said, LOSSES what cache-fsck --losses wrote as it repaired. The second
 * prints "UUID FIRST LAST" for each run of 4 KiB blocks of a device that cannot be right any
 * more, and fails with a line for each that is not among the losses, that is answered from
 * where it never lay, or that a perfect reader still got from the damaged set.
 */
#include <inttypes.h>
#include <unistd.h>

#include "answers.h"
#include "maul.h"
#include "omniscient.h"

#include "host/ids.h"

#define LOSSES_MAX	100000

struct loss {
	uint64_t inode, start, end;
};

struct weigh {
	struct cache_set *set;	/* the original */
	struct maul_range lie[MAUL_LIES_MAX];
	unsigned nlies;
	uint8_t *falsified;
	struct loss *loss;
	unsigned nlosses;
	struct loss *gone;	/* what a perfect reader did not get from the damaged set */
	unsigned ngone;
	unsigned wrong;
};

static void fail(const char *what, const char *path)
{
	fprintf(stderr, "maul: %s: %s\n", path, what);
	exit(2);
}

static struct cache_dev *open_dev(const char *path, unsigned flags)
{
	struct cache_dev *dev;

	if (cache_dev_open(path, flags, &dev, NULL))
		fail("cannot be opened", path);
	return dev;
}

/* DIR/NAME-earlier.cache beside DIR/NAME.cache; NULL: there is none. */
static struct cache_dev *open_earlier(const char *path)
{
	const char *end = strstr(path, ".cache");
	struct cache_dev *dev = NULL;
	char name[4096];

	if (!end)
		return NULL;
	snprintf(name, sizeof(name), "%.*s-earlier.cache", (int)(end - path), path);
	return cache_dev_open(name, CACHE_DEV_READ, &dev, NULL) ? NULL : dev;
}

static void say_gone(void *ctx, const struct answers_piece *p)
{
	printf("gone %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", p->inode, p->start, p->end);
}

/* What a perfect reader gets wrong, now that the set is damaged. */
static void say_what_is_gone(struct maul *m)
{
	struct cache_set *set = maul_load(m->base);
	struct answers was, can;

	if (!set || answers_of(set, &was) || omniscient_read(set, m->dev, &can))
		fail("cannot be read", "the original");
	answers_compare(&was, &can, say_gone, NULL);
	answers_fini(&was);
	answers_fini(&can);
	cache_set_close(set);
}

static void hurt(char **argv)
{
	struct maul *m = calloc(1, sizeof(*m));
	struct cache_dev *copy = open_dev(argv[1], CACHE_DEV_WRITE);

	if (!maul_learn(m, open_dev(argv[0], CACHE_DEV_READ)))
		fail("is not a set to begin with", argv[0]);
	m->dev = copy;
	m->earlier = open_earlier(argv[0]);
	m->spare_data = true;
	maul_hurt(m, strtoull(argv[2], NULL, 0));
	printf("faults%s\n", m->faults);
	for (unsigned i = 0; i < m->nlies; i++)
		printf("lie %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", m->lie[i].lo_inode,
		       m->lie[i].lo, m->lie[i].hi_inode, m->lie[i].hi);
	for (uint64_t b = 0; b < m->sb.nbuckets; b++)
		if (m->falsified[b])
			printf("falsified %" PRIu64 " %u\n", b, m->falsified[b]);
	say_what_is_gone(m);
	cache_dev_close(copy);
	if (m->dev_sectors < cache_dev_sectors(m->base) &&
	    truncate(argv[1], m->dev_sectors * 512))
		fail("cannot be cut", argv[1]);
	cache_dev_close(m->earlier);
	cache_dev_close(m->base);
	maul_fini(m);
	free(m);
}

static void read_hurt(struct weigh *w, const char *path)
{
	FILE *f = fopen(path, "r");
	struct maul_range r;
	struct loss gone;
	char line[512];
	unsigned lie;
	uint64_t b;

	if (!f)
		fail("cannot be opened", path);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "lie %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &r.lo_inode,
			   &r.lo, &r.hi_inode, &r.hi) == 4 && w->nlies < MAUL_LIES_MAX)
			w->lie[w->nlies++] = r;
		else if (sscanf(line, "falsified %" SCNu64 " %u", &b, &lie) == 2 && b < w->set->sb.nbuckets)
			w->falsified[b] = lie;
		else if (sscanf(line, "gone %" SCNu64 " %" SCNu64 " %" SCNu64, &gone.inode,
				&gone.start, &gone.end) == 3 && w->ngone < LOSSES_MAX)
			w->gone[w->ngone++] = gone;
	}
	fclose(f);
}

/* Where sector 0 of the bcache device is among the sectors of its keys. */
static uint64_t first_sector(const struct weigh *w, uint64_t inode)
{
	const struct cache_uuids *u = &w->set->uuids;

	if (inode < u->n && cache_uuid_state(&u->slot[inode]) == CACHE_SLOT_FLASH)
		return 0;
	return CACHE_BDEV_DATA_START_SECTORS;
}

/* device_uuid, inode, path, start_sector, sectors ("-": to the end) */
static void read_losses(struct weigh *w, const char *path)
{
	FILE *f = fopen(path, "r");
	char line[1024];

	if (!f)
		fail("cannot be opened", path);
	while (fgets(line, sizeof(line), f)) {
		struct loss l;
		uint64_t sectors = 0;
		int n = sscanf(line, "%*[^\t]\t%" SCNu64 "\t%*[^\t]\t%" SCNu64 "\t%" SCNu64,
			       &l.inode, &l.start, &sectors);

		if (n < 2 || w->nlosses == LOSSES_MAX)
			continue;
		l.start += first_sector(w, l.inode);
		l.end = n == 3 ? l.start + sectors : UINT64_MAX;
		w->loss[w->nlosses++] = l;
	}
	fclose(f);
}

static bool is_lie(const struct weigh *w, const struct answers_piece *p)
{
	if (maul_is_falsified(w->falsified, &w->set->sb, p))
		return true;
	for (unsigned i = 0; i < w->nlies; i++)
		if (maul_covers(&w->lie[i], p->inode, p->start, p->end))
			return true;
	return false;
}

static bool covers(const struct loss *loss, unsigned n, const struct answers_piece *p)
{
	uint64_t at = p->start;
	bool more = true;

	while (more && at < p->end) {
		more = false;
		for (unsigned i = 0; i < n; i++)
			if (loss[i].inode == p->inode && loss[i].start <= at &&
			    loss[i].end > at) {
				at = loss[i].end;
				more = true;
			}
	}
	return at >= p->end;
}

static void on_piece(void *ctx, const struct answers_piece *p)
{
	struct weigh *w = ctx;
	const struct cache_uuids *u = &w->set->uuids;
	char uuid[CACHE_UUID_TEXT_BYTES] = "-";
	uint64_t first = first_sector(w, p->inode);

	if (p->inode < u->n)
		cache_uuid_format(u->slot[p->inode].uuid, uuid);
	bool named = p->change != ANSWERS_STALE && covers(w->loss, w->nlosses, p);
	bool worse = !covers(w->gone, w->ngone, p);

	if (!is_lie(w, p) && (!named || worse)) {
		printf("wrong %" PRIu64 ":%" PRIu64 "-%" PRIu64 " change %d%s%s\n", p->inode,
		       p->start, p->end, p->change, named ? "" : ", not named",
		       worse ? ", could be read before the repair" : "");
		w->wrong++;
	}
	if (p->start >= first)
		printf("%s %" PRIu64 " %" PRIu64 "\n", uuid, (p->start - first) / 8,
		       (p->end - 1 - first) / 8);
}

static int weigh(char **argv)
{
	struct weigh *w = calloc(1, sizeof(*w));
	struct cache_dev *was = open_dev(argv[0], CACHE_DEV_READ);
	struct cache_dev *is = open_dev(argv[1], CACHE_DEV_READ);
	struct cache_set *now = maul_load(is);
	struct answers a, b;
	unsigned wrong;

	w->set = maul_load(was);
	if (!w->set || !now || answers_of(w->set, &a) || answers_of(now, &b))
		fail("cannot be loaded", argv[1]);
	w->falsified = calloc(w->set->sb.nbuckets, 1);
	w->loss = calloc(LOSSES_MAX, sizeof(*w->loss));
	w->gone = calloc(LOSSES_MAX, sizeof(*w->gone));
	read_hurt(w, argv[2]);
	read_losses(w, argv[3]);
	answers_compare(&a, &b, on_piece, w);
	wrong = w->wrong;
	answers_fini(&a);
	answers_fini(&b);
	cache_set_close(now);
	cache_set_close(w->set);
	cache_dev_close(is);
	cache_dev_close(was);
	free(w->falsified);
	free(w->loss);
	free(w->gone);
	free(w);
	return !!wrong;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "hurt")) {
		hurt(argv + 2);
		return 0;
	}
	if (argc == 6 && !strcmp(argv[1], "weigh"))
		return weigh(argv + 2);
	fprintf(stderr, "usage: maul hurt ORIGINAL COPY SEED | "
		"weigh ORIGINAL REPAIRED HURT LOSSES\n");
	return 2;
}
