// SPDX-License-Identifier: GPL-2.0-only
/*
 * Repairing a superblock. First the checksum: it tells which single byte is wrong, or its own
 * bytes are the only damage. Then the values that each field must have; and then the checksum
 * again, since with the right values it becomes valid. Nothing is written before all rules
 * hold.
 */
#include "super/repair_super.h"
#include "host/ids.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct sb_repair {
	struct super_repair m;
	struct cache_repair_plan *plan;
	struct cache_err *err;
	uint8_t *was, *now;	/* CACHE_SB_BYTES, on disk now and after the repair */
	bool by_checksum;	/* @now has the same checksum as @was */
};

#define FIELD(id, member) \
	[id] = { #member, offsetof(struct cache_sb_disk, member), \
		 sizeof(((struct cache_sb_disk *)NULL)->member) }

static const struct {
	const char *name;
	unsigned offset, nbytes;
} fields[SUPER_FIELDS] = {
	FIELD(SUPER_OFFSET, offset), FIELD(SUPER_VERSION, version), FIELD(SUPER_MAGIC, magic),
	FIELD(SUPER_UUID, uuid), FIELD(SUPER_SET_UUID, set_uuid), FIELD(SUPER_LABEL, label),
	FIELD(SUPER_FLAGS, flags), FIELD(SUPER_SEQ, seq),
	FIELD(SUPER_COMPAT, feature_compat), FIELD(SUPER_INCOMPAT, feature_incompat),
	FIELD(SUPER_RO_COMPAT, feature_ro_compat), FIELD(SUPER_PAD, pad),
	FIELD(SUPER_NBUCKETS, nbuckets), FIELD(SUPER_BLOCK, block_size),
	FIELD(SUPER_BUCKET, bucket_size), FIELD(SUPER_IN_SET, nr_in_set),
	FIELD(SUPER_THIS_DEV, nr_this_dev), FIELD(SUPER_LAST_MOUNT, last_mount),
	FIELD(SUPER_FIRST, first_bucket), FIELD(SUPER_KEYS, keys), FIELD(SUPER_RING, d),
};

static struct cache_sb_disk *disk(uint8_t *buf)
{
	return (struct cache_sb_disk *)buf;
}

static bool csum_is_right(const uint8_t *buf)
{
	return cache_le64_get(((const struct cache_sb_disk *)buf)->csum) == cache_sb_csum(buf);
}

static bool has_magic(const uint8_t *buf)
{
	return !memcmp(((const struct cache_sb_disk *)buf)->magic, cache_sb_magic,
		       sizeof(cache_sb_magic));
}

/* Whether only the checksum's own bytes are wrong: then the difference is in one of them. */
static bool find_csum_byte(uint8_t *buf)
{
	uint64_t want = cache_sb_csum(buf);
	uint64_t diff = want ^ cache_le64_get(disk(buf)->csum);

	for (unsigned i = 0; i < 8; i++)
		if (!(diff & ~(UINT64_C(0xff) << 8 * i))) {
			disk(buf)->csum = cache_le64_of(want);
			return true;
		}
	return false;
}

/*
 * Finds the one byte of @buf (CACHE_SB_BYTES, including the checksum) that makes the checksum
 * valid. False: there is none, and @buf is unchanged.
 */
static bool find_byte(uint8_t *buf)
{
	unsigned end = offsetof(struct cache_sb_disk, d) + 8 * CACHE_SB_JOURNAL_BUCKETS;

	if (find_csum_byte(buf))
		return true;
	for (unsigned at = 8; at < end; at++) {
		uint8_t was = buf[at];

		for (unsigned v = 0; v < 256; v++) {
			buf[at] = v;
			if (csum_is_right(buf))
				return true;
		}
		buf[at] = was;
	}
	return false;
}

/*
 * More than one byte of the number of buckets is wrong: it is derived from the size of the
 * device.
 */
static bool find_nbuckets(uint8_t *buf, uint64_t dev_sectors)
{
	cache_le64 was = disk(buf)->nbuckets;
	struct cache_sb sb;

	cache_sb_decode(buf, &sb);
	if (!sb.bucket_sectors || cache_sb_is_bdev(&sb))
		return false;
	disk(buf)->nbuckets = cache_le64_of(dev_sectors / sb.bucket_sectors);
	if (csum_is_right(buf))
		return true;
	disk(buf)->nbuckets = was;
	return false;
}

/* The constants that every superblock has. */
static void put_constants(uint8_t *buf)
{
	memcpy(disk(buf)->magic, cache_sb_magic, sizeof(cache_sb_magic));
	disk(buf)->offset = cache_le64_of(CACHE_SB_SECTOR);
}

static int read_super(struct sb_repair *r)
{
	r->was = cache_dev_buf(CACHE_SB_BYTES);
	r->now = cache_dev_buf(CACHE_SB_BYTES);
	if (!r->was || !r->now)
		return cache_err_set(r->err, -ENOMEM, 0, "no memory for a superblock");
	return cache_dev_read(r->m.dev, CACHE_SB_SECTOR, CACHE_SB_BYTES / CACHE_SECTOR_BYTES,
			      r->was, r->err);
}

/* True when @now is the original superblock, proven by its checksum. */
static bool ask_checksum(struct sb_repair *r)
{
	r->m.csum_valid = csum_is_right(r->was);
	memcpy(r->now, r->was, CACHE_SB_BYTES);
	put_constants(r->now);
	if (r->m.csum_valid) {
		/* the checksum covers a wrong constant: compute it again */
		disk(r->now)->csum = cache_le64_of(cache_sb_csum(r->now));
		return true;
	}
	r->by_checksum = find_byte(r->now) ||
			 find_nbuckets(r->now, cache_dev_sectors(r->m.dev));
	return r->by_checksum;
}

/* The flags, the ring and the version that only the kernel's first start sets. */
static bool looks_started(const struct cache_sb *sb)
{
	return cache_sb_is_synced(sb) + !!sb->njournal + !!sb->version >= 2;
}

static bool has_run(const struct sb_repair *r, const struct cache_sb *sb)
{
	if (!r->m.ev.nentries)
		return false;
	if (r->m.csum_valid || r->by_checksum)
		return cache_sb_is_synced(sb) || cache_super_ring_is_truth(&r->m);
	return !has_magic(r->was) || looks_started(sb);
}

static bool knows_version(const struct cache_sb *sb)
{
	return sb->version <= CACHE_SB_VERSION_BDEV_WITH_FEATURES && sb->version != 2;
}

/* With an invalid checksum: the version decides what the other fields mean. */
static void infer_version(struct sb_repair *r)
{
	struct super_repair *m = &r->m;

	cache_sb_decode(r->now, &m->sb);
	if (knows_version(&m->sb) && !(cache_sb_is_bdev(&m->sb) && m->ev.nentries))
		return;
	if (!m->ev.nentries)
		return;
	disk(r->now)->version = cache_le64_of(CACHE_SB_VERSION_CDEV_WITH_UUID);
	m->proof[SUPER_VERSION] = "journal";
	cache_sb_decode(r->now, &m->sb);
}

/*
 * The version decides what the other fields mean. If nothing but it says cache device, and nothing
 * of a cache is found, the version may be what is wrong: then the device has a file system, and
 * a repair would write into that. Every formatter sets both fields for a cache, and neither for a
 * backing device.
 */
static bool may_be_backing(const struct super_repair *m)
{
	return !m->ev.nentries && !m->sb.nr_in_set && !m->sb.first_bucket;
}

static int infer(struct sb_repair *r)
{
	struct super_repair *m = &r->m;
	int ret;

	cache_sb_decode(r->now, &m->sb);
	ret = cache_repair_evidence(m->dev, cache_sb_set_magic(&m->sb), &m->ev, r->err);
	if (ret)
		return ret;
	if (!m->csum_valid && !r->by_checksum)
		infer_version(r);
	m->csum_valid |= r->by_checksum;
	/*
	 * a ring of another set: the superblock of this set is proven, so that ring is not its
	 * own
	 */
	if (m->csum_valid && m->ev.nentries && !cache_uuid_is_zero(m->sb.set_uuid) &&
	    m->ev.set_magic != cache_sb_set_magic(&m->sb))
		memset(&m->ev, 0, sizeof(m->ev));
	if (cache_sb_is_bdev(&m->sb) || !knows_version(&m->sb))
		return 0;
	if (!has_magic(r->was) && !m->csum_valid && !m->ev.nentries)
		return 0;
	if (may_be_backing(m)) {
		r->plan->cannot = "only its version says that it is a cache device, and nothing of a cache is on it: it may be a backing device";
		return 0;
	}
	m->ran = has_run(r, &m->sb);
	if (!m->ev.nentries) {
		ret = cache_super_find_nodes(m, &m->by_nodes);
		if (ret)
			return cache_err_set(r->err, ret, 0,
					     "it is not known whether btree nodes of the set are there");
	}
	if (m->by_nodes) {
		m->ran = true;
		m->ev.set_magic = cache_sb_set_magic(&m->sb);	/* the nodes have it */
	}
	m->no_magic = !has_magic(r->was);
	cache_super_infer(m);
	cache_sb_encode(&m->sb, r->now);
	return 0;
}

/*
 * With the inferred fields the checksum is that on disk, or differs in one byte only. If it is
 * not, discards are switched off, because with them the driver accepts a gap in the journal.
 */
static void ask_checksum_again(struct sb_repair *r)
{
	if (r->m.csum_valid)
		return;
	disk(r->now)->csum = disk(r->was)->csum;
	r->by_checksum = find_byte(r->now);
	if (r->by_checksum) {
		r->m.guessed = r->m.chosen = 0;
		return;
	}
	if (!cache_sb_is_bdev(&r->m.sb) && r->m.sb.flags & CACHE_SB_DISCARD) {
		r->m.sb.flags &= ~(uint64_t)CACHE_SB_DISCARD;
		r->m.proof[SUPER_FLAGS] = "nothing asks for discards";
		cache_sb_encode(&r->m.sb, r->now);
	}
	disk(r->now)->csum = cache_le64_of(cache_sb_csum(r->now));
}

static const struct {
	enum cache_problem code;
	const char *cannot;
} reasons[] = {
	{ CACHE_P_SB_MAGIC, "nothing on the device looks like a cache that has run" },
	{ CACHE_P_SB_VERSION, "its version is unknown, and nothing proves that it is wrong" },
	{ CACHE_P_SB_COMPAT, "it has features that are unknown here: a newer tool is needed" },
	{ CACHE_P_SB_RO_COMPAT, "it has features that are unknown here: a newer tool is needed" },
	{ CACHE_P_SB_INCOMPAT, "it has features that are unknown here: a newer tool is needed" },
	{ CACHE_P_SB_BLOCK_HW, "the data was written for a device with smaller blocks" },
	{ CACHE_P_SB_CAPACITY, "the device is smaller than its superblock says: what is past its end is not here" },
	{ CACHE_P_SB_NBUCKETS_MIN, "the device has too few buckets for a kernel: format it with smaller ones" },
	{ CACHE_P_SB_NBUCKETS_QUEUE, "the device has too few buckets for a kernel: format it with smaller ones" },
	{ CACHE_P_SB_DATA_OFFSET, "nothing on a backing device proves where its data starts" },
	{ CACHE_P_SB_UUID, "which slot of the cache a backing device without uuid has is not known" },
	{ CACHE_P_BDEV_SIZE, "the device ends before its data begins: it was truncated, or is another device" },
};

static void on_broken_rule(void *ctx, const struct cache_finding *f)
{
	struct sb_repair *r = ctx;

	if (r->plan->cannot ||
	    cache_problem_info(f->code)->severity != CACHE_SEVERITY_CORRUPT)
		return;
	r->plan->cannot = "nothing on it proves what its superblock should contain";
	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (reasons[i].code == f->code)
			r->plan->cannot = reasons[i].cannot;
}

/*
 * No single byte makes the checksum valid, so something else is damaged too. For a cache device
 * every important field is proven by other structures; if the fields agree with each other,
 * only a label or a date can be wrong. For a backing device nothing proves the fields.
 */
static bool is_plausible(const struct sb_repair *r)
{
	const struct cache_sb *sb = &r->m.sb;
	uint64_t most = sb->bucket_sectors ? cache_dev_sectors(r->m.dev) / sb->bucket_sectors : 0;

	if (cache_sb_is_bdev(sb))
		return false;
	if (r->m.ran)
		return r->m.ev.bucket_sectors == sb->bucket_sectors;
	return sb->nbuckets == most && has_magic(r->was) &&
	       sb->first_bucket == cache_first_bucket_for(sb->bucket_sectors);
}

/* Dirty backing devices at hand are attached, and none of them to @set_uuid. */
static bool has_other_set(const struct sb_repair *r, const uint8_t *set_uuid)
{
	bool other = false;

	for (unsigned i = 0; i < r->m.opts->nbacking; i++) {
		const struct cache_sb *b = &r->m.opts->backing[i];

		if (cache_sb_bdev_state(b) != CACHE_BDEV_STATE_DIRTY ||
		    b->csum_stored != b->csum_computed)
			continue;
		if (!memcmp(b->set_uuid, set_uuid, CACHE_UUID_BYTES))
			return false;
		other = true;
	}
	return other;
}

static void judge(struct sb_repair *r)
{
	const struct cache_sink sink = { .report = on_broken_rule, .ctx = r };
	struct cache_sb sb;

	cache_sb_decode(r->now, &sb);
	cache_sb_check(&sb, cache_dev_sectors(r->m.dev),
		       cache_dev_logical_block_bytes(r->m.dev), &sink, NULL);
	if (!r->plan->cannot && !r->m.csum_valid && !r->by_checksum && !is_plausible(r))
		r->plan->cannot = "more than one byte of its superblock is wrong, and nothing proves what was there";
	if (!r->plan->cannot && r->m.guessed && has_other_set(r, sb.set_uuid))
		r->plan->cannot = "its journal is of another set than a dirty backing device that was named: the journal was overwritten, or the device belongs elsewhere";
	if (!r->plan->cannot && r->m.guessed && !r->m.opts->guess)
		r->plan->cannot = "a field of its superblock could only be guessed, and guessing was not allowed";
	r->plan->super = memcmp(r->was, r->now, CACHE_SB_BYTES);
	r->plan->safe = !r->m.by_nodes && (r->m.csum_valid || r->by_checksum) &&
			!r->m.guessed && !r->m.chosen;
}

static uint64_t head_of(const uint8_t *p, unsigned nbytes)
{
	uint64_t v = 0;

	for (unsigned i = nbytes < 8 ? nbytes : 8; i--;)
		v = v << 8 | p[i];
	return v;
}

void cache_super_tell(const uint8_t *was, const uint8_t *now,
		      const char *const proof[SUPER_FIELDS], uint32_t guessed,
		      void (*fn)(void *ctx, const struct cache_repair_field *f), void *ctx)
{
	for (unsigned i = 0; i < SUPER_FIELDS && fn; i++) {
		const uint8_t *a = was + fields[i].offset, *b = now + fields[i].offset;
		struct cache_repair_field f = { .name = fields[i].name,
			.was = head_of(a, fields[i].nbytes), .now = head_of(b, fields[i].nbytes),
			.proof = proof[i] ? proof[i] : "checksum",
			.guessed = guessed >> i & 1 };

		if (i == SUPER_MAGIC || i == SUPER_OFFSET)
			f.proof = "every superblock has it";
		if (memcmp(a, b, fields[i].nbytes))
			fn(ctx, &f);
	}
}

void cache_repair_tell_field(void *opts, const struct cache_repair_field *f)
{
	const struct cache_repair_opts *o = opts;

	if (o->field)
		o->field(o->ctx, o->dev, f);
}

bool cache_repair_agreed(const struct cache_repair_opts *o, const struct cache_repair_plan *p)
{
	bool only_discard = p->clear_discard && !p->rebuild;	/* this alone loses nothing */

	if (o->safe_only && !p->safe && !only_discard)
		return false;
	return !o->confirm || o->confirm(o->ctx, o->dev, p);
}

int cache_super_write(struct cache_dev *dev, const uint8_t *buf, struct cache_err *err)
{
	int ret = cache_dev_write(dev, CACHE_SB_SECTOR, CACHE_SB_BYTES / CACHE_SECTOR_BYTES, buf,
				  err);

	return ret ? ret : cache_dev_flush(dev, err);
}

/* For a set that never ran: there is already a ring where its first start will create one. */
static int find_old_ring(struct sb_repair *r, struct cache_sb *sb)
{
	struct cache_journal journal;
	const struct cache_sink silent = { .report = cache_sink_ignore };
	int ret;

	cache_sb_decode(r->now, sb);
	if (r->plan->cannot || cache_sb_is_bdev(sb) || cache_sb_is_synced(sb) ||
	    !cache_sb_is_usable(sb, cache_dev_sectors(r->m.dev)))
		return 0;
	cache_sb_predict_ring(sb);
	ret = cache_journal_read(r->m.dev, sb, &journal, &silent, r->err);
	r->plan->wipe_old_ring = journal.nentries;
	cache_journal_fini(&journal);
	if (ret || !r->plan->wipe_old_ring)
		return ret;
	/* the superblock names a ring: the set was running until its journal was switched off */
	if (r->m.sb.njournal && !r->m.opts->allow_data_loss)
		r->plan->cannot = "the set has run, and its sync flag was cleared afterwards: the next start throws away all of it, and so would a repair";
	r->plan->safe &= !r->m.sb.njournal;
	return 0;
}

static int wipe_ring(struct sb_repair *r, const struct cache_sb *sb)
{
	void *zeros = cache_dev_buf(sb->block_sectors * CACHE_SECTOR_BYTES);
	int ret = 0;

	if (!zeros)
		return cache_err_set(r->err, -ENOMEM, 0, "no memory for a block");
	for (unsigned i = 0; i < sb->njournal && !ret; i++)
		ret = cache_dev_write(r->m.dev, cache_bucket_sector(sb, sb->journal_bucket[i]),
				      sb->block_sectors, zeros, r->err);
	free(zeros);
	return ret ? ret : cache_dev_flush(r->m.dev, r->err);
}

static int act(struct sb_repair *r, const struct cache_sb *ring)
{
	const struct cache_repair_opts *o = r->m.opts;
	int ret = 0;

	if (r->plan->super)
		cache_super_tell(r->was, r->now, r->m.proof,
				 r->m.guessed | r->m.chosen, cache_repair_tell_field,
				 (void *)o);
	if (!cache_repair_agreed(o, r->plan))
		return -ECANCELED;
	if (o->dry_run)
		return 0;
	if (r->plan->wipe_old_ring)
		ret = wipe_ring(r, ring);
	if (!ret && r->plan->super)
		ret = cache_super_write(r->m.dev, r->now, r->err);
	return ret;
}

static int repair(struct sb_repair *r)
{
	struct cache_sb ring;
	int ret = read_super(r);

	if (ret)
		return ret;
	ask_checksum(r);
	ret = infer(r);
	if (ret)
		return ret;
	ask_checksum_again(r);
	judge(r);
	ret = find_old_ring(r, &ring);
	if (ret)
		return ret;
	if (r->plan->cannot)
		return cache_err_set(r->err, -EUCLEAN, CACHE_SB_SECTOR, "%s", r->plan->cannot);
	return r->plan->super || r->plan->wipe_old_ring ? act(r, &ring) : 0;
}

int cache_repair_super(struct cache_dev *dev, const struct cache_repair_opts *opts,
		       struct cache_repair_plan *plan, struct cache_err *err)
{
	struct sb_repair r = { .m = { .dev = dev, .opts = opts }, .plan = plan, .err = err };
	int ret;

	memset(plan, 0, sizeof(*plan));
	ret = repair(&r);
	free(r.was);
	free(r.now);
	return ret;
}
