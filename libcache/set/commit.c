// SPDX-License-Identifier: GPL-2.0-only
/*
 * New structures into unused buckets, then one journal entry. Which buckets are unused is
 * decided once, from the marks of the loaded set, before anything is written; a bucket that
 * this commit has picked is never picked again.
 */
#include "set/commit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/checked.h"
#include "disk/journal_blocks.h"
#include "disk/jset_codec.h"
#include "disk/prio_codec.h"
#include "format/members.h"

struct cache_commit {
	struct cache_set *set;
	uint64_t *used;		/* one bit per bucket: the state on disk needs it */
	uint64_t *picked;	/* one bit per bucket: picked for the new state */
	uint64_t next;		/* where the search for the next unused bucket starts */
	struct cache_jset entry;	/* the new entry, without its place */
	cache_le64 *words;	/* words of its keys */
	void *area;		/* buffer for one bucket of metadata */
	bool checkpoint, has_prios, finished, move_on;
	uint64_t written_sectors;
};

/*
 * Whether the marks say that @bucket is unused. A bucket whose gen was lost with its prio_set
 * and that no key points to is unused too: no pointer can refer to it.
 */
static void find_used(struct cache_commit *c)
{
	const struct cache_set *set = c->set;

	for (uint64_t b = 0; b < set->sb.nbuckets; b++)
		if (cache_set_role(set, b) != CACHE_ROLE_FREE)
			cache_bit_set(c->used, b);
}

static int check_image(const struct cache_set *set, struct cache_err *err)
{
	if (!set->has_journal)
		return cache_err_set(err, -EUCLEAN, 0,
				     "the set has no journal that could be continued");
	if (set->loaded != CACHE_LOAD_MARKS)
		return cache_err_set(err, -EUCLEAN, 0,
				     "the content of the set's buckets is not known");
	return 0;
}

int cache_commit_new(struct cache_set *set, struct cache_commit **cp,
		     struct cache_err *err)
{
	size_t nwords = set->sb.nbuckets / 64 + 1;
	struct cache_commit *c;
	int ret = check_image(set, err);

	if (!ret && cache_sb_is_one_of_several(&set->sb))
		ret = cache_err_set(err, -EOPNOTSUPP, 0, "it is one of %u cache devices of its "
				    "set, and such a set is only read", set->sb.nr_in_set);
	if (ret)
		return ret;
	c = calloc(1, sizeof(*c));
	if (c) {
		c->used = calloc(nwords, sizeof(*c->used));
		c->picked = calloc(nwords, sizeof(*c->picked));
		c->words = calloc(CACHE_JSET_MAX_WORDS, sizeof(*c->words));
		c->area = cache_dev_buf(cache_meta_bucket_bytes(&set->sb));
	}
	if (!c || !c->used || !c->picked || !c->words || !c->area) {
		cache_commit_free(c);
		return cache_err_set(err, -ENOMEM, 0, "no memory for a commit");
	}
	c->set = set;
	c->next = cache_sb_reserved_buckets(&set->sb);
	c->entry = set->journal.newest;
	c->entry.pos.seq++;
	c->entry.pos.nwords = 0;
	/*
	 * Any version but 0 means uuid entries of 128 bytes; we write the newest version that
	 * we know.
	 */
	if (c->entry.pos.version > CACHE_JSET_VERSION)
		c->entry.pos.version = CACHE_JSET_VERSION;
	find_used(c);
	*cp = c;
	return 0;
}

void cache_commit_free(struct cache_commit *c)
{
	if (!c)
		return;
	free(c->used);
	free(c->picked);
	free(c->words);
	free(c->area);
	free(c);
}

bool cache_commit_is_unused(const struct cache_commit *c, uint64_t bucket)
{
	return bucket < c->set->sb.nbuckets && !cache_bit(c->used, bucket) &&
	       !cache_bit(c->picked, bucket);
}

void cache_commit_spare(struct cache_commit *c, uint64_t bucket)
{
	if (bucket < c->set->sb.nbuckets)
		cache_bit_set(c->used, bucket);
}

/*
 * A bucket that cannot be read may accept a write and never return the data, so it is not
 * picked.
 */
static bool can_read(const struct cache_commit *c, uint64_t bucket)
{
	const struct cache_sb *sb = &c->set->sb;

	return !cache_dev_read(c->set->dev, cache_bucket_sector(sb, bucket),
			       cache_meta_bucket_bytes(sb) / CACHE_SECTOR_BYTES, c->area, NULL);
}

int cache_commit_pick(struct cache_commit *c, uint64_t n, uint64_t *buckets,
		      struct cache_err *err)
{
	uint64_t b = c->next, got = 0;

	for (; b < c->set->sb.nbuckets && got < n; b++)
		if (cache_commit_is_unused(c, b) && can_read(c, b))
			buckets[got++] = b;
	if (got < n)
		return cache_err_set(err, -ENOBUFS, 0,
				     "%" PRIu64 " unused buckets are needed, only %" PRIu64
				     " are left", n, got);
	for (uint64_t i = 0; i < n; i++)
		cache_bit_set(c->picked, buckets[i]);
	c->next = b;
	return 0;
}

static int write_sectors(struct cache_commit *c, uint64_t sector, uint64_t nsectors,
			 const void *buf, struct cache_err *err)
{
	int ret = cache_dev_write(c->set->dev, sector, nsectors, buf, err);

	if (!ret)
		c->written_sectors += nsectors;
	return ret;
}

int cache_commit_write(struct cache_commit *c, uint64_t bucket, uint32_t offset_sectors,
		       uint32_t nsectors, const void *buf, struct cache_err *err)
{
	const struct cache_sb *sb = &c->set->sb;

	if (bucket >= sb->nbuckets || !cache_bit(c->picked, bucket))
		return cache_err_set(err, -EINVAL, 0, "bucket %" PRIu64
				     " was not picked for this commit", bucket);
	if (!cache_range_ok(offset_sectors, nsectors, sb->bucket_sectors))
		return cache_err_set(err, -ERANGE, 0, "write of %u sectors at sector %u goes "
				     "past the end of bucket %" PRIu64, nsectors,
				     offset_sectors, bucket);
	return write_sectors(c, cache_bucket_sector(sb, bucket) + offset_sectors, nsectors,
			     buf, err);
}

static int check_gens(const struct cache_commit *c, const struct cache_buckets *t,
		      struct cache_err *err)
{
	const struct cache_buckets *old = &c->set->buckets;

	for (uint64_t b = 0; b < old->nbuckets; b++)
		if (t != old &&
		    cache_gen_after(cache_bucket_gen(old, b), cache_bucket_gen(t, b)))
			return cache_err_set(err, -EINVAL, 0, "gen of bucket %" PRIu64
					     " would go back from %u to %u", b,
					     cache_bucket_gen(old, b), cache_bucket_gen(t, b));
	return 0;
}

/* Written from last to first: when the head is written, all members that follow it exist. */
static int write_chain(struct cache_commit *c, const struct cache_buckets *t,
		       const uint64_t *chain, void *buf, struct cache_err *err)
{
	const struct cache_sb *sb = &c->set->sb;
	uint32_t nsectors = cache_meta_bucket_bytes(sb) / CACHE_SECTOR_BYTES;
	uint64_t seq = c->set->prios.seq + 1;
	uint64_t next = c->entry.prio_bucket[sb->nr_this_dev];

	for (uint64_t i = cache_prio_buckets(sb); i--;) {
		int ret;

		cache_prio_set_encode(sb, t, i, seq, next, buf);
		ret = cache_commit_write(c, chain[i], 0, nsectors, buf, err);
		if (ret)
			return ret;
		next = chain[i];
	}
	c->entry.prio_bucket[sb->nr_this_dev] = next;
	c->has_prios = true;
	return 0;
}

int cache_commit_prios(struct cache_commit *c, const struct cache_buckets *t,
		       struct cache_err *err)
{
	uint64_t n = cache_prio_buckets(&c->set->sb);
	uint64_t *chain;
	void *buf;
	int ret;

	if (c->has_prios || t->nbuckets != c->set->sb.nbuckets)
		return cache_err_set(err, -EINVAL, 0, "only one prio chain per commit, for all buckets");
	ret = check_gens(c, t, err);
	if (ret)
		return ret;
	chain = calloc(n, sizeof(*chain));
	buf = cache_dev_buf(cache_meta_bucket_bytes(&c->set->sb));
	if (!chain || !buf)
		ret = cache_err_set(err, -ENOMEM, 0, "no memory for a prio_set");
	if (!ret)
		ret = cache_commit_pick(c, n, chain, err);
	if (!ret)
		ret = write_chain(c, t, chain, buf, err);
	free(chain);
	free(buf);
	return ret;
}

void cache_commit_set_root(struct cache_commit *c, const struct cache_bkey *k,
			   unsigned level)
{
	c->entry.btree_root = *k;
	c->entry.pos.level = level;
}

void cache_commit_set_uuids(struct cache_commit *c, const struct cache_bkey *k)
{
	c->entry.uuid_bucket = *k;
	c->entry.pos.version = CACHE_JSET_VERSION;
}

int cache_commit_add_key(struct cache_commit *c, const struct cache_bkey *k)
{
	const struct cache_sb *sb = &c->set->sb;
	uint32_t nwords = c->entry.pos.nwords + cache_bkey_words(k);

	if (nwords > CACHE_JSET_MAX_WORDS || cache_jset_sectors(sb, nwords) > sb->bucket_sectors)
		return -ENOSPC;
	cache_bkey_encode(k, c->words + c->entry.pos.nwords);
	c->entry.pos.nwords = nwords;
	return 0;
}

void cache_commit_checkpoint(struct cache_commit *c)
{
	c->checkpoint = true;
}

int cache_commit_outlive(struct cache_commit *c, const struct cache_sink *sink,
			 struct cache_err *err)
{
	uint64_t seq;
	int ret = cache_journal_greatest(c->set->dev, &c->set->sb, &seq, sink, err);

	if (ret)
		return ret;
	if (seq == UINT64_MAX)
		return cache_err_set(err, -EUCLEAN, 0,
				     "the journal has an entry with the greatest possible seq");
	c->entry.pos.seq = cache_max_u64(c->entry.pos.seq, seq + 1);
	return 0;
}

void cache_commit_move_on(struct cache_commit *c)
{
	c->move_on = true;
}

int cache_commit_place(const struct cache_commit *c, struct cache_commit_place *p,
		       struct cache_err *err)
{
	const struct cache_sb *sb = &c->set->sb;
	const struct cache_journal *j = &c->set->journal;
	const struct cache_jset_pos *newest = &j->newest.pos;
	uint32_t blocks = cache_jset_sectors(sb, c->entry.pos.nwords);
	uint32_t after = newest->offset_sectors + cache_jset_sectors(sb, newest->nwords);

	memset(p, 0, sizeof(*p));
	p->seq = c->entry.pos.seq;
	p->last_seq = c->checkpoint ? p->seq : newest->last_seq;
	p->nsectors = c->entry.pos.nwords ? blocks : 1;
	/* behind a hidden entry it would be hidden too */
	if (!c->move_on && !newest->hidden && cache_range_ok(after, blocks, sb->bucket_sectors)) {
		p->index = newest->index;
		p->offset_sectors = after;
		return 0;
	}
	p->index = (newest->index + 1) % sb->njournal;
	p->over_live = j->bucket_seq[p->index] >= newest->last_seq;
	if (!p->over_live || (c->checkpoint && !c->entry.pos.nwords))
		return 0;
	return cache_err_set(err, -ENOSPC, 0,
			     "the journal ring is full: bucket %" PRIu64
			     " still holds entries to replay", sb->journal_bucket[p->index]);
}

static int write_entry(struct cache_commit *c, const struct cache_commit_place *p,
		       struct cache_err *err)
{
	const struct cache_sb *sb = &c->set->sb;
	uint64_t start = cache_bucket_sector(sb, sb->journal_bucket[p->index]);
	void *buf = cache_dev_buf(cache_jset_sectors(sb, c->entry.pos.nwords) *
				  CACHE_SECTOR_BYTES);
	int ret;

	if (!buf)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a journal entry");
	c->entry.pos.last_seq = p->last_seq;
	cache_jset_encode(&c->entry, cache_sb_set_magic(sb), c->words, buf);
	ret = write_sectors(c, start + p->offset_sectors, p->nsectors, buf, err);
	free(buf);
	return ret;
}

/* Newer entries of an earlier format; or one whose last_seq would make the driver skip ours. */
static bool outlives(const struct cache_jset_disk *d, const struct cache_commit_place *p)
{
	return cache_le64_get(d->seq) >= p->seq || cache_le64_get(d->last_seq) > p->seq;
}

/*
 * The driver reads on behind an entry, and behind the next, and so on. If ours replaces a
 * damaged entry, or one of another length, the driver will see entries that were hidden until
 * now. So the chain is cut before the first entry that would outlive ours, before the switch.
 */
static int cut_chain(struct cache_commit *c, const struct cache_commit_place *p,
		     struct cache_err *err)
{
	const struct cache_sb *sb = &c->set->sb;
	uint64_t start = cache_bucket_sector(sb, sb->journal_bucket[p->index]);
	uint64_t at = p->offset_sectors + cache_jset_sectors(sb, c->entry.pos.nwords);
	struct cache_jset_disk *d = cache_dev_buf(CACHE_SECTOR_BYTES);
	int ret = 0;

	if (!d)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a journal entry");
	while (cache_range_ok(at, sb->block_sectors, sb->bucket_sectors)) {
		ret = cache_dev_read(c->set->dev, start + at, 1, d, err);
		if (ret || cache_le64_get(d->magic) != (cache_sb_set_magic(sb) ^ CACHE_JSET_MAGIC) ||
		    cache_jset_bytes(d) > CACHE_JSET_MAX_BYTES)
			break;
		if (outlives(d, p)) {
			memset(d, 0, CACHE_SECTOR_BYTES);
			ret = write_sectors(c, start + at, 1, d, err);
			break;
		}
		at += cache_jset_sectors(sb, cache_le32_get(d->keys));
	}
	free(d);
	return ret;
}

int cache_commit_finish(struct cache_commit *c, struct cache_err *err)
{
	struct cache_commit_place place;
	int ret = cache_commit_place(c, &place, err);

	if (!ret)
		ret = cut_chain(c, &place, err);
	if (!ret)
		ret = cache_dev_flush(c->set->dev, err);
	if (!ret)
		ret = write_entry(c, &place, err);
	if (!ret)
		ret = cache_dev_flush(c->set->dev, err);
	c->finished = !ret;
	c->entry.pos.index = place.index;
	return ret;
}

int cache_commit_wipe_ring(struct cache_commit *c, struct cache_err *err)
{
	const struct cache_sb *sb = &c->set->sb;
	void *zeros;
	int ret = 0;

	if (!c->finished || !c->checkpoint)
		return cache_err_set(err, -EINVAL, 0, "only after a finished checkpoint");
	zeros = cache_dev_buf(sb->block_sectors * CACHE_SECTOR_BYTES);
	if (!zeros)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a block");
	for (uint32_t i = 0; i < sb->njournal && !ret; i++)
		if (i != c->entry.pos.index)
			ret = write_sectors(c, cache_bucket_sector(sb, sb->journal_bucket[i]),
					    sb->block_sectors, zeros, err);
	if (!ret)
		ret = cache_dev_flush(c->set->dev, err);
	free(zeros);
	return ret;
}

uint64_t cache_commit_written_sectors(const struct cache_commit *c)
{
	return c->written_sectors;
}
