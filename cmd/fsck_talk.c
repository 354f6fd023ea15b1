// SPDX-License-Identifier: GPL-2.0-only
/* What cache-fsck reports while it works, and the questions that it asks. */
#include "fsck_run.h"
#include "undo.h"

#include "host/ids.h"

#include <errno.h>
#include <inttypes.h>

static void on_finding(void *ctx, unsigned dev, bool again, const struct cache_finding *f)
{
	struct fsck_run *r = ctx;

	fsck_findings_add(again ? &r->left : &r->findings, dev, f);
	if (r->o->cmd.json || again)
		return;
	cmd_progress_end(&r->progress);
	fsck_show_finding(&r->o->cmd, cmd_report(&r->o->cmd), r->paths[dev], f);
}

static int on_progress(void *ctx, unsigned dev, unsigned pass, uint64_t current, uint64_t max)
{
	struct fsck_run *r = ctx;

	if (!pass)	/* between two devices */
		return cmd_cancelled();
	if (r->progress_dev != dev) {
		cmd_progress_init(&r->progress, &r->o->cmd, r->paths[dev],
				  r->o->progress_fd, 0);
		r->progress_dev = dev;
	}
	cmd_progress(&r->progress, pass, cmd_pass_name(pass), current, max);
	return cmd_cancelled();
}

static void on_loss(void *ctx, unsigned dev, const struct cache_repair_loss *loss)
{
	struct fsck_run *r = ctx;

	cache_losses_add(&r->losses.all, dev, loss);
}

static void show_losses(struct fsck_run *r, unsigned dev, bool done)
{
	cmd_progress_end(&r->progress);
	if (!r->o->cmd.json && r->losses_shown != dev)
		fsck_losses_text(&r->losses, dev, done);
	r->losses_shown = dev;
}

void fsck_talk_losses(struct fsck_run *r)
{
	for (unsigned i = 0; i < r->o->n && r->losses.all.n && !r->o->cmd.json; i++)
		fsck_losses_text(&r->losses, i, false);
}

static void on_unread(void *ctx, unsigned dev, uint64_t bucket)
{
	struct fsck_run *r = ctx;

	cmd_progress_end(&r->progress);
	cmd_warn(&r->o->cmd, r->paths[dev], "bucket %" PRIu64 " cannot be read: if a node "
		 "is there that nothing leads to, its dirty data is missed", bucket);
}

static void on_field(void *ctx, unsigned dev, const struct cache_repair_field *f)
{
	struct fsck_run *r = ctx;
	char was[24], now[24];

	snprintf(was, sizeof(was), f->was > UINT32_MAX ? "0x%" PRIx64 : "%" PRIu64, f->was);
	snprintf(now, sizeof(now), f->now > UINT32_MAX ? "0x%" PRIx64 : "%" PRIu64, f->now);
	cmd_note(&r->o->cmd, 0, "%s: superblock %s was %s, should be %s: %s%s",
		 r->paths[dev], f->name, was, now, f->proof,
		 f->guessed ? ", which is no proof" : "");
}

static void on_slot(void *ctx, unsigned dev, const struct cache_repair_slot *slot)
{
	struct fsck_run *r = ctx;
	char uuid[CACHE_UUID_TEXT_BYTES];

	fsck_owners_add(&r->owners, dev, slot);
	cache_uuid_format(slot->uuid, uuid);
	cmd_progress_end(&r->progress);
	cmd_note(&r->o->cmd, 0, "%s: slot %" PRIu32 " of the uuid table is that of %s: %s",
		 r->paths[dev], slot->index, uuid, slot->proof);
}

static bool confirm_super(const struct fsck_run *r, unsigned dev, const struct cache_repair_plan *p)
{
	char prompt[256];

	snprintf(prompt, sizeof(prompt), "%s: %s%s%s?", r->paths[dev],
		 p->super ? "rewrite the superblock" : "",
		 p->super && p->wipe_old_ring ? ", and " : "",
		 p->wipe_old_ring ? "wipe the journal of an earlier format" : "");
	return cmd_ask(prompt);
}

static bool on_confirm(void *ctx, unsigned dev, const struct cache_repair_plan *p)
{
	struct fsck_run *r = ctx;
	char prompt[256], kept[CACHE_HUMAN_BYTES], dirty[CACHE_HUMAN_BYTES],
	     gone[CACHE_HUMAN_BYTES];

	cmd_progress_end(&r->progress);
	if (!p->rebuild && !p->clear_discard)
		return confirm_super(r, dev, p);
	show_losses(r, dev, false);
	if (!p->rebuild)
		snprintf(prompt, sizeof(prompt), "%s: clear the discard bit?", r->paths[dev]);
	else
		snprintf(prompt, sizeof(prompt),
			 "%s: keep %s (%s dirty), drop %s of clean data, write a new tree and one journal entry%s?",
			 r->paths[dev], cache_bytes_show(kept, p->kept_sectors * 512),
			 cache_bytes_show(dirty, p->kept_dirty_sectors * 512),
			 cache_bytes_show(gone, p->dropped_clean_sectors * 512),
			 p->clear_discard ? ", then clear the discard bit" : "");
	return cmd_ask(prompt);
}

/* -y */
static bool agree(void *ctx, unsigned dev, const struct cache_repair_plan *p)
{
	return true;
}

static void say_why_not(struct fsck_run *r, unsigned i, const struct cache_repair_result *res)
{
	if (res->declined && r->o->mode == FSCK_MODE_PREEN && !cmd_cancelled())
		cmd_warn(&r->o->cmd, r->paths[i],
			 "not repaired: dirty data may have been lost; look with -n, then use -y");
	else if (res->declined)
		cmd_warn(&r->o->cmd, r->paths[i], "%s", res->plan.new_nodes ?
			 "the repair was stopped before its end" : "left as it is");
	else
		cmd_error(&r->o->cmd, r->paths[i], res->ret, &res->err);
}

/*
 * A repair that stopped half-way may have written: nothing was written only if every plan was
 * declined.
 */
static void end_undo(struct fsck_run *r, unsigned i, const struct cache_repair_result *res)
{
	if (!r->o->undo || r->o->dry_run)
		return;
	if (res->declined && !res->done)
		cmd_undo_forget(r->o->undo, i);
	else
		cmd_undo_note(&r->o->cmd, r->paths[i], r->o->undo, i);
}

static void on_repaired(void *ctx, unsigned i, const struct cache_repair_result *res)
{
	struct fsck_run *r = ctx;
	const struct cache_repair_plan *p = &res->plan;

	show_losses(r, i, res->done && (!res->ret || res->plan.new_nodes));
	end_undo(r, i, res);
	if (res->ret) {
		say_why_not(r, i, res);
		return;
	}
	if (p->drop_all_clean)
		cmd_warn(&r->o->cmd, r->paths[i],
			 "the newest writes may be missing: the lost metadata named unknown ranges");
	if (p->root_lost)
		cmd_warn(&r->o->cmd, r->paths[i],
			 "dirty data may be missing: the root of the btree is lost, and it is not known which nodes it led to");
	if (p->cannot)
		cmd_warn(&r->o->cmd, r->paths[i], "%s", p->cannot);
}

void fsck_talk(struct fsck_run *r, struct cache_repair_opts *opts)
{
	const struct fsck_opts *o = r->o;

	opts->ctx = r;
	opts->finding = on_finding;
	opts->progress = on_progress;
	opts->loss = on_loss;
	opts->unread = on_unread;
	opts->field = on_field;
	opts->slot = on_slot;
	opts->repaired = on_repaired;
	if (!o->dry_run && o->mode != FSCK_MODE_PREEN)
		opts->confirm = o->mode == FSCK_MODE_ASK ? on_confirm : agree;
}
