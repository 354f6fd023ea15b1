// SPDX-License-Identifier: GPL-2.0-only
/* cache-show-journal: the ring, its entries, and what a start would replay. */
#include "applet.h"
#include "show.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

struct opts {
	struct show show;
	bool keys;
};

static const struct argp_option options[] = {
	{ "keys", 'k', NULL, 0, "the keys of every entry too" },
	CMD_PROGRESS_OPTION,
	{ }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct opts *o = state->input;

	if (key == 'k') {
		o->keys = true;
		return 0;
	}
	return show_parse_device(&o->show, key, arg, state);
}

static const struct argp argp = {
	options, parse, "DEV...",
	"Show the journal of a cache device: every entry in the ring, the range that the "
	"next start replays, what is missing of it, and what the kernel's own search "
	"would find. Of a set of several cache devices name the others behind the one whose ring "
	"is to be shown."
};

static const struct cache_journal *journal(const struct opts *o)
{
	return &o->show.set->journal;
}

/* The bucket that a key of the header points to, or null. */
static void show_bucket(struct opts *o, const struct cache_field *f, const struct cache_bkey *k)
{
	struct cache_report *r = cmd_report(&o->show.cmd);

	if (cache_key_ptrs(k))
		cache_report_u64(r, f, cache_ptr_bucket(&o->show.set->sb, k, 0));
	else
		cache_report_null(r, f);
}

static bool is_of_several(const struct opts *o)
{
	return o->show.set->sb.nr_in_set > 1;
}

/* On which device of a set of several it is. */
static void show_member(struct opts *o, const struct cache_field *f, const struct cache_bkey *k)
{
	if (is_of_several(o) && cache_key_ptrs(k))
		cache_report_u64(cmd_report(&o->show.cmd), f, cache_ptr_dev(k->ptr[0]));
}

static void show_ring(struct opts *o)
{
	static const struct cache_field
		synced = { "synced", NULL, CACHE_UNIT_TEXT },
		ring = { "journal_buckets", NULL, CACHE_UNIT_COUNT },
		free_buckets = { "free_buckets", NULL, CACHE_UNIT_COUNT },
		nentries = { "nentries", "Entries", CACHE_UNIT_COUNT };
	const struct cache_sb *sb = &o->show.set->sb;
	struct cache_report *r = cmd_report(&o->show.cmd);
	uint32_t nfree = cache_journal_free_buckets(sb, journal(o));

	cache_report_bool(r, &synced, cache_sb_is_synced(sb));
	cache_report_list(r, &ring);
	for (unsigned i = 0; i < sb->njournal && cache_report_is_json(r); i++)
		cache_report_u64(r, &ring, sb->journal_bucket[i]);
	cache_report_end(r);
	cache_report_u64(r, &free_buckets, nfree);
	cache_report_line(r, "Ring:                   %u buckets from bucket %u, %u free",
			  sb->njournal, sb->first_bucket, nfree);
	cache_report_u64(r, &nentries, journal(o)->nentries);
}

static void show_newest(struct opts *o)
{
	static const struct cache_field
		seq = { "seq", "Newest seq", CACHE_UNIT_SEQ },
		last_seq = { "last_seq", "Its last_seq", CACHE_UNIT_SEQ },
		bucket = { "bucket", "In bucket", CACHE_UNIT_COUNT },
		level = { "level", "Root level", CACHE_UNIT_COUNT },
		root = { "root", "Root bucket", CACHE_UNIT_COUNT },
		uuid = { "uuid_bucket", "Uuid bucket", CACHE_UNIT_COUNT },
		prio = { "prio_bucket", "Prio bucket", CACHE_UNIT_COUNT },
		root_member = { "root_member", "Root on member", CACHE_UNIT_COUNT },
		uuid_member = { "uuid_member", "Uuids on member", CACHE_UNIT_COUNT };
	const struct cache_jset *n = &journal(o)->newest;
	const struct cache_sb *sb = &o->show.set->sb;
	struct cache_report *r = cmd_report(&o->show.cmd);

	cache_report_object(r, "newest");
	cache_report_u64(r, &seq, n->pos.seq);
	cache_report_u64(r, &last_seq, n->pos.last_seq);
	cache_report_u64(r, &bucket, sb->journal_bucket[n->pos.index]);
	cache_report_u64(r, &level, n->pos.level);
	show_bucket(o, &root, &n->btree_root);
	show_bucket(o, &uuid, &n->uuid_bucket);
	cache_report_u64(r, &prio, n->prio_bucket[sb->nr_this_dev % CACHE_MAX_CACHES_PER_SET]);
	show_member(o, &root_member, &n->btree_root);
	show_member(o, &uuid_member, &n->uuid_bucket);
	cache_report_end(r);
}

static int count_key(void *ctx, const struct cache_jset_pos *pos, unsigned index,
		     const struct cache_bkey *k)
{
	++*(uint64_t *)ctx;
	return 0;
}

static int show_replay(struct opts *o)
{
	static const struct cache_field
		first = { "first_seq", NULL, CACHE_UNIT_SEQ },
		last = { "last_seq", NULL, CACHE_UNIT_SEQ },
		nentries = { "nentries", NULL, CACHE_UNIT_COUNT },
		nkeys = { "nkeys", NULL, CACHE_UNIT_COUNT };
	const struct cache_jset_pos *n = &journal(o)->newest.pos;
	struct cache_report *r = cmd_report(&o->show.cmd);
	struct cache_err err = { 0 };
	uint64_t keys = 0;
	int ret = cache_journal_each_key(o->show.set->dev, &o->show.set->sb, journal(o), false,
					 count_key, &keys, &o->show.sink, &err);

	if (ret)
		return show_failed(&o->show, ret, &err);
	cache_report_object(r, "replay");
	cache_report_u64(r, &first, n->last_seq);
	cache_report_u64(r, &last, n->seq);
	cache_report_u64(r, &nentries, journal(o)->nreplay);
	cache_report_u64(r, &nkeys, keys);
	cache_report_end(r);
	cache_report_line(r, "To replay:              %" PRIu64 " keys in entries %" PRIu64
			  " to %" PRIu64, keys, n->last_seq, n->seq);
	return 0;
}

static void show_gap(struct cache_report *r, uint64_t start, uint64_t end)
{
	cache_report_row(r);
	cache_report_u64(r, NULL, start);
	cache_report_u64(r, NULL, end);
	cache_report_end(r);
	cache_report_line(r, "Missing:                entries %" PRIu64 " to %" PRIu64, start, end);
}

static void show_gaps(struct opts *o)
{
	static const struct cache_field cols[] = {
		{ "start_seq", NULL, CACHE_UNIT_SEQ }, { "end_seq", NULL, CACHE_UNIT_SEQ },
	};
	const struct cache_journal *j = journal(o);
	struct cache_report *r = cmd_report(&o->show.cmd);
	uint64_t next = j->newest.pos.last_seq;

	cache_report_table(r, "gaps", cols, 2, CACHE_TABLE_TABS);
	for (size_t i = 0; i < j->nreplay; i++) {
		if (j->replay[i]->seq != next)
			show_gap(r, next, j->replay[i]->seq - 1);
		next = j->replay[i]->seq + 1;
	}
	cache_report_end(r);
}

static void show_driver(struct opts *o)
{
	static const struct cache_field
		seq = { "newest_seq", NULL, CACHE_UNIT_SEQ },
		agrees = { "agrees", NULL, CACHE_UNIT_TEXT };
	const struct cache_journal *j = journal(o);
	struct cache_report *r = cmd_report(&o->show.cmd);

	cache_report_object(r, "driver");
	cache_report_u64(r, &seq, j->driver_newest_seq);
	cache_report_bool(r, &agrees, j->driver_agrees);
	cache_report_end(r);
	if (!j->driver_newest_seq)
		cache_report_line(r, "The kernel's search:    not simulated, entries of the range are missing");
	else
		cache_report_line(r, "The kernel's search:    takes %" PRIu64 " for the newest, %s",
				  j->driver_newest_seq, j->driver_agrees ?
				  "and finds all that is to be replayed" :
				  "and does NOT find all that is to be replayed");
}

static bool is_replayed(const struct cache_journal *j, const struct cache_jset_pos *pos)
{
	return pos->seq >= j->newest.pos.last_seq && pos->seq <= j->newest.pos.seq;
}

static unsigned count_keys(const cache_le64 *words, uint32_t nwords)
{
	struct cache_bkey k;
	unsigned nkeys = 0, n;

	for (uint32_t at = 0; at < nwords; at += n, nkeys++) {
		n = cache_bkey_decode(words + at, nwords - at, &k);
		if (!n)
			break;
	}
	return nkeys;
}

static void entry_row(struct opts *o, const struct cache_jset *e, const cache_le64 *words)
{
	struct cache_report *r = cmd_report(&o->show.cmd);

	cache_report_row(r);
	cache_report_u64(r, NULL, e->pos.seq);
	cache_report_u64(r, NULL, e->pos.last_seq);
	cache_report_u64(r, NULL, o->show.set->sb.journal_bucket[e->pos.index]);
	cache_report_u64(r, NULL, e->pos.offset_sectors);
	cache_report_u64(r, NULL, CACHE_JSET_HEADER_BYTES + 8 * (uint64_t)e->pos.nwords);
	cache_report_u64(r, NULL, count_keys(words, e->pos.nwords));
	cache_report_u64(r, NULL, e->pos.level);
	show_bucket(o, NULL, &e->btree_root);
	cache_report_bool(r, NULL, is_replayed(journal(o), &e->pos));
	cache_report_end(r);
}

static void key_rows(struct opts *o, const struct cache_jset *e, const cache_le64 *words)
{
	struct cache_report *r = cmd_report(&o->show.cmd);
	unsigned n;

	for (uint32_t at = 0; at < e->pos.nwords; at += n) {
		struct cache_bkey k;

		n = cache_bkey_decode(words + at, e->pos.nwords - at, &k);
		if (!n)
			return;
		cache_report_row(r);
		cache_report_u64(r, NULL, e->pos.seq);
		show_key_cells(&o->show, &k, 0);
		if (is_of_several(o) && cache_key_ptrs(&k))
			cache_report_u64(r, NULL, cache_ptr_dev(k.ptr[0]));
		else if (is_of_several(o))
			cache_report_null(r, NULL);
		cache_report_end(r);
	}
}

typedef void entry_fn(struct opts *o, const struct cache_jset *e, const cache_le64 *words);

static int by_seq(const void *a, const void *b)
{
	const struct cache_jset_pos *x = *(const struct cache_jset_pos *const *)a;
	const struct cache_jset_pos *y = *(const struct cache_jset_pos *const *)b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* Every entry, oldest first. */
static int each_entry(struct opts *o, entry_fn *fn)
{
	const struct cache_journal *j = journal(o);
	const struct cache_jset_pos **sorted = calloc(j->nentries, sizeof(*sorted));
	cache_le64 *words = calloc(CACHE_JSET_MAX_WORDS, sizeof(*words));
	struct cache_err err = { 0 };
	struct cache_jset e;
	int ret = sorted && words ? 0 : -ENOMEM;

	for (size_t i = 0; i < j->nentries && !ret; i++)
		sorted[i] = &j->entries[i];
	if (!ret)
		/* 16 million at most, in a ring of 8 GiB: signals are not caught here */
		qsort(sorted, j->nentries, sizeof(*sorted), by_seq);
	for (size_t i = 0; i < j->nentries && !ret; i++) {
		ret = cache_jset_read(o->show.set->dev, &o->show.set->sb, sorted[i], &e,
				      words, &err);
		if (!ret)
			fn(o, &e, words);
	}
	free(sorted);
	free(words);
	return ret ? show_failed(&o->show, ret, &err) : 0;
}

static int show_entries(struct opts *o)
{
	static const struct cache_field cols[] = {
		{ "seq", "SEQ", CACHE_UNIT_SEQ }, { "last_seq", "LAST_SEQ", CACHE_UNIT_SEQ },
		{ "bucket", "BUCKET", CACHE_UNIT_COUNT }, { "offset", "OFFSET", CACHE_UNIT_COUNT },
		{ "bytes", "BYTES", CACHE_UNIT_COUNT }, { "nkeys", "KEYS", CACHE_UNIT_COUNT },
		{ "level", "LEVEL", CACHE_UNIT_COUNT }, { "root", "ROOT", CACHE_UNIT_COUNT },
		{ "replayed", "REPLAY", CACHE_UNIT_TEXT },
	};
	struct cache_report *r = cmd_report(&o->show.cmd);
	int ret;

	cache_report_line(r, "%s", "");
	cache_report_table(r, "entries", cols, 9, 0);
	ret = each_entry(o, entry_row);
	if (!ret)
		cache_report_end(r);
	return ret;
}

static int show_keys(struct opts *o)
{
	static const struct cache_field cols[] = {
		{ "seq", "SEQ", CACHE_UNIT_SEQ }, SHOW_KEY_COLS,
		{ "ptr_member", "PTR ON", CACHE_UNIT_COUNT },	/* of a set of several devices */
	};
	struct cache_report *r = cmd_report(&o->show.cmd);
	int ret;

	cache_report_line(r, "%s", "");
	cache_report_table(r, "keys", cols, 1 + SHOW_KEY_NCOLS + is_of_several(o), 0);
	ret = each_entry(o, key_rows);
	if (!ret)
		cache_report_end(r);
	return ret;
}

static int show_journal(struct opts *o)
{
	int ret = 0;

	show_ring(o);
	if (!journal(o)->nentries)
		return EXIT_FAILED;	/* the set has run, and the error was reported */
	show_newest(o);
	ret = show_replay(o);
	if (ret)
		return ret;
	show_gaps(o);
	show_driver(o);
	ret = show_entries(o);
	if (!ret && o->keys)
		ret = show_keys(o);
	return ret;
}

int cache_show_journal_main(int argc, char **argv)
{
	struct opts o = { .show = SHOW_INIT_MEMBERS };
	int status;

	cmd_parse(&o.show.cmd, &argp, argc, argv, 0);
	if (show_open(&o.show, CACHE_LOAD_JOURNAL, &status))
		status = show_journal(&o);
	return show_end(&o.show, status);
}
