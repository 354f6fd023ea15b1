// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random damage to sets that a kernel wrote, and the judge of what a repair made of each.
 * Repairing ends, and then the set is clean or it was said why not. (a) Every sector that a
 * perfect reader (omniscient.h) still got right from the damaged set is right after the
 * repair; (b) every other one that is not answered as before is among the losses that were
 * named, and no clean data rises that was not there; (c) the second look is clean. What is
 * called safe has lost nothing. No device gets the slot of another, and a dirty one that is
 * at hand keeps its own. MAUL_RUNS and MAUL_SEED make it longer, or repeat what failed,
 * MAUL_KIND takes some kinds of damage, MAUL_SET one set, MAUL_SAVE names a file for the
 * damaged set; what came of it is counted. Sets, as they were and damaged, are judged the same
 * way where one read fails in the course of a check or a repair; READ_ERRORS=1: each of them.
 */
#include "set.h"

#include "answers.h"
#include "maul.h"
#include "new_file.h"
#include "omniscient.h"

#include "dev/dev_fault.h"
#include "dev/dev_log.h"
#include <libcache/fsck.h>
#include "repair/repair.h"

#define LOSSES_MAX	4096
#define COMPLAINTS_MAX	60
#define BACKS_MAX	8

enum promise { MONOTONIC, NAMED, CLEAN_AFTER, PROMISES };

struct run {
	const char *name;
	uint64_t seed;
	struct cache_dev *base, *scratch;	/* as it was; what is hit */
	struct cache_dev_log log;
	struct maul maul;
	struct cache_set *set;			/* as it was */
	struct answers was;
	struct cache_sb back[BACKS_MAX];	/* superblocks of its backing devices */
	uint32_t slot[BACKS_MAX];		/* where each was */
	unsigned nbacks;
	/* of one fault */
	bool with_backs;	/* they are at hand, as they are for every other seed */
	struct cache_repair_plan plan;
	struct cache_repair_loss loss[LOSSES_MAX];
	unsigned nlosses;
	bool super, moved;	/* a device has another slot by the damage itself */
	const char *said, *found;	/* why not; the last finding */
	struct answers can;	/* what a perfect reader got before the repair */
	uint64_t pieces_broken[PROMISES];
	uint64_t failing;	/* the read that fails; 0: none */
	uint64_t pieces[3], falsified;	/* by answers_change, and those that nobody could tell */
	/* of all */
	uint64_t clean, repaired, lossy, guessed, left, misled, wrong;
	uint64_t broken[PROMISES];	/* sets */
};

static uint64_t number(const char *name, uint64_t fallback)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 0) : fallback;
}

static void on_finding(void *ctx, unsigned dev, const struct cache_finding *f)
{
	const struct cache_problem_info *info = cache_problem_info(f->code);
	struct run *r = ctx;

	if (info->severity != CACHE_SEVERITY_NOTE)
		r->found = info->code;
	r->super |= (info->number >> 8 == CACHE_PASS_SUPER &&
		     info->severity == CACHE_SEVERITY_CORRUPT) || f->code == CACHE_P_JOURNAL_EMPTY;
}

static void complain(struct run *r, const char *what, const char *detail)
{
	if (r->wrong++ >= COMPLAINTS_MAX)
		return;
	if (r->failing)
		printf("# read %llu fails: ", (unsigned long long)r->failing);
	printf("# %s, MAUL_SEED=%llu,%s: %s: %s\n", r->name, (unsigned long long)r->seed,
	       r->maul.faults, what, detail);
}

static bool is_dirty(const struct answers *a, uint64_t inode)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->a[i].inode == inode && a->a[i].dirty)
			return true;
	return false;
}

/* Those that the table names. */
static void learn_backs(struct run *r, const struct cache_set *set)
{
	for (uint32_t i = 0; i < set->uuids.n && r->nbacks < BACKS_MAX; i++) {
		const struct cache_uuid_entry *e = &set->uuids.slot[i];
		struct cache_sb *b = &r->back[r->nbacks];

		if (cache_uuid_state(e) != CACHE_SLOT_BACKING)
			continue;
		memcpy(b->uuid, e->uuid, sizeof(b->uuid));
		memcpy(b->label, e->label, sizeof(b->label));
		memcpy(b->set_uuid, set->sb.set_uuid, sizeof(b->set_uuid));
		b->version = CACHE_SB_VERSION_BDEV;
		b->data_offset_sectors = CACHE_BDEV_DATA_START_SECTORS;
		b->block_sectors = set->sb.block_sectors;
		b->flags = (uint64_t)(is_dirty(&r->was, i) ? CACHE_BDEV_STATE_DIRTY :
				      CACHE_BDEV_STATE_CLEAN) << CACHE_BDEV_STATE_SHIFT;
		r->slot[r->nbacks++] = i;
	}
}

/* A dirty one without a slot is not attached any more. With @strict none has another's. */
static bool are_attached(struct run *r, bool strict)
{
	struct cache_set *set = maul_load(r->scratch);
	bool all = set && set->uuids.n;

	for (unsigned i = 0; i < r->nbacks && set; i++) {
		int64_t slot = cache_uuid_find(&set->uuids, r->back[i].uuid);

		all &= slot >= 0 || cache_sb_bdev_state(&r->back[i]) != CACHE_BDEV_STATE_DIRTY;
		r->moved |= !strict && slot >= 0 && slot != r->slot[i];
		if (strict && !r->moved && slot >= 0 && slot != r->slot[i])
			complain(r, "has the slot", "of another device");
	}
	cache_set_close(set);
	return all;
}

static bool looks_clean(struct run *r)
{
	struct cache_fsck_result res = { 0 };
	struct cache_fsck f = { .size = sizeof(f), .devs = &r->scratch, .ndevs = 1, .results = &res,
				.report = on_finding, .ctx = r };

	r->super = false;
	CHECK_EQ(cache_fsck_run(&f), 0);
	if (!cache_fsck_is_clean(&res))
		return false;
	if (!r->with_backs || !res.has_summary || are_attached(r, false))
		return true;
	r->found = "BDEV_UNKNOWN";
	return false;
}

static void on_loss(void *ctx, unsigned dev, const struct cache_repair_loss *loss)
{
	struct run *r = ctx;

	if (r->nlosses < LOSSES_MAX)
		r->loss[r->nlosses++] = *loss;
}

static void repair(struct run *r, bool guess)
{
	struct cache_repair_opts opts = { .seed = 7, .guess = guess, .loss = on_loss, .ctx = r,
					  .backing = r->back, .nbacking = r->with_backs ? r->nbacks : 0 };
	int ret = 0;

	r->said = NULL;
	r->nlosses = 0;
	if (r->super)
		ret = cache_repair_super(r->scratch, &opts, &r->plan, NULL);
	if (!ret)
		ret = cache_repair_cache(r->scratch, &opts, &r->plan, NULL);
	if (r->plan.cannot)
		r->said = r->plan.cannot;
	else if (ret)
		r->said = "an error";
	else if (r->plan.blocked_dirty_sectors)
		r->said = "dirty data that cannot be right";
}

/* Nobody can tell: forged, or else (@traceless) the newest of it is lost without trace. */
static bool is_lie(const struct run *r, const struct answers_piece *p, bool traceless)
{
	if (maul_is_falsified(r->maul.falsified, &r->maul.sb, p))
		return true;
	for (unsigned i = 0; i < r->maul.nlies; i++)
		if ((r->maul.lie[i].forged || traceless) &&
		    maul_covers(&r->maul.lie[i], p->inode, p->start, p->end))
			return true;
	return false;
}

static bool is_named(const struct run *r, const struct answers_piece *p)
{
	uint64_t at = p->start;

	if (r->nlosses == LOSSES_MAX)
		return true;
	for (unsigned i = 0; i < r->nlosses && at < p->end; i++)
		if (r->loss[i].inode == p->inode && r->loss[i].start <= at &&
		    r->loss[i].end > at) {
			at = r->loss[i].end;
			i = -1;
		}
	return at >= p->end;
}

/* Whether a perfect reader still got any of @p right; where. */
static bool was_still_right(const struct run *r, const struct answers_piece *p, uint64_t *where)
{
	uint64_t at = p->start;

	while (at < p->end) {
		const struct answer *can = answers_find(&r->can, p->inode, at);

		*where = at;
		if (answers_judge(p->was, can, at) < 0)
			return true;
		at = can && can->end < p->end ? can->end : at + 1;
	}
	return false;
}

/* @p is not answered as before. */
static void on_piece(void *ctx, const struct answers_piece *p)
{
	static const char *const words[] = { "is lost", "is other data", "is stale" };
	struct run *r = ctx;
	uint64_t where;
	char text[128];

	snprintf(text, sizeof(text), "%s %llu:%llu-%llu", words[p->change], (unsigned long long)p->inode,
		 (unsigned long long)p->start, (unsigned long long)p->end);
	if (r->plan.rebuild && !is_lie(r, p, p->change == ANSWERS_STALE) &&
	    was_still_right(r, p, &where)) {
		if (!r->pieces_broken[MONOTONIC]++)
			complain(r, "could be read before the repair, and now it", text);
	}
	if (is_lie(r, p, true)) {
		r->falsified++;
		return;
	}
	r->pieces[p->change]++;
	if (p->change != ANSWERS_STALE && is_named(r, p))
		return;
	if (!r->pieces_broken[NAMED]++)
		complain(r, "not named", text);
}

/* Nothing was written over what is still answered. */
static void check_places(struct run *r, const struct answers *now, size_t hits)
{
	uint64_t per = r->maul.sb.bucket_sectors;
	uint8_t *kept = calloc(r->maul.sb.nbuckets, 1);

	for (size_t i = 0; i < now->n; i++)
		if (now->a[i].place / per < r->maul.sb.nbuckets)
			kept[now->a[i].place / per] = 1;
	for (size_t i = hits; i < r->log.n; i++) {
		uint64_t bucket = r->log.ops[i].sector / per;

		if (r->log.ops[i].kind != CACHE_DEV_OP_FLUSH && bucket < r->maul.sb.nbuckets &&
		    kept[bucket])
			complain(r, "written over", "what it keeps");
	}
	free(kept);
}

static void check_answers(struct run *r, size_t hits)
{
	struct cache_set *set = maul_load(r->scratch);
	struct answers now = { 0 };

	memset(r->pieces, 0, sizeof(r->pieces));
	memset(r->pieces_broken, 0, sizeof(r->pieces_broken));
	r->falsified = 0;
	if (!set || answers_of(set, &now))
		complain(r, "does not load", "and is clean");
	answers_compare(&r->was, &now, on_piece, r);
	check_places(r, &now, hits);
	are_attached(r, true);
	answers_fini(&now);
	cache_set_close(set);
	r->misled += !!r->falsified;
	for (unsigned i = 0; i < PROMISES; i++)
		r->broken[i] += !!r->pieces_broken[i];
	if (r->plan.safe && (r->pieces[ANSWERS_LOST] || r->pieces[ANSWERS_OTHER]))
		complain(r, "called safe", "and dirty data is lost");
}

/* Everything that was written since, from the operation @first on, is as @from has it. */
static void put_back(struct run *r, struct cache_dev *from, size_t first)
{
	size_t n = r->log.n;

	for (size_t i = first; i < n; i++) {
		struct cache_dev_op op = r->log.ops[i];
		char *buf = cache_dev_buf(op.nsectors * CACHE_SECTOR_BYTES + 1);

		if (op.kind == CACHE_DEV_OP_WRITE) {
			cache_dev_read(from, op.sector, op.nsectors, buf, NULL);
			cache_dev_write(r->scratch, op.sector, op.nsectors, buf, NULL);
			free((void *)r->log.ops[n].data);
			r->log.n = n;
		}
		free((void *)op.data);
		free(buf);
	}
	r->log.n = first;
}

static void take_back(struct run *r)
{
	r->scratch->sectors = cache_dev_sectors(r->base);
	put_back(r, r->base, 0);
	cache_dev_log_fini(&r->log);
	memset(&r->log, 0, sizeof(r->log));
}

static void repair_and_judge(struct run *r, size_t hits)
{
	bool clean;

	if (looks_clean(r)) {
		r->clean++;
		check_answers(r, hits);
		return;
	}
	repair(r, false);
	clean = looks_clean(r);
	if (!clean && r->super) {	/* gone whole: then only what is likely */
		repair(r, true);
		clean = looks_clean(r);
		r->guessed += clean;
	}
	if (clean) {
		r->repaired += r->plan.safe;
		r->lossy += !r->plan.safe;
		check_answers(r, hits);
	} else {
		r->left++;
		if (!r->said) {
			r->broken[CLEAN_AFTER]++;
			complain(r, "repaired without a message, and not clean", r->found);
		}
		if (getenv("MAUL_WHY"))
			printf("# left, MAUL_SEED=%llu,%s: %s, %s\n", (unsigned long long)r->seed,
			       r->maul.faults, r->said, r->found);
	}
}

/* The damaged device as a file, to be looked at. */
static void save(struct run *r, const char *path)
{
	uint64_t n = cache_dev_sectors(r->scratch) * CACHE_SECTOR_BYTES;
	FILE *f = fopen(path, "w");
	char *buf = cache_dev_buf(n);

	CHECK(f && !cache_dev_read(r->scratch, 0, n / CACHE_SECTOR_BYTES, buf, NULL) &&
	      fwrite(buf, n, 1, f) == 1);
	fclose(f);
	free(buf);
}

/* The table has no checksum: what stands in it in another slot is believed. */
static void note_moved(struct run *r)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };
	const struct cache_jset *newest = &r->set->journal.newest;
	struct cache_uuids u = { 0 };
	int ret = cache_uuids_read(r->scratch, &r->set->sb, &newest->uuid_bucket,
				   newest->pos.version, &u, &silent, NULL);

	for (unsigned i = 0; i < r->nbacks && !ret; i++) {
		int64_t slot = cache_uuid_find(&u, r->back[i].uuid);

		r->moved |= slot >= 0 && slot != r->slot[i];
	}
	cache_uuids_fini(&u);
}

static void maul_once(struct run *r)
{
	maul_hurt(&r->maul, r->seed);
	if (getenv("MAUL_SAVE"))
		save(r, getenv("MAUL_SAVE"));
	memset(&r->plan, 0, sizeof(r->plan));
	r->nlosses = 0;
	r->moved = false;
	note_moved(r);
	are_attached(r, false);
	CHECK_EQ(omniscient_read(r->set, r->scratch, &r->can), 0);
	repair_and_judge(r, r->log.n);
	answers_fini(&r->can);
}

/* build/images/NAME.cache as a device in memory; NULL: there is none. */
static struct cache_dev *open_other(const char *name, const char *tail)
{
	const char *build = getenv("BUILD");
	char path[512];

	snprintf(path, sizeof(path), "%s/images/%s%s.cache", build ? build : "build", name, tail);
	return set_read(path, name);
}

/* Names with commas between. */
static uint32_t kinds_asked_for(const char *s)
{
	uint32_t kinds = 0;

	for (; s; s = strchr(s, ',') ? strchr(s, ',') + 1 : NULL)
		for (unsigned i = 0; i < MAUL_KINDS; i++)
			if (strcspn(s, ",") == strlen(maul_names[i]) &&
			    !strncmp(s, maul_names[i], strlen(maul_names[i])))
				kinds |= UINT32_C(1) << i;
	return kinds ? kinds : MAUL_ALL;
}

static struct run *run_new(const char *name)
{
	struct run *r = calloc(1, sizeof(*r));

	r->name = name;
	r->base = set_open(name);
	CHECK_EQ(cache_dev_log_new(set_copy(r->base), &r->log, &r->scratch, NULL), 0);
	CHECK(maul_learn(&r->maul, r->base));
	r->maul.dev = r->scratch;
	r->maul.earlier = open_other(name, "-earlier");
	r->maul.foreign = open_other(strcmp(name, "wb-crash") ? "wb-crash" : "two-backs", "");
	r->maul.kinds = kinds_asked_for(getenv("MAUL_KIND"));
	r->set = set_load(r->base);
	CHECK_EQ(answers_of(r->set, &r->was), 0);
	learn_backs(r, r->set);
	return r;
}

static void run_end(struct run *r)
{
	uint64_t wrong = r->wrong;

	answers_fini(&r->was);
	maul_fini(&r->maul);
	cache_set_close(r->set);
	cache_dev_close(r->maul.earlier);
	cache_dev_close(r->maul.foreign);
	cache_dev_close(r->scratch);
	cache_dev_close(r->base);
	cache_dev_log_fini(&r->log);
	free(r);
	CHECK_EQ(wrong, 0);
}

static void maul_from(const char *name, uint64_t seed, uint64_t runs)
{
	struct run *r = run_new(name);

	for (uint64_t i = 0; i < runs; i++) {
		r->seed = seed + i;
		r->with_backs = r->seed & 1;
		maul_once(r);
		take_back(r);
	}
	printf("# %s: %llu unharmed, %llu repaired, %llu repaired with what is lost named "
	       "(%llu of them by a guess), %llu left and said why; %llu told a lie that nobody can see\n", name,
	       (unsigned long long)r->clean, (unsigned long long)r->repaired,
	       (unsigned long long)r->lossy, (unsigned long long)r->guessed,
	       (unsigned long long)r->left, (unsigned long long)r->misled);
	printf("# %s: %llu made worse, %llu with a loss not named, %llu not clean in the end\n", name, (unsigned long long)r->broken[MONOTONIC],
	       (unsigned long long)r->broken[NAMED], (unsigned long long)r->broken[CLEAN_AFTER]);
	run_end(r);
}

/* What cache-fsck -n, -p and -y do; nobody is asked. */
enum mode { LOOK, PREEN, ALL, MODES };

static bool agree(void *ctx, unsigned dev, const struct cache_repair_plan *plan)
{
	return true;
}

/* The @n-th read fails, whatever is tried again after it. Return: whether there were so many. */
static bool run_with_failure(struct run *r, enum mode mode, uint64_t n,
			     struct cache_repair_result *res)
{
	struct cache_fault fault = { .kinds = CACHE_FAULT_READ, .at = n, .error = -EIO };
	struct cache_repair_opts opts = { .size = sizeof(opts), .look_only = mode == LOOK,
					  .safe_only = mode == PREEN, .loss = on_loss, .ctx = r,
					  .confirm = mode == ALL ? agree : NULL, .seed = 7 };
	struct cache_dev *dev;

	CHECK_EQ(cache_dev_fault_new(set_lend(r->scratch), &fault, &dev, NULL), 0);
	r->nlosses = 0;
	r->failing = n;
	CHECK_EQ(cache_repair_run(&dev, 1, &opts, res), 0);
	cache_dev_close(dev);
	r->plan = res->plan;
	return fault.seen >= n;
}

/* A piece that is worse than it was before a repair that did not end. */
static void on_worse(void *ctx, const struct answers_piece *p)
{
	complain(ctx, "worse after a repair that did not end", p->change == ANSWERS_LOST ? "lost" : "other");
}

static void check_unfinished(struct run *r, const struct answers *before)
{
	struct cache_set *set = maul_load(r->scratch);
	struct answers now = { 0 };

	if (!set || answers_of(set, &now))
		complain(r, "does not load", "any more");
	answers_compare(before, &now, on_worse, r);
	answers_fini(&now);
	cache_set_close(set);
}

static bool has_writes(const struct run *r, size_t hits)
{
	for (size_t i = hits; i < r->log.n; i++)
		if (r->log.ops[i].kind != CACHE_DEV_OP_FLUSH)
			return true;
	return false;
}

/* What a check counted, if it read everything. */
static bool same_counts(const struct cache_fsck_summary *a, const struct cache_fsck_summary *b)
{
	return a->extents == b->extents && a->dirty_sectors == b->dirty_sectors &&
	       a->btree_nodes == b->btree_nodes && a->journal_keys == b->journal_keys &&
	       a->metadata_buckets == b->metadata_buckets;
}

static void judge_failure(struct run *r, enum mode mode, const struct cache_repair_result *res,
			  const struct cache_fsck_result *whole, size_t hits)
{
	const struct cache_fsck_result *last = res->done ? &res->after : &res->before;
	bool clean = looks_clean(r), wrote = has_writes(r, hits);

	if (mode == LOOK && wrote)
		complain(r, "a look", "has written");
	if (cache_fsck_is_clean(last) && !clean)
		complain(r, "called clean where a read failed, and is not", r->found);
	if (!wrote && cache_fsck_is_clean(last) && !same_counts(&last->summary, &whole->summary))
		complain(r, "called clean", "and something was not counted");
	if (wrote && clean)
		check_answers(r, hits);
}

/* As the set is now: every @step-th read of each mode fails, one in each run. */
static uint64_t sweep(struct run *r, uint64_t step)
{
	struct cache_set *set = maul_load(r->scratch);
	struct cache_dev *as_hit = set_copy(r->scratch);
	struct answers before = { 0 };
	struct cache_repair_result whole, res;
	size_t hits = r->log.n;
	uint64_t n = 0;
	bool answers;

	/* so damaged that it answers nothing: then nothing can get worse */
	answers = set && !answers_of(set, &before);
	cache_set_close(set);
	for (enum mode mode = LOOK; mode < MODES; mode++) {
		run_with_failure(r, LOOK, UINT64_MAX, &whole);
		for (uint64_t at = 1 + n % step; run_with_failure(r, mode, at, &res); at += step) {
			judge_failure(r, mode, &res, &whole.before, hits);
			if (answers && has_writes(r, hits) && !looks_clean(r))
				check_unfinished(r, &before);
			put_back(r, as_hit, hits);
			n++;
		}
		put_back(r, as_hit, hits);
	}
	answers_fini(&before);
	cache_dev_close(as_hit);
	return n;
}

/* Of the set as it is, and after the damage of @seeds, which 0 ends. */
static void fail_reads(const char *name, const uint64_t *seeds)
{
	uint64_t step = getenv("READ_ERRORS") ? 1 : 211, n;
	const char *only = getenv("MAUL_SET");
	struct run *r;

	if ((only && strcmp(only, name)) || getenv("MAUL_SEED"))
		SKIP("not asked for");
	r = run_new(name);
	CHECK_EQ(omniscient_read(r->set, r->scratch, &r->can), 0);
	n = sweep(r, step);
	answers_fini(&r->can);
	for (; *seeds; seeds++) {
		r->seed = *seeds;
		maul_hurt(&r->maul, r->seed);
		CHECK_EQ(omniscient_read(r->set, r->scratch, &r->can), 0);
		n += sweep(r, step);
		answers_fini(&r->can);
		take_back(r);
	}
	printf("# %s: %llu runs in which a read failed\n", name, (unsigned long long)n);
	CHECK(n);
	run_end(r);
}

static bool same_bytes(struct cache_dev *a, struct cache_dev *b)
{
	uint64_t n = cache_dev_sectors(a);
	char *x = cache_dev_buf(n * CACHE_SECTOR_BYTES), *y = cache_dev_buf(n * CACHE_SECTOR_BYTES);
	bool same = n == cache_dev_sectors(b) && !cache_dev_read(a, 0, n, x, NULL) &&
		    !cache_dev_read(b, 0, n, y, NULL) && !memcmp(x, y, n * CACHE_SECTOR_BYTES);

	free(x);
	free(y);
	return same;
}

/* The repair of what is damaged now is taken back by its undo file. */
static void repair_and_undo(struct run *r)
{
	struct cache_repair_opts opts = { .size = sizeof(opts), .confirm = agree, .seed = 7,
					  .allow_data_loss = r->seed & 1, .guess = true };
	struct cache_dev *as_hit = set_copy(r->scratch), *dev;
	struct cache_repair_result res;
	struct cache_undo *undo;

	CHECK_EQ(cache_dev_undo_new(set_lend(r->scratch), new_file(), NULL, &dev, NULL), 0);
	CHECK_EQ(cache_repair_run(&dev, 1, &opts, &res), 0);
	cache_dev_close(dev);
	r->repaired += res.done;
	if (res.done && same_bytes(r->scratch, as_hit))
		complain(r, "something was done", "and nothing is different");
	CHECK_EQ(cache_undo_open(file, NULL, NULL, &undo, NULL), 0);
	if (!cache_undo_is_closed(undo) || cache_undo_check(undo, r->scratch, NULL) ||
	    cache_undo_apply(undo, r->scratch, NULL) || !same_bytes(r->scratch, as_hit))
		complain(r, "the undo file", "does not give back the damaged set");
	cache_undo_close(undo);
	unlink(file);
	cache_dev_close(as_hit);
}

TEST(a_repair_of_random_damage_is_taken_back_byte_for_byte)
{
	static const char *const names[] = { "wb-crash", "flash-73", "churn-510", "rewrite-61" };
	uint64_t runs = number("MAUL_RUNS", 100) / 10, done = 0;

	if (getenv("MAUL_SET"))
		SKIP("another set was asked for");
	for (unsigned k = 0; k < 4; k++) {
		struct run *r = run_new(names[k]);

		for (uint64_t i = 0; i < runs; i++) {
			r->seed = number("MAUL_SEED", 1) + i;
			maul_hurt(&r->maul, r->seed);
			repair_and_undo(r);
			take_back(r);
		}
		done += r->repaired;
		run_end(r);
	}
	printf("# %llu repairs taken back\n", (unsigned long long)done);
	CHECK(done);
}

static void maul(const char *name)
{
	const char *only = getenv("MAUL_SET");

	if (only && strcmp(only, name))
		SKIP("not asked for");
	maul_from(name, number("MAUL_SEED", 1), number("MAUL_RUNS", 100));
}

/* Each was made worse, or not named, or not clean at the end, before a cure. */
TEST(what_failed_once_holds)
{
	if (getenv("MAUL_SET") || getenv("MAUL_SEED"))
		SKIP("others were asked for");
	maul_from("wb-crash", 881219, 1);	/* the older leaf and its parent's newest key are zeros */
	maul_from("flash-vol", 882179, 1);	/* an entry went elsewhere, two stand behind its hole */
	maul_from("two-backs", 880367, 1);	/* a child that was freed counts again */
	maul_from("two-backs", 1300227, 1);	/* an entry went elsewhere, those behind it stand */
	maul_from("flash-73", 1300774, 1);	/* as above, the newest entries stand behind */
	maul_from("flash-73", 1300005, 1);	/* a leaf of no known priority lost its first set */
	maul_from("rewrite-61", 1312607, 1);	/* an entry stands behind the newest one */
	maul_from("flash-73", 1312698, 1);	/* and a whole bucket of the ring is old */
	maul_from("flash-73", 1320620, 1);	/* an old ring, and the first bucket is another */
	maul_from("rewrite-61", 1312804, 1);	/* the newest that is read went elsewhere */
	maul_from("wb-clean", 881942, 1);	/* the root is as it was before its leaves split */
	maul_from("wb-clean", 880992, 1);	/* an entry went one block too far to the front */
	maul_from("flash-73", 1200570, 1);	/* and the newest entries that were left there */
	maul_from("flash-73", 881151, 1);	/* a backing device has the flag of a flash volume */
}

TEST(a_set_that_ran_once_survives_random_damage) { maul("registered"); }
TEST(dirty_data_after_a_crash_survives_random_damage) { maul("wb-crash"); }
TEST(a_journal_to_replay_survives_random_damage) { maul("wb-clean"); }
TEST(a_cache_that_churned_survives_random_damage) { maul("churn-lru"); }
TEST(two_devices_in_one_set_survive_random_damage) { maul("two-backs"); }
TEST(a_flash_volume_survives_random_damage) { maul("flash-vol"); }
TEST(a_set_of_two_moments_survives_random_damage) { maul("rewrite-61"); }
TEST(a_churned_set_of_two_moments_survives_random_damage) { maul("churn-510"); }
TEST(a_flash_volume_of_two_moments_survives_random_damage) { maul("flash-73"); }

TEST(where_a_read_fails_nothing_gets_worse) { fail_reads("wb-crash", (uint64_t[]){ 881219, 0 }); }

TEST(where_a_read_fails_a_flash_volume_stays)
{
	fail_reads("flash-73", (uint64_t[]){ 881151, 1200570, 880003, 880010, 0 });
}

TEST(where_a_read_fails_a_churned_set_stays)
{
	fail_reads("churn-510", (uint64_t[]){ 880001, 880002, 880005, 880007, 0 });
}

TEST_MAIN()
