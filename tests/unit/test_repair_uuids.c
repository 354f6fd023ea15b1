// SPDX-License-Identifier: GPL-2.0-only
/* Which slots of a uuid table come back, from where, and which are left alone. */
#include "repair_cases.h"

#include "base/rng.h"

#define WHY	"name the backing devices"

static void on_slot(void *ctx, unsigned dev, const struct cache_repair_slot *slot)
{
	*(struct cache_repair_slot *)ctx = *slot;
}

/* Whatever is found wrong with it. */
static struct cache_set *look(struct disk *d)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };
	struct cache_set *set;

	CHECK_EQ(cache_set_load(d->dev, CACHE_LOAD_MARKS, &silent, &set, NULL), 0);
	return set;
}

static uint64_t state_flags(enum cache_bdev_state state)
{
	return (uint64_t)state << CACHE_BDEV_STATE_SHIFT;
}

TEST(a_lost_slot_comes_back_from_an_older_table)
{
	struct disk d = with_older_table((uint8_t []){ 0x30, 0x40 }, 2);
	struct cache_repair_plan plan;
	struct cache_set *set;

	repairs(&d, (struct cache_repair_opts){ 0 }, &plan);
	CHECK(plan.uuids);
	CHECK_EQ(plan.kept_dirty_sectors, 32 + 16);
	set = enter(&d);
	is_slot(set, 0, 0x30);
	is_slot(set, 1, 0x40);
	leave(&d, set);
}

TEST(an_older_table_that_lacks_the_slot_or_is_garbage_proves_nothing)
{
	struct disk d = with_older_table((uint8_t []){ 0x30, 0, 0x60 }, 3);

	refuses(&d, (struct cache_repair_opts){ 0 }, "name the backing devices");
	put_table(&d, OLDER, (uint8_t []){ 0x30, 0x40 }, 2);
	disk_flip(&d, SECTOR(OLDER) + 1, 126);	/* a free slot that is not empty */
	refuses(&d, (struct cache_repair_opts){ 0 }, "name the backing devices");
	cache_dev_close(d.dev);
}

TEST(a_lost_slot_comes_back_from_the_one_backing_device_that_can_own_it)
{
	struct disk d = two_devices(0x30, 0);
	struct cache_sb at_hand[] = { backing(0x50, 0x20), backing(0x30, 0x20),
				      backing(0x60, 0x70) };
	struct cache_repair_slot told = { 0 };
	struct cache_repair_opts opts = { .backing = at_hand, .nbacking = 3,
					  .slot = on_slot, .ctx = &told };
	struct cache_repair_plan plan;
	struct cache_set *set;

	repairs(&d, opts, &plan);
	CHECK_EQ(told.index, 1);
	CHECK_MEM(told.uuid, at_hand[0].uuid, 16);
	CHECK(strstr(told.proof, "no other backing device"));
	set = enter(&d);
	is_slot(set, 1, 0x50);
	CHECK_STR((char *)set->uuids.slot[1].label, "back");
	CHECK_EQ(set->uuids.slot[1].first_reg, 77);
	CHECK_EQ(set->uuids.slot[1].last_reg, 77);
	leave(&d, set);
}


TEST(of_two_slots_with_one_uuid_the_one_with_data_stays)
{
	struct cache_bkey k = extent(1, 100, 116, true, SECTOR(32), 1);
	struct disk d = make(&k, 1, 0x30, 0x30), both = two_devices(0x30, 0x30);
	struct cache_repair_plan plan;
	struct cache_set *set;

	repairs(&d, (struct cache_repair_opts){ 0 }, &plan);
	set = enter(&d);
	is_slot(set, 0, 0);
	is_slot(set, 1, 0x30);
	leave(&d, set);
	refuses(&both, (struct cache_repair_opts){ 0 }, "both have data");
	cache_dev_close(both.dev);
}

TEST(which_device_owns_a_lost_slot_is_not_guessed)
{
	struct disk one = two_devices(0x30, 0), both = two_devices(0, 0);
	struct cache_sb two[] = { backing(0x50, 0x20), backing(0x60, 0x20) };
	struct cache_sb others[] = { backing(0x30, 0x20), backing(0x60, 0x70) };

	refuses(&one, (struct cache_repair_opts){ 0 }, WHY);
	refuses(&one, (struct cache_repair_opts){ .backing = two, .nbacking = 2 }, WHY);
	refuses(&one, (struct cache_repair_opts){ .backing = others, .nbacking = 2 }, WHY);
	refuses(&both, (struct cache_repair_opts){ .backing = two, .nbacking = 1 }, WHY);
	refuses(&both, (struct cache_repair_opts){ .backing = two, .nbacking = 2 }, WHY);
	cache_dev_close(one.dev);
	cache_dev_close(both.dev);
}

TEST(a_device_that_is_not_dirty_or_is_too_small_for_the_data_does_not_own_it)
{
	struct disk d = two_devices(0x30, 0);	/* slot 1 has 100 to 208 */
	struct cache_sb b = backing(0x50, 0x20), wrong[5] = { b, b, b, b, b };
	uint64_t longer = 208, shorter = 207;
	struct cache_repair_opts opts = { .backing = &b, .backing_sectors = &shorter, .nbacking = 1 };
	struct cache_repair_plan plan;

	wrong[0].flags = state_flags(CACHE_BDEV_STATE_CLEAN);
	wrong[1].flags = state_flags(CACHE_BDEV_STATE_STALE);
	wrong[2].flags = state_flags(CACHE_BDEV_STATE_NONE);
	wrong[3].csum_stored = 1;
	wrong[4].data_offset_sectors = 101;
	for (unsigned i = 0; i < 5; i++)
		refuses(&d, (struct cache_repair_opts){ .backing = &wrong[i], .nbacking = 1 }, WHY);
	refuses(&d, opts, WHY);
	opts.backing_sectors = &longer;
	repairs(&d, opts, &plan);
	leave(&d, enter(&d));
}

TEST(of_two_dirty_devices_the_one_that_can_hold_the_data_owns_it)
{
	struct disk d = two_devices(0x30, 0);
	struct cache_sb two[] = { backing(0x50, 0x20), backing(0x60, 0x20) };
	uint64_t sectors[] = { 200, 208 };
	struct cache_repair_opts opts = { .backing = two, .backing_sectors = sectors, .nbacking = 2 };
	struct cache_repair_plan plan;
	struct cache_set *set;
	struct cache_err err;

	CHECK_EQ(repair(&d, opts, &plan, &err), 0);
	set = enter(&d);
	is_slot(set, 1, 0x60);
	leave(&d, set);
}

/* Dirty data of slot 0, clean data of slot 1. */
static struct disk dirty_and_clean(uint8_t a, uint8_t b)
{
	struct cache_bkey k[] = {
		extent(0, 100, 132, true, SECTOR(30), 1), extent(0, 200, 208, false, SECTOR(31), 1),
		extent(1, 200, 208, false, SECTOR(33), 1),
	};

	return make(k, 3, a, b);
}

TEST(where_two_slots_with_data_are_lost_both_devices_must_be_at_hand)
{
	struct disk d = dirty_and_clean(0, 0);
	struct cache_sb two[] = { backing(0x30, 0x20), backing(0x40, 0x20) };
	struct cache_repair_opts opts = { .backing = two, .nbacking = 1 };
	struct cache_repair_plan plan;
	struct cache_set *set;

	two[1].flags = state_flags(CACHE_BDEV_STATE_CLEAN);
	refuses(&d, opts, WHY);		/* it may be the one with clean data */
	opts.nbacking = 2;
	repairs(&d, opts, &plan);
	CHECK_EQ(plan.dropped_clean_sectors, 8);
	CHECK_EQ(plan.kept_sectors, 40);
	set = enter(&d);
	is_slot(set, 0, 0x30);
	is_slot(set, 1, 0);
	leave(&d, set);
}

/* Random bytes over slots @from to @to; half of them have the flag of a flash volume. */
static void put_overwritten(struct disk *d, unsigned from, unsigned to)
{
	uint32_t nsectors = cache_meta_bucket_bytes(&d->sb) / CACHE_SECTOR_BYTES;
	struct cache_uuid_disk *e = cache_dev_buf(cache_meta_bucket_bytes(&d->sb));
	struct cache_rng rng;

	cache_rng_init(&rng, 5);
	CHECK_EQ(cache_dev_read(d->dev, SECTOR(UUID), nsectors, e, NULL), 0);
	for (unsigned i = from * sizeof(*e); i < to * sizeof(*e); i++)
		((uint8_t *)e)[i] = cache_rng_u64(&rng);
	for (unsigned i = from; i < to; i++)
		e[i].flags = cache_le32_of(i & 1 ? 0xf0 : 0xf1);
	disk_write(d, SECTOR(UUID), nsectors, e);
	free(e);
}

static struct disk noisy(void)
{
	struct disk d = dirty_and_clean(0x30, 0x40);

	put_overwritten(&d, 0, cache_nr_uuids(&d.sb));
	return d;
}

static unsigned count_slots(const struct cache_set *set)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < set->uuids.n; i++)
		n += cache_uuid_state(&set->uuids.slot[i]) != CACHE_SLOT_FREE;
	return n;
}

TEST(an_overwritten_table_is_filled_from_the_backing_devices_at_hand)
{
	struct disk d = noisy();
	struct cache_sb two[] = { backing(0x30, 0x20), backing(0x40, 0x20) };
	struct cache_repair_opts opts = { .backing = two, .nbacking = 2 };
	struct cache_repair_plan plan;
	struct cache_set *set;
	struct cache_err err;

	two[1].flags = state_flags(CACHE_BDEV_STATE_CLEAN);
	CHECK_EQ(repair(&d, opts, &plan, &err), 0);
	CHECK(plan.rebuild && plan.uuids && plan.safe && !plan.cannot);
	CHECK_EQ(plan.kept_dirty_sectors, 32);	/* and the clean data of no flash volume */
	CHECK_EQ(plan.kept_sectors, 40);
	CHECK_EQ(plan.dropped_clean_sectors, 8);
	set = enter(&d);
	is_slot(set, 0, 0x30);
	CHECK_EQ(cache_uuid_state(&set->uuids.slot[0]), CACHE_SLOT_BACKING);
	CHECK_EQ(count_slots(set), 1);
	leave(&d, set);
}

TEST(an_overwritten_table_is_filled_from_an_older_one)
{
	struct disk d = noisy();
	struct cache_repair_slot told = { 0 };
	struct cache_repair_opts opts = { .slot = on_slot, .ctx = &told };
	struct cache_repair_plan plan;
	struct cache_set *set;

	put_table(&d, OLDER, (uint8_t []){ 0x30, 0x40 }, 2);
	put_entry(&d, 1, OLDER, 0);
	put_entry(&d, 2, UUID, 0);
	repairs(&d, opts, &plan);
	CHECK(strstr(told.proof, "older copy"));
	CHECK_EQ(plan.kept_sectors, 48);
	set = enter(&d);
	is_slot(set, 0, 0x30);
	is_slot(set, 1, 0x40);
	CHECK_EQ(count_slots(set), 2);
	leave(&d, set);
}

/* What was overwritten must be found again by whoever comes with the device. */
TEST(what_was_overwritten_and_could_belong_to_several_devices_stays_so_and_all_else_is_repaired)
{
	struct disk d = noisy();
	struct cache_sb b = backing(0x30, 0x20);
	struct cache_repair_opts opts = { .backing = &b, .nbacking = 1 };
	struct set_state before, after;
	struct cache_repair_plan plan;
	struct cache_set *set;
	struct cache_err err;

	for (unsigned n = 0; n < 2; n++) {
		CHECK_EQ(repair(&d, (struct cache_repair_opts){ 0 }, &plan, &err), 0);
		CHECK_EQ(plan.rebuild, !n);
		CHECK(strstr(plan.cannot, WHY));
		CHECK_EQ(dirty_of(&d), 32);
		set = look(&d);
		CHECK_EQ(count_slots(set), 1);
		CHECK(cache_uuid_is_overwritten(&set->uuids.slot[0]));
		CHECK_EQ(cache_uuid_state(&set->uuids.slot[0]), CACHE_SLOT_BACKING);
		cache_set_close(set);
		if (!n)
			before = set_state(d.dev);
	}
	after = set_state(d.dev);
	CHECK(set_same(&before, &after));
	CHECK_EQ(after.findings, 1);
	repairs(&d, opts, &plan);
	set = enter(&d);
	is_slot(set, 0, 0x30);
	leave(&d, set);
}

TEST(dirty_data_of_an_overwritten_slot_is_dropped_only_when_loss_is_allowed)
{
	struct disk d = noisy();
	struct loss loss = { 0 };
	struct cache_repair_opts opts = { .allow_data_loss = true, .loss = on_loss, .ctx = &loss };
	struct cache_repair_plan plan;
	struct cache_set *set;

	repairs(&d, opts, &plan);
	CHECK_EQ(plan.dropped_dirty_sectors, 32);
	CHECK_EQ(loss.sectors, 32);
	set = enter(&d);
	CHECK_EQ(count_slots(set), 0);
	leave(&d, set);
}

static void edit_slot(struct disk *d, unsigned i, void (*edit)(struct cache_uuid_disk *))
{
	struct cache_uuid_disk *e = cache_dev_buf(CACHE_PAGE_BYTES);

	CHECK_EQ(cache_dev_read(d->dev, SECTOR(UUID), 8, e, NULL), 0);
	edit(&e[i]);
	disk_write(d, SECTOR(UUID), 8, e);
	free(e);
}

static void spoil_rest(struct cache_uuid_disk *e)
{
	memset(e->label, 0xee, sizeof(*e) - sizeof(e->uuid));
}

static void spoil_little(struct cache_uuid_disk *e)
{
	e->pad[3] = 1;
	e->flags = cache_le32_of(8);
}

TEST(a_slot_whose_uuid_is_that_of_a_device_at_hand_is_its_own)
{
	struct disk d = two_devices(0x30, 0x40);
	struct cache_sb two[] = { backing(0x30, 0x20), backing(0x40, 0x20) };
	struct cache_repair_opts opts = { .backing = two, .nbacking = 2 };
	struct cache_repair_plan plan;
	struct cache_set *set;

	edit_slot(&d, 0, spoil_rest);
	edit_slot(&d, 1, spoil_rest);
	repairs(&d, opts, &plan);
	CHECK_EQ(plan.kept_dirty_sectors, 48);
	set = enter(&d);
	is_slot(set, 0, 0x30);
	is_slot(set, 1, 0x40);
	leave(&d, set);
}

TEST(a_slot_with_a_few_wrong_bytes_keeps_its_uuid)
{
	struct disk d = two_devices(0x30, 0x40);
	struct cache_sb other = backing(0x50, 0x20);
	struct cache_repair_opts opts = { .backing = &other, .nbacking = 1 };
	struct cache_repair_plan plan;
	struct cache_set *set;
	struct cache_err err;

	edit_slot(&d, 0, spoil_little);
	CHECK_EQ(repair(&d, opts, &plan, &err), 0);
	CHECK(plan.rebuild);
	CHECK(strstr(plan.cannot, "nothing proves"));	/* of the other one, which is dirty */
	set = enter(&d);
	is_slot(set, 0, 0x30);
	is_slot(set, 1, 0x40);
	leave(&d, set);
}

/* A bucket that went to something else since may hold a table of another set. */
TEST(a_table_in_a_bucket_that_was_reused_is_believed_if_it_knows_what_is_known)
{
	static const struct {
		uint8_t known, want;
	} rows[] = { { 0x30, 0x40 }, { 0x50, 0 } };

	for (unsigned i = 0; i < 2; i++) {
		struct disk d = with_older_table((uint8_t []){ rows[i].known, 0x40 }, 2);
		struct jset_spec j = { .seq = 1, .last_seq = 1, .prio_bucket = PRIO,
				       .uuid_bucket = table_key(&d, OLDER),
				       .btree_root = root_key(&d.sb, ROOT, 1) };
		struct cache_repair_plan plan;
		struct cache_set *set;

		j.uuid_bucket.ptr[0] = cache_ptr_make(0, SECTOR(OLDER), 0);
		put_jset(&d, 1, 0, &j);
		if (!rows[i].want) {
			refuses(&d, (struct cache_repair_opts){ 0 }, WHY);
			cache_dev_close(d.dev);
			continue;
		}
		repairs(&d, (struct cache_repair_opts){ 0 }, &plan);
		set = enter(&d);
		is_slot(set, 1, rows[i].want);
		leave(&d, set);
	}
}

TEST(a_device_that_says_it_has_left_does_not_get_its_slot_back)
{
	struct disk d = with_older_table((uint8_t []){ 0x30, 0x40 }, 2);
	struct cache_sb b = backing(0x40, 0x20);
	struct cache_repair_opts opts = { .backing = &b, .nbacking = 1 };
	struct cache_repair_plan plan;
	struct cache_set *set;
	struct cache_err err;

	b.flags = state_flags(CACHE_BDEV_STATE_NONE);
	CHECK_EQ(repair(&d, opts, &plan, &err), 0);
	set = look(&d);
	CHECK_EQ(cache_uuid_state(&set->uuids.slot[1]), CACHE_SLOT_RETIRED);
	leave(&d, set);
}

/* Names slot 1's device, whose uuid is random but for one bit and its label. */
static struct cache_sb nearly(unsigned byte, uint8_t bits, const char *label)
{
	struct cache_sb b = backing(0x40, 0x20);

	b.uuid[8] = 0x88;
	b.uuid[byte] ^= bits;
	memset(b.label, 0, sizeof(b.label));
	memcpy(b.label, label, strlen(label));
	return b;
}

static void make_random(struct cache_uuid_disk *e)
{
	e->uuid[8] = 0x88;
	memcpy(e->label, "back", 4);
}

TEST(a_uuid_that_lacks_one_bit_of_that_of_a_dirty_device_is_put_right)
{
	static const struct {
		unsigned byte;
		uint8_t bits;
		const char *label;
		bool repaired;
	} rows[] = {
		{ 3, 4, "back", true }, { 15, 0x80, "back", true }, { 3, 5, "back", false },
		{ 3, 4, "other", false }, { 6, 0x10, "back", false },	/* not a random one */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct disk d = two_devices(0x30, 0x40);
		struct cache_sb b = nearly(rows[i].byte, rows[i].bits, rows[i].label);
		struct cache_repair_opts opts = { .backing = &b, .nbacking = 1 };
		struct set_state before, after;
		struct cache_repair_plan plan;
		struct cache_set *set;
		struct cache_err err;

		edit_slot(&d, 1, make_random);
		before = set_state(d.dev);
		CHECK_EQ(repair(&d, opts, &plan, &err), 0);
		CHECK_EQ(plan.rebuild, rows[i].repaired);
		CHECK_EQ(!plan.cannot, rows[i].repaired);
		set = enter(&d);
		CHECK_EQ(!memcmp(set->uuids.slot[1].uuid, b.uuid, 16), rows[i].repaired);
		is_slot(set, 0, 0x30);
		after = set_state(d.dev);
		CHECK(rows[i].repaired || set_same(&before, &after));
		leave(&d, set);
	}
}

TEST(a_near_uuid_proves_nothing_where_other_data_has_lost_its_owner)
{
	struct disk d = two_devices(0x30, 0x40);
	struct cache_sb b = nearly(3, 4, "back");
	struct cache_repair_opts opts = { .backing = &b, .nbacking = 1 };
	struct cache_repair_plan plan;
	struct cache_set *set;
	struct cache_err err;

	edit_slot(&d, 1, make_random);
	put_overwritten(&d, 0, 1);
	CHECK_EQ(repair(&d, opts, &plan, &err), 0);
	CHECK(strstr(plan.cannot, WHY));
	set = look(&d);
	CHECK(cache_uuid_is_overwritten(&set->uuids.slot[0]));
	CHECK(memcmp(set->uuids.slot[1].uuid, b.uuid, 16));
	leave(&d, set);
}

TEST(a_uuid_that_is_another_than_in_an_older_table_is_that_of_the_device_at_hand)
{
	struct disk d = two_devices(0x30, 0x60);
	struct cache_sb b = backing(0x40, 0x20);
	struct cache_repair_opts opts = { .backing = &b, .nbacking = 1 };
	struct cache_repair_plan plan;
	struct cache_set *set;

	put_table(&d, OLDER, (uint8_t []){ 0x30, 0x40 }, 2);
	put_entry(&d, 1, OLDER, 0);
	put_entry(&d, 2, UUID, 0);
	repairs(&d, opts, &plan);
	set = enter(&d);
	is_slot(set, 0, 0x30);
	is_slot(set, 1, 0x40);
	leave(&d, set);
}

/* The dirty data of slot 1 hangs on a node that is cut off: it is not seen at first. */
TEST(who_owns_what_waits_until_nodes_that_were_cut_off_are_found)
{
	for (unsigned named = 1; named < 3; named++) {
		struct disk d = make(NULL, 0, 0x30, 0x40);
		struct cache_bkey root = root_key(&d.sb, ROOT, 1);
		struct cache_bkey half[] = { node_key(&d.sb, 0, 1000, 23, 1), root_key(&d.sb, 24, 1) };
		struct cache_bkey left = node_key(&d.sb, 0, 1000, 26, 1), right = root_key(&d.sb, 27, 1);
		struct cache_bkey a = extent(0, 100, 132, true, SECTOR(30), 1);
		struct cache_bkey b = extent(named - 1, 2000, 2016, true, SECTOR(31), 1);
		struct cache_sb sb = backing(0x30, 0x20);
		struct cache_repair_opts opts = { .backing = &sb, .nbacking = 1 };
		struct cache_repair_plan plan;
		struct cache_set *set;
		struct cache_err err;

		put_bset(&d, &root, 5, 0, half, 2);
		put_bset(&d, &half[0], 6, 0, &left, 1);
		put_bset(&d, &half[1], 7, 0, &right, 1);
		disk_flip(&d, SECTOR(24), 0);
		put_bset(&d, &left, 8, 0, &a, 1);
		put_bset(&d, &right, 9, 0, &b, 1);
		put_entry(&d, 1, UUID, 2);
		put_overwritten(&d, 0, cache_nr_uuids(&d.sb));
		CHECK_EQ(repair(&d, opts, &plan, &err), 0);
		CHECK_EQ(dirty_of(&d), 48);
		CHECK_EQ(!plan.cannot, named == 1);	/* all of it one device's */
		set = look(&d);
		CHECK_EQ(!memcmp(set->uuids.slot[0].uuid, sb.uuid, 16), named == 1);
		CHECK_EQ(count_slots(set), named);
		leave(&d, set);
	}
}

static struct cache_repair_given_slot given(uint8_t uuid, uint32_t index)
{
	struct cache_repair_given_slot g = { .index = index };

	disk_uuid(g.uuid, uuid);
	return g;
}

/* What a person says is refused, and not one byte is another. */
static void refuses_given(struct disk *d, struct cache_repair_opts opts, const char *why)
{
	struct set_state before = set_state(d->dev), after;

	for (unsigned loss = 0; loss < 2; loss++) {
		struct cache_repair_plan plan;
		struct cache_err err;

		opts.allow_data_loss = loss;
		CHECK_EQ(repair(d, opts, &plan, &err), -EINVAL);
		if (!strstr(err.text, why))
			TEST_FAIL("\"%s\", want \"%s\"", err.text, why);
		CHECK(plan.cannot);
	}
	after = set_state(d->dev);
	CHECK(set_same(&before, &after));
}

TEST(two_lost_slots_get_the_devices_that_a_person_says)
{
	for (unsigned exchanged = 0; exchanged < 2; exchanged++) {
		struct disk d = two_devices(0, 0);
		struct cache_sb two[] = { backing(0x50, 0x20), backing(0x60, 0x20) };
		struct cache_repair_given_slot slots[] = { given(0x50, exchanged), given(0x60, !exchanged) };
		struct cache_repair_opts opts = { .backing = two, .nbacking = 2,
						  .given_slots = slots, .ngiven_slots = 2 };
		struct cache_repair_plan plan;
		struct cache_set *set;

		two[1].flags = state_flags(CACHE_BDEV_STATE_CLEAN);
		repairs(&d, opts, &plan);
		CHECK_EQ(plan.kept_dirty_sectors, 48);
		CHECK_EQ(plan.dropped_clean_sectors, 0);
		set = enter(&d);
		is_slot(set, exchanged, 0x50);
		is_slot(set, !exchanged, 0x60);
		cache_set_close(set);
		/* said again, it is so already */
		CHECK_EQ(repair(&d, opts, &plan, &(struct cache_err){ 0 }), 0);
		CHECK(!plan.rebuild);
		cache_dev_close(d.dev);
	}
}

TEST(with_one_slot_given_by_hand_the_other_is_that_of_the_only_device_left)
{
	struct disk d = two_devices(0, 0);
	struct cache_sb two[] = { backing(0x50, 0x20), backing(0x60, 0x20) };
	struct cache_repair_given_slot one = given(0x60, 0);
	struct cache_repair_plan plan;
	struct cache_set *set;

	repairs(&d, (struct cache_repair_opts){ .backing = two, .nbacking = 2, .given_slots = &one,
						.ngiven_slots = 1 }, &plan);
	set = enter(&d);
	is_slot(set, 0, 0x60);
	is_slot(set, 1, 0x50);
	leave(&d, set);
}

TEST(a_slot_is_not_given_against_what_is_known)
{
	struct disk lost = two_devices(0, 0), one = two_devices(0x30, 0), older = with_older_table(
		(uint8_t []){ 0x30, 0x40 }, 2);
	struct cache_sb b = backing(0x50, 0x20), known = backing(0x30, 0x20), moved = backing(0x40, 0x20);
	struct cache_sb other_set = backing(0x50, 0x70), left = b, late = b, unchecked = b;
	struct cache_repair_given_slot g = given(0x50, 1), taken = given(0x50, 0), twice = given(0x30, 1);
	struct cache_repair_given_slot far = given(0x50, 100000), free_slot = given(0x50, 2), both[] = { g, g };
	uint64_t shorter = 207;
	struct cache_repair_opts opts = { .backing = &b, .nbacking = 1, .given_slots = &g, .ngiven_slots = 1 };

	left.flags = state_flags(CACHE_BDEV_STATE_NONE);
	late.data_offset_sectors = 101;
	unchecked.csum_stored = 1;
	refuses_given(&lost, (struct cache_repair_opts){ .given_slots = &g, .ngiven_slots = 1 },
		      "name the backing device too");
	opts.backing_sectors = &shorter;
	refuses_given(&lost, opts, "outside of the device");
	opts.backing_sectors = NULL;
	opts.given_slots = &far;
	refuses_given(&lost, opts, "no such slot");
	opts.given_slots = &free_slot;
	refuses_given(&lost, opts, "no data for the slot");
	opts.given_slots = both;
	opts.ngiven_slots = 2;
	refuses_given(&lost, opts, "given twice");
	opts.ngiven_slots = 1;
	opts.backing = &other_set;
	refuses_given(&lost, opts, "attached to this set");
	opts.backing = &left;
	refuses_given(&lost, opts, "attached to this set");
	opts.backing = &unchecked;
	refuses_given(&lost, opts, "attached to this set");
	opts.backing = &late;
	refuses_given(&lost, opts, "outside of the device");
	opts.backing = &b;
	opts.given_slots = &taken;
	refuses_given(&one, opts, "another owner");
	opts.backing = &known;
	opts.given_slots = &twice;
	refuses_given(&one, opts, "has another slot");
	opts.backing = &b;
	opts.given_slots = &g;
	refuses_given(&older, opts, "older copy");
	opts.backing = &moved;
	opts.given_slots = &(struct cache_repair_given_slot){ 0 };
	refuses_given(&older, opts, "another owner");
	cache_dev_close(lost.dev);
	cache_dev_close(one.dev);
	cache_dev_close(older.dev);
}

TEST_MAIN()
