// SPDX-License-Identifier: GPL-2.0-only
/* Sets of several cache devices, loaded as one as far as their members are at hand. */
#include "members.h"
#include "deny.h"

#include <errno.h>

#include "set/members.h"

#define NBUCKETS	600
#define BUCKET		32

static struct members built(unsigned n)
{
	struct members m = { .n = n, .nleaves = 7, .nextents = 11 };

	for (unsigned i = 0; i < n; i++) {
		/* members need not be of one size */
		m.d[i] = disk_new(NBUCKETS + 100 * i, BUCKET, 0);
		m.d[i].sb.nr_in_set = n;
		m.d[i].sb.nr_this_dev = i;
		m.d[i].sb.uuid[15] = i;
	}
	members_build(&m);
	return m;
}

static void fini(struct members *m)
{
	for (unsigned i = 0; i < m->n; i++)
		cache_dev_close(m->d[i].dev);
}

/* Some of the members, in some order. */
struct some {
	unsigned n;
	struct cache_sb sb[8];
	struct findings found[8];
	struct cache_sink sink[8];
	struct cache_set_member member[8];
	struct cache_set *set;
};

static void add(struct some *s, struct members *m, unsigned i)
{
	unsigned k = s->n++;

	CHECK_EQ(cache_sb_read(m->d[i].dev, &s->sb[k], NULL), 0);
	s->sink[k] = findings_sink(&s->found[k]);
	s->member[k] = (struct cache_set_member){ m->d[i].dev, &s->sb[k], &s->sink[k] };
}

static void load(struct some *s, enum cache_load upto)
{
	struct cache_err err = { 0 };

	if (cache_set_load_members(s->member, s->n, upto, NULL, &s->set, &err))
		TEST_FAIL("does not load: %s", err.text);
}

struct counted {
	unsigned extents, dirty, absent, wrong;
	uint64_t next;
};

static int count(void *ctx, const struct cache_extent *e)
{
	struct counted *c = ctx;

	c->wrong += e->staleness || cache_key_start(&e->key) < c->next;
	c->next = e->key.low;
	c->absent += !e->available;
	c->extents += e->available;
	c->dirty += e->available && cache_key_dirty(&e->key);
	return 0;
}

static struct counted count_extents(struct some *s)
{
	struct counted c = { 0 };

	CHECK_EQ(cache_set_each_extent(s->set, count, &c, NULL, NULL), 0);
	CHECK_EQ(c.wrong, 0);
	return c;
}

static unsigned total(const struct some *s, enum cache_problem code)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n; i++)
		n += findings_count(&s->found[i], code);
	return n;
}

TEST(all_members_are_one_set_in_whatever_order_they_are_named)
{
	for (unsigned n = 2; n <= 8; n++) {
		struct members m = built(n);

		for (unsigned first = 0; first < n; first++) {
			struct some s = { 0 };
			struct counted c;

			for (unsigned i = 0; i < n; i++)
				add(&s, &m, (first + i) % n);
			load(&s, CACHE_LOAD_MARKS);
			CHECK_EQ(s.set->loaded, CACHE_LOAD_MARKS);
			c = count_extents(&s);
			CHECK_EQ(c.extents, 7 * 11 + 3);
			CHECK_EQ(c.dirty, 7 * 5 + 3);
			CHECK_EQ(c.absent, 0);
			CHECK_EQ(s.set->nnodes[0], 7);
			CHECK_EQ(s.set->uuids.n > 0, true);
			CHECK_EQ(s.set->raised, 0);
			for (unsigned i = 0; i < n; i++)
				CHECK(!findings_damage(&s.found[i]));
			cache_set_close(s.set);
		}
		fini(&m);
	}
}

TEST(each_bucket_belongs_to_one_member_and_is_what_it_was_made_for)
{
	struct members m = built(3);
	unsigned index, n[CACHE_ROLE_COUNT] = { 0 };
	struct some s = { 0 };
	uint64_t local, total_buckets = 0;

	for (unsigned i = 3; i--;)
		add(&s, &m, i);
	load(&s, CACHE_LOAD_MARKS);
	for (uint64_t b = 0; b < s.set->sb.nbuckets; b++) {
		if (!cache_set_member_of(s.set, b, &index, &local))
			continue;
		total_buckets++;
		CHECK(local < s.sb[index].nbuckets);
		n[cache_set_role(s.set, b)]++;
		/* a member of @m, named in reverse */
		if (cache_set_role(s.set, b) == CACHE_ROLE_FREE)
			CHECK(local >= m.next[2 - index]);
		else
			CHECK(local < m.next[2 - index]);
	}
	CHECK_EQ(total_buckets, 3 * NBUCKETS + 300);
	CHECK_EQ(total_buckets, cache_sb_count_buckets(&s.set->sb));
	CHECK_EQ(n[CACHE_ROLE_SUPERBLOCK], 3 * m.d[0].sb.first_bucket);
	CHECK_EQ(n[CACHE_ROLE_DIRTY], 7 * 5 + 3);
	CHECK_EQ(n[CACHE_ROLE_CLEAN], 7 * 6);
	CHECK_EQ(n[CACHE_ROLE_BTREE], 8);
	CHECK_EQ(n[CACHE_ROLE_UUID], 1);
	CHECK_EQ(n[CACHE_ROLE_PRIO], 3 * cache_prio_buckets(&m.d[0].sb));
	cache_set_close(s.set);
	fini(&m);
}

TEST(what_lies_on_a_member_that_is_not_here_is_named_and_the_rest_is_there)
{
	struct members m = built(3);

	for (unsigned absent = 0; absent < 3; absent++) {
		struct some s = { 0 };
		struct counted c;

		for (unsigned i = 0; i < 3; i++)
			if (i != absent)
				add(&s, &m, i);
		load(&s, CACHE_LOAD_MARKS);
		CHECK_EQ(total(&s, CACHE_P_SB_MEMBER_ABSENT), 1);
		/* the root is on member 0, the uuid table on member 2 */
		CHECK_EQ(total(&s, CACHE_P_ROOT_PTR), absent == 0);
		CHECK_EQ(total(&s, CACHE_P_UUID_PTR), absent == 2);
		if (absent) {
			c = count_extents(&s);
			CHECK_EQ(total(&s, CACHE_P_CHILD_MEMBER), 2);
			CHECK_EQ(total(&s, CACHE_P_CHILD_MISSING), 0);
			CHECK_EQ(c.extents + c.absent, 5 * 11 + 3);
			CHECK(c.absent >= 5 * 11 / 3);
		}
		cache_set_close(s.set);
	}
	fini(&m);
}

TEST(a_finding_goes_to_the_device_that_it_is_about_in_its_own_numbers)
{
	struct members m = built(3);
	struct some s = { 0 };
	struct cache_bkey leaf;
	uint64_t bucket;

	/* leaf 1 is on member 1: the first node there */
	bucket = m.chain[1] + cache_prio_buckets(&m.d[1].sb);
	while (bucket < m.next[1]) {
		uint8_t *buf = cache_dev_buf(512);
		bool is = !cache_dev_read(m.d[1].dev, bucket * BUCKET, 1, buf, NULL) &&
			  cache_le64_get(((struct cache_bset_disk *)buf)->seq) == 7 + 1;

		free(buf);
		if (is)
			break;
		bucket++;
	}
	CHECK(bucket < m.next[1]);
	leaf = node_key(&m.d[1].sb, 0, 0, bucket, 1);
	disk_spoil(&m.d[1], cache_ptr_sector(leaf.ptr[0]), 40);
	for (unsigned i = 0; i < 3; i++)
		add(&s, &m, i);
	load(&s, CACHE_LOAD_GENS);
	CHECK_EQ(findings_count(&s.found[1], CACHE_P_NODE_CSUM), 1);
	CHECK_EQ(s.found[1].last.bucket, bucket);
	CHECK_EQ(s.found[1].last.sector, bucket * BUCKET);
	CHECK_EQ(total(&s, CACHE_P_NODE_CSUM), 1);
	cache_set_close(s.set);
	fini(&m);
}

TEST(a_ring_that_is_behind_is_found_and_the_others_have_the_newest_entry)
{
	struct members m = built(3);
	struct some s = { 0 };
	void *zero = cache_dev_buf(8 * 512);

	/* the newest entry did not reach members 0 and 2 */
	for (unsigned i = 0; i < 3; i += 2)
		disk_write(&m.d[i], m.d[i].sb.journal_bucket[2] * BUCKET, 8, zero);
	free(zero);
	for (unsigned i = 0; i < 3; i++)
		add(&s, &m, i);
	load(&s, CACHE_LOAD_GENS);
	CHECK_EQ(s.set->journal.newest.pos.seq, 42);
	CHECK_EQ(s.set->journal.nreplay, 2);
	CHECK_EQ(findings_count(&s.found[0], CACHE_P_JOURNAL_MEMBER_RING), 1);
	CHECK_EQ(findings_count(&s.found[1], CACHE_P_JOURNAL_MEMBER_RING), 0);
	CHECK_EQ(findings_count(&s.found[2], CACHE_P_JOURNAL_MEMBER_RING), 1);
	CHECK_EQ(count_extents(&s).extents, 7 * 11 + 3);
	cache_set_close(s.set);
	fini(&m);
}

/* Takes the entry in ring bucket @index away from member @i. */
static void lose_entry(struct members *m, unsigned i, unsigned index)
{
	void *zero = cache_dev_buf(8 * 512);

	disk_write(&m->d[i], m->d[i].sb.journal_bucket[index] * BUCKET, 8, zero);
	free(zero);
}

static void load_all(struct some *s, struct members *m)
{
	for (unsigned i = 0; i < m->n; i++)
		add(s, m, i);
	load(s, CACHE_LOAD_GENS);
}

TEST(each_entry_is_taken_from_whichever_ring_has_it)
{
	static const unsigned which[3] = { 1, 2, 3 };	/* ring bucket that each member has */
	struct members m = built(3);
	struct some s = { 0 };

	members_entry(&m, 43, 41, 3, NULL, 0);
	for (unsigned i = 0; i < 3; i++)
		for (unsigned index = 1; index <= 3; index++)
			if (index != which[i])
				lose_entry(&m, i, index);
	load_all(&s, &m);
	CHECK_EQ(s.set->journal.newest.pos.seq, 43);
	CHECK_EQ(s.set->journal.nreplay, 3);
	for (unsigned i = 0; i < 3; i++) {
		CHECK_EQ(s.set->journal.replay[i]->seq, 41 + i);
		CHECK_EQ(s.set->journal.replay[i]->member, i);
		CHECK_EQ(findings_count(&s.found[i], CACHE_P_JOURNAL_MEMBER_RING), 1);
		CHECK(!findings_damage(&s.found[i]));
	}
	CHECK_EQ(count_extents(&s).extents, 7 * 11 + 3);
	cache_set_close(s.set);
	fini(&m);
}

TEST(an_entry_that_is_torn_in_one_ring_is_taken_from_another)
{
	struct members m = built(2);
	struct some s = { 0 };

	disk_spoil(&m.d[0], m.d[0].sb.journal_bucket[1] * BUCKET, 260);
	lose_entry(&m, 1, 2);
	load_all(&s, &m);
	CHECK_EQ(s.set->journal.nreplay, 2);
	CHECK_EQ(s.set->journal.replay[0]->member, 1);
	CHECK_EQ(s.set->journal.replay[1]->member, 0);
	CHECK_EQ(findings_count(&s.found[0], CACHE_P_JOURNAL_TORN), 1);
	CHECK_EQ(total(&s, CACHE_P_JOURNAL_TORN), 1);
	CHECK_EQ(total(&s, CACHE_P_JOURNAL_GAP), 0);
	CHECK_EQ(count_extents(&s).extents, 7 * 11 + 3);
	cache_set_close(s.set);
	fini(&m);
}

TEST(an_entry_that_no_ring_has_is_missing)
{
	struct members m = built(2);
	struct some s = { 0 };

	lose_entry(&m, 0, 1);
	lose_entry(&m, 1, 1);
	load_all(&s, &m);
	CHECK_EQ(total(&s, CACHE_P_JOURNAL_GAP), 1);
	CHECK_EQ(s.set->journal.nreplay, 1);
	cache_set_close(s.set);
	lose_entry(&m, 0, 2);
	lose_entry(&m, 1, 2);
	s = (struct some){ 0 };
	load_all(&s, &m);
	CHECK_EQ(total(&s, CACHE_P_JOURNAL_EMPTY), 1);
	CHECK_EQ(s.set->has_journal, false);
	cache_set_close(s.set);
	fini(&m);
}

TEST(a_place_taken_twice_and_another_geometry_are_left_out)
{
	struct members m = built(2), other = built(2);
	struct some s = { 0 };

	for (unsigned i = 0; i < 2; i++)
		add(&s, &m, i);
	add(&s, &other, 1);
	add(&s, &other, 1);
	s.sb[3].nr_this_dev = 2;
	s.sb[3].nr_in_set = 3;
	load(&s, CACHE_LOAD_GENS);
	CHECK_EQ(findings_count(&s.found[2], CACHE_P_SB_MEMBER_TWICE), 1);
	CHECK_EQ(findings_count(&s.found[3], CACHE_P_SB_MEMBER_DIFFERS), 1);
	CHECK(cache_set_has_member(s.set, 0) && cache_set_has_member(s.set, 1));
	CHECK(!cache_set_has_member(s.set, 2) && !cache_set_has_member(s.set, 3));
	CHECK_EQ(count_extents(&s).extents, 7 * 11 + 3);
	cache_set_close(s.set);
	fini(&m);
	fini(&other);
}

TEST(a_damaged_prio_chain_of_one_member_makes_only_its_gens_unknown)
{
	struct members m = built(2);
	struct some s = { 0 };
	unsigned index;
	uint64_t local;

	disk_spoil(&m.d[1], m.chain[1] * BUCKET, 100);
	for (unsigned i = 0; i < 2; i++)
		add(&s, &m, i);
	load(&s, CACHE_LOAD_MARKS);
	CHECK_EQ(findings_count(&s.found[1], CACHE_P_PRIO_CSUM), 1);
	CHECK_EQ(total(&s, CACHE_P_PRIO_CSUM), 1);
	CHECK(s.set->gen_unknown != NULL);
	for (uint64_t b = 0; b < s.set->sb.nbuckets; b++)
		if (cache_set_member_of(s.set, b, &index, &local) && !index)
			CHECK(cache_prio_is_known(&s.set->sb, &s.set->prios, b));
	CHECK_EQ(count_extents(&s).extents, 7 * 11 + 3);
	cache_set_close(s.set);
	fini(&m);
}

/* Where the next member begins in the common space, a pointer past a device's end must not lead. */
TEST(a_pointer_past_the_end_of_its_member_is_not_taken_for_one_into_the_next)
{
	for (unsigned dev = 0; dev < 3; dev++) {
		struct members m = built(3);
		struct some s = { 0 };
		struct cache_bkey bad = extent(0, 9000, 9008, true, 0, 1);
		unsigned index, dirty = 0;
		uint64_t local;

		bad.ptr[0] = cache_ptr_make(dev, (m.d[dev].sb.nbuckets + 20) * BUCKET, 9);
		members_entry(&m, 43, 41, 3, &bad, 1);
		for (unsigned i = 0; i < 3; i++)
			add(&s, &m, i);
		load(&s, CACHE_LOAD_MARKS);
		CHECK_EQ(total(&s, CACHE_P_JOURNAL_KEY_INVALID), 1);
		CHECK_EQ(s.set->raised, 0);
		for (uint64_t b = 0; b < s.set->sb.nbuckets; b++)
			if (cache_set_member_of(s.set, b, &index, &local))
				dirty += cache_set_role(s.set, b) == CACHE_ROLE_DIRTY;
		CHECK_EQ(dirty, 7 * 5 + 3);
		cache_set_close(s.set);
		fini(&m);
	}
}

TEST(whatever_memory_a_load_lacks_is_said_and_all_is_given_back)
{
	struct members m;
	struct some s = { 0 };
	unsigned n = 0;
	int ret;

	if (!deny_works())
		SKIP("allocations cannot be made to fail here");
	m = built(3);
	for (unsigned i = 0; i < 3; i++)
		add(&s, &m, i);
	do {
		struct cache_err err = { 0 };

		deny_in = n++;
		ret = cache_set_load_members(s.member, 3, CACHE_LOAD_MARKS, NULL, &s.set, &err);
		if (deny_in >= 0)
			break;
		CHECK_EQ(ret, -ENOMEM);
		CHECK(err.text[0]);
	} while (1);
	deny_in = -1;
	CHECK_EQ(ret, 0);
	CHECK(n > 20);
	CHECK_EQ(count_extents(&s).extents, 7 * 11 + 3);
	cache_set_close(s.set);
	fini(&m);
}

TEST(without_a_sink_the_first_damage_is_the_error)
{
	struct members m = built(2);
	struct some s = { 0 };
	struct cache_err err = { 0 };

	for (unsigned i = 0; i < 2; i++) {
		add(&s, &m, i);
		s.member[i].sink = NULL;
	}
	load(&s, CACHE_LOAD_MARKS);
	cache_set_close(s.set);
	disk_spoil(&m.d[1], m.chain[1] * BUCKET, 100);
	CHECK_EQ(cache_set_load_members(s.member, 2, CACHE_LOAD_MARKS, NULL, &s.set, &err),
		 -EBADMSG);
	fini(&m);
}

TEST_MAIN()
