// SPDX-License-Identifier: GPL-2.0-only
/* The order of a clone: look, check, choose; then erase, copy, commit, superblock. */
#include "clone/clone_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "host/ids.h"
#include "host/probe.h"
#include "set/commit.h"

static void on_loss(void *ctx, unsigned dev, const struct cache_repair_loss *loss)
{
	struct clone *c = ctx;

	cache_repair_losses_add(&c->losses, loss);
	if (c->opts->loss)
		c->opts->loss(c->opts->ctx, 0, loss);
}

static void on_finding(void *ctx, unsigned dev, bool again, const struct cache_finding *f)
{
	const struct clone *c = ctx;

	if (c->opts->finding)
		c->opts->finding(c->opts->ctx, f);
}

static int on_progress(void *ctx, unsigned dev, unsigned pass, uint64_t current, uint64_t max)
{
	const struct clone *c = ctx;

	return c->opts->progress ? c->opts->progress(c->opts->ctx, pass, current, max) : 0;
}

static int check_source(struct clone *c, struct cache_err *err)
{
	struct cache_sb *sb = &c->res->source;
	int ret = cache_sb_read(c->src, sb, err);

	if (!ret && cache_sb_has_magic(sb) && cache_sb_is_bdev(sb))
		ret = cache_err_set(err, -EINVAL, 0, "this is a backing device, expected a cache device");
	if (!ret)
		ret = cache_sb_check(sb, cache_dev_sectors(c->src),
				     cache_dev_logical_block_bytes(c->src), NULL, err);
	if (!ret && sb->nr_in_set > 1)
		ret = cache_err_set(err, -EOPNOTSUPP, 0,
				    "the cache set has %u cache devices, expected one", sb->nr_in_set);
	if (!ret && !cache_sb_is_synced(sb))
		ret = cache_err_set(err, -EUCLEAN, 0, "the cache set has never run: there is nothing to clone");
	return ret ? cache_err_prefix(err, ret, "%s", cache_dev_name(c->src)) : 0;
}

/* Even where everything may be overwritten: the set could not be complete without it. */
static int check_old(const struct clone *c, struct cache_err *err)
{
	const struct cache_sb *old = &c->d.old;

	if (!c->d.has_old || !cache_sb_is_bdev(old) ||
	    memcmp(old->set_uuid, c->res->source.set_uuid, sizeof(old->set_uuid)))
		return 0;
	return cache_err_set(err, -EEXIST, 0, "%s: it is a backing device of this cache set",
			     cache_dev_name(c->dst));
}

static int found_member(void *ctx, const char *path, const struct cache_sb *sb)
{
	const struct clone *c = ctx;

	if (cache_sb_is_bdev(sb) || cache_probe_same(path, cache_dev_name(c->src)) ||
	    cache_probe_same(path, cache_dev_name(c->dst)))
		return 0;
	if (c->opts->note)
		c->opts->note(c->opts->ctx, true, path, "it has the UUID of this cache set too: the kernel will start only one of them");
	return 0;
}

/* What a format makes, and what a first start would add to it. */
static int plan_target(struct clone *c, struct cache_err *err)
{
	const struct cache_sb *from = &c->res->source;
	struct cache_sb *sb = &c->d.sb;
	uint64_t sectors = cache_dev_sectors(c->dst);
	uint8_t buf[CACHE_SB_BYTES] = { 0 };
	int ret;

	c->d.dev = c->dst;
	c->m = (struct cache_mkcache){
		.size = sizeof(c->m), .devs = &c->d, .ndevs = 1,
		.block_sectors = from->block_sectors, .bucket_sectors = c->opts->bucket_sectors,
		.label = from->label[0] ? (const char *)from->label : NULL,
		.note = c->opts->note, .ctx = c->opts->ctx };
	if (cache_sb_replacement(from) <= CACHE_RANDOM)
		c->m.replacement = cache_sb_replacement(from);
	if (!c->m.bucket_sectors && sectors / from->bucket_sectors >= CACHE_NBUCKETS_QUEUE_MIN)
		c->m.bucket_sectors = from->bucket_sectors;
	ret = cache_mkcache_plan(&c->m, err);
	if (!ret)
		ret = check_old(c, err);
	if (ret)
		return ret;
	if (c->opts->keep_uuid) {
		memcpy(sb->set_uuid, from->set_uuid, sizeof(sb->set_uuid));
		memcpy(c->m.set_uuid, from->set_uuid, sizeof(c->m.set_uuid));
		c->m.set_is_new = false;
		cache_probe_set(sb->set_uuid, found_member, c);
	}
	if (sb->version < CACHE_SB_VERSION_CDEV_WITH_UUID)
		sb->version = CACHE_SB_VERSION_CDEV_WITH_UUID;
	sb->flags |= CACHE_SB_SYNC;
	sb->seq = from->seq + 1;
	sb->last_mount = from->last_mount;
	cache_sb_predict_ring(sb);
	cache_sb_encode(sb, buf);
	cache_sb_decode(buf, sb);
	c->res->target = *sb;
	return cache_set_new_blank(c->dst, sb, &c->set, err);
}

static int on_written(void *ctx, uint64_t nnodes, uint64_t max)
{
	return on_progress(ctx, 0, CACHE_REPAIR_PASS_WRITE, nnodes, nnodes > max ? nnodes : max) ?
		-ECANCELED : 0;
}

static int commit(struct clone *c, struct cache_commit *commit, struct cache_err *err)
{
	uint64_t first = cache_sb_reserved_buckets(&c->set->sb);
	struct cache_rebuild rebuild = { .commit = commit, .sb = &c->set->sb,
					 .t = &c->set->buckets, .progress = on_written, .ctx = c };
	int ret;

	for (uint64_t b = 0; b < c->res->used_buckets; b++)
		cache_commit_spare(commit, first + b);
	cache_rng_init(&rebuild.rng, c->opts->seed);
	ret = cache_rebuild_tree(&rebuild, c->view->kept->keys, c->view->kept->n, err);
	if (!ret)
		ret = cache_rebuild_uuids(commit, c->set, &c->view->set->uuids, err);
	if (ret)
		return ret;
	cache_commit_checkpoint(commit);
	ret = cache_commit_prios(commit, &c->set->buckets, err);
	return ret ? ret : cache_commit_finish(commit, err);
}

static int write_all(struct clone *c, struct cache_err *err)
{
	struct cache_commit *cm = NULL;
	int ret;

	c->res->erased = true;
	ret = cache_mkcache_erase(&c->m, &c->d, err);
	if (!ret)
		ret = cache_clone_copy(c, err);
	if (!ret)
		ret = cache_clone_make_keys(c, err);
	if (!ret)
		ret = cache_commit_new(c->set, &cm, err);
	if (!ret)
		ret = commit(c, cm, err);
	cache_commit_free(cm);
	if (!ret)
		ret = cache_mkcache_write_super(&c->d, err);
	c->res->done = !ret;
	return ret;
}

static int clone_extents(void *ctx, const struct cache_repair_view *view, struct cache_err *err)
{
	struct clone *c = ctx;
	int ret;

	c->view = view;
	c->res->damaged = view->corrupt > 0;
	ret = cache_clone_plan(c, err);
	if (ret)
		return ret;
	if (c->opts->planned)
		c->opts->planned(c->opts->ctx, c->res);
	cache_clone_each_left(c);
	if (c->opts->look)
		return 1;
	if (c->res->damaged && !c->opts->force)
		return cache_err_set(err, -EUCLEAN, 0, "%s: the cache set is damaged: repair it with cache-fsck, or use --force, which clones what is certain",
				     cache_dev_name(c->src));
	ret = write_all(c, err);
	return ret ? ret : 1;
}

static int run_change(struct clone *c, struct cache_err *err)
{
	const struct cache_repair_opts opts = {
		.size = sizeof(opts), .dry_run = true,
		.allow_data_loss = c->opts->force || c->opts->look,
		.ctx = c, .loss = on_loss, .finding = on_finding, .progress = on_progress };
	const struct cache_repair_change change = { .extents = clone_extents, .ctx = c };
	struct cache_repair_plan plan;
	int ret = cache_repair_change(c->src, &opts, &change, &plan, err);

	return ret > 0 ? 0 : ret;
}

int cache_clone_run(struct cache_dev *src, struct cache_dev *dst,
		    const struct cache_clone_opts *opts, struct cache_clone_result *res,
		    struct cache_err *err)
{
	struct clone c = { .opts = opts, .res = res, .src = src, .dst = dst };
	int ret;

	memset(res, 0, sizeof(*res));
	ret = check_source(&c, err);
	if (!ret)
		ret = plan_target(&c, err);
	if (!ret)
		ret = run_change(&c, err);
	cache_set_close(c.set);
	free(c.losses.list);
	free(c.failed.list);
	free(c.chosen);
	free(c.at);
	free(c.order);
	return ret;
}

void cache_clone_fini(struct cache_clone_result *res)
{
	free(res->devices);
	memset(res, 0, sizeof(*res));
}
