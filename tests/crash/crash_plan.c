// SPDX-License-Identifier: GPL-2.0-only
/*
 * A remedy that is only planned, with allocations and reads that fail: what is lacking
 * is said, nothing is written, and no plan that knows less is called safe.
 */
#include <errno.h>

#include "damage.h"
#include "harness.h"
#include "repair/repair.h"
#include "wrap.h"

/* Something damaged, and a remedy that is only planned. */
struct case_of {
	const char *name, *image;
	void (*damage)(struct cache_dev *);
	int (*plan)(struct cache_dev *dev, struct cache_repair_plan *plan,
		    struct cache_err *err);
	unsigned step;		/* 1: every allocation and read; 7: every seventh */
};

static int plan_tree(struct cache_dev *dev, struct cache_repair_plan *plan,
		     struct cache_err *err)
{
	struct cache_repair_opts opts = { .seed = 7, .dry_run = true };

	return cache_repair_cache(dev, &opts, plan, err);
}

static int plan_super(struct cache_dev *dev, struct cache_repair_plan *plan,
		      struct cache_err *err)
{
	struct cache_repair_opts opts = { .dry_run = true, .guess = true };

	return cache_repair_super(dev, &opts, plan, err);
}

static const struct case_of cases[] = {
	{ "empty ring", "registered", lose_the_ring, plan_tree, 1 },
	{ "empty ring with a run", "registered", lose_the_first_entry, plan_tree, 1 },
	{ "empty ring of a tree", "churn-lru", lose_the_ring, plan_tree, 7 },
	{ "uuids", "registered", lose_the_uuids, plan_tree, 1 },
	{ "misled replay", "registered", mislead_the_replay, plan_tree, 1 },
	{ "torn leaf", "churn-lru", tear_a_leaf, plan_tree, 7 },
	{ "lost root", "churn-lru", lose_the_root, plan_tree, 41 },
	{ "full ring", "ring-full", NULL, plan_tree, 41 },
	{ "geometry", "registered", lose_the_geometry, plan_super, 1 },
	{ "geometry of a tree", "churn-lru", lose_the_geometry, plan_super, 1 },
};

/* The case with nothing failing: what a plan must not fall short of in silence. */
static struct cache_repair_plan plan_well(const struct case_of *c, struct cache_dev *dev)
{
	struct cache_repair_plan plan = { 0 };
	struct cache_err err = { 0 };

	if (c->plan(dev, &plan, &err))
		TEST_FAIL("%s: %s", c->name, err.text);
	CHECK(plan.rebuild || plan.super);
	return plan;
}

static void each_case(void (*badly)(const struct case_of *c, struct cache_dev *dev,
				    const struct cache_repair_plan *well))
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct cache_dev *dev = set_open(cases[i].image);
		struct cache_repair_plan well;

		if (cases[i].damage)
			cases[i].damage(dev);
		well = plan_well(&cases[i], dev);
		badly(&cases[i], dev, &well);
		cache_dev_close(dev);
	}
}

static void plan_without_memory(const struct case_of *c, struct cache_dev *dev,
				const struct cache_repair_plan *well)
{
	struct cache_fault fault = { .kinds = CACHE_FAULT_WRITE | CACHE_FAULT_FLUSH };
	struct cache_dev *watched;
	bool struck = true;

	printf("# %s\n", c->name);
	CHECK_EQ(cache_dev_fault_new(set_lend(dev), &fault, &watched, NULL), 0);
	for (uint64_t n = 1; struck; n += c->step) {
		struct cache_repair_plan plan = { 0 };
		struct cache_err err = { 0 };

		crash_alloc_fail(n);
		struck = crash_alloc_said(c->plan(watched, &plan, &err), &err);
	}
	CHECK_EQ(fault.seen, 0);
	cache_dev_close(watched);
}

TEST(each_failed_allocation_of_a_plan_is_reported_and_nothing_is_written)
{
	each_case(plan_without_memory);
}

/* Less may be kept when less could be read, but then it is not called safe. */
static void plan_with_faults(const struct case_of *c, struct cache_dev *dev,
			     const struct cache_repair_plan *well)
{
	struct cache_fault fault = { .kinds = CACHE_FAULT_READ, .error = -EIO, .at = 1 };
	uint64_t runs = 0;

	for (; fault.at == 1 || fault.seen >= fault.at - c->step; fault.at += c->step) {
		struct cache_repair_plan plan = { 0 };
		struct cache_err err = { 0 };
		struct cache_dev *faulty;
		int ret;

		fault.seen = 0;
		CHECK_EQ(cache_dev_fault_new(set_lend(dev), &fault, &faulty, NULL), 0);
		ret = c->plan(faulty, &plan, &err);
		cache_dev_close(faulty);
		if (ret && !err.text[0])
			TEST_FAIL("%s, read %" PRIu64 " failed without a message", c->name, fault.at);
		if (!ret && plan.safe &&
		    plan.kept_dirty_sectors < well->kept_dirty_sectors)
			TEST_FAIL("%s, read %" PRIu64 " failed: less dirty data, called safe",
				  c->name, fault.at);
		runs++;
	}
	printf("# %s: %" PRIu64 " runs with a read that fails\n", c->name, runs);
}

TEST(a_plan_whose_reads_fail_is_never_called_safe_with_less)
{
	each_case(plan_with_faults);
}

TEST_MAIN()
