// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entries of a ring that stand where no driver reads them, and whether they are the last that were
 * written.
 */
#include "repair/repair_lost.h"

#include "base/checked.h"
#include "disk/journal_blocks.h"

/* Whether no prio_set is newer than those of the chain from @head, and none can be. */
static bool is_newest_chain(const struct lost *l, uint64_t head)
{
	uint64_t seq = 0, greatest = 0;

	for (uint32_t i = 0; i < l->nprios; i++) {
		greatest = cache_max_u64(greatest, l->prio[i].seq);
		if (l->prio[i].bucket == head)
			seq = l->prio[i].seq;
	}
	return head && seq == greatest && !l->prio_unread;
}

/*
 * Whether what was found without the ring confirms @newest as the last entry, and nothing
 * contradicts it.
 */
static bool is_last(const struct lost *l, const struct cache_jset *newest)
{
	const struct cache_jset *found = &l->set->journal.newest;
	const struct cache_bkey *root = &found->btree_root;
	uint64_t head = found->prio_bucket[l->sb->nr_this_dev];

	return head == newest->prio_bucket[l->sb->nr_this_dev] && is_newest_chain(l, head) &&
	       (!cache_key_ptrs(root) || (root->ptr[0] == newest->btree_root.ptr[0] &&
					  found->pos.level == newest->pos.level));
}

/*
 * The seq of the chain that began in @head and is gone, 0: not known. The last member of a chain
 * links to the head of the one before, so it has its seq from the one that follows.
 */
static uint64_t seq_of_head(const struct lost *l, uint64_t head, uint64_t newest_chain)
{
	uint32_t i = cache_lost_prio_in(l, newest_chain), steps = 0;
	uint64_t seq = 0;

	while (!seq && i != NOBODY && steps++ < l->nprios) {
		for (uint32_t n = cache_prio_buckets(l->sb); n > 1 && i != NOBODY; n--)
			i = cache_lost_prio_after(l, i);
		if (i == NOBODY)
			break;
		if (l->prio[i].next == head)
			seq = l->prio[i].seq - 1;
		else if (cache_lost_prio_seq(l, l->prio[i].next) == l->prio[i].seq - 1)
			i = cache_lost_prio_in(l, l->prio[i].next);
		else
			break;
	}
	return seq;
}

/*
 * Blocks behind the newest of @run, to the next entry in the ring: so many can be lost there. An
 * entry that is older than a lap of the ring is there because a write over it was lost.
 */
static uint64_t blocks_behind(const struct lost *l, const struct cache_journal *run)
{
	const struct cache_jset_pos *newest = &run->newest.pos, *next;
	size_t n = run->nentries, i = 0;

	while (i < n && (run->entries[i].index < newest->index ||
			 (run->entries[i].index == newest->index &&
			  run->entries[i].offset_sectors <= newest->offset_sectors)))
		i++;
	do
		next = &run->entries[i++ % n];
	while (next->seq != newest->seq && !cache_journal_can_follow(l->sb, next, newest));
	return cache_journal_blocks_between(l->sb, newest, next);
}

/*
 * Whether the root of @newest may still be the root: it was found to be, or it is one of those
 * between which the search could not choose. (A root that the driver has replaced keeps its
 * gen.)
 */
static bool is_root_still(const struct lost *l, const struct cache_jset *newest)
{
	const struct cache_jset *found = &l->set->journal.newest;
	const struct cache_bkey *root = &newest->btree_root;
	const struct lost_node *n;

	if (cache_key_ptrs(&found->btree_root))
		return found->btree_root.ptr[0] == root->ptr[0] &&
		       found->pos.level == newest->pos.level;
	if (!cache_key_ptrs(root) || cache_ptr_bucket(l->sb, root, 0) >= l->sb->nbuckets)
		return false;
	n = cache_lost_node_in(l, cache_ptr_bucket(l->sb, root, 0));
	return n && n->proven && !n->stale && !n->has_parent &&
	       cache_lost_node_ptr(l, n) == root->ptr[0] &&
	       cache_lost_level_of(l, n) == newest->pos.level;
}

/*
 * Entries after the newest of @run are lost, but no more than there is a gap for: each prio
 * chain that was written since, as each run of the allocator does, took one. Or the last chain
 * is damaged, and the one before it is named here. The root is the same: a repair, after which
 * nothing of before may be replayed, writes another, and raises the gen of the old one.
 */
static int is_near_last(struct lost *l, const struct cache_journal *run, bool *near)
{
	const struct cache_jset *found = &l->set->journal.newest, *newest = &run->newest;
	uint64_t head = found->prio_bucket[l->sb->nr_this_dev], chain = cache_lost_prio_seq(l, head);
	uint64_t named = cache_lost_prio_seq(l, newest->prio_bucket[l->sb->nr_this_dev]);
	struct named of_run = { 0 };
	int ret = 0;

	*near = false;
	if (!is_root_still(l, newest))
		return 0;
	if (!named)
		ret = cache_lost_find_named(l, run, head, &of_run);
	*near = of_run.head;
	if (ret || *near)
		return ret;
	/* its bucket may have been the head of an earlier chain too, so this comes last */
	if (!named)
		named = seq_of_head(l, newest->prio_bucket[l->sb->nr_this_dev], head);
	*near = named && (chain <= named || chain - named <= blocks_behind(l, run));
	return 0;
}

/* What was found without the ring is of a later moment than @newest, which lacks entries. */
static void take_found(const struct lost *l, struct cache_jset *newest,
		       const struct cache_jset *found)
{
	if (found->prio_bucket[l->sb->nr_this_dev])
		newest->prio_bucket[l->sb->nr_this_dev] = found->prio_bucket[l->sb->nr_this_dev];
	if (cache_key_ptrs(&found->btree_root)) {
		newest->btree_root = found->btree_root;
		newest->pos.level = found->pos.level;
	}
	if (cache_key_ptrs(&found->uuid_bucket))
		newest->uuid_bucket = found->uuid_bucket;
}

/*
 * Entries may stand behind a damaged one, where no driver reads them; of a young set these are
 * all entries but the first. They are replayed if they are the last entries that were written;
 * older ones would revert what the tree has since. The proof is that nothing later has left a
 * trace in the ring, and that the newest prio chain, which every run of the allocator and every
 * repair replaces, is the chain that the last entry names. Then no old data can return: the
 * entries follow each other without a gap up to the last one, so each key is newer than what
 * the tree has for its range, or the tree has it from this entry or a later one. What the lost
 * entries before them named stays unknown, so all clean data is in doubt.
 * Where a few entries after the last one are lost too, each leaf shows which keys it has
 * already had.
 */
int cache_lost_take_run(struct lost *l)
{
	struct cache_journal *j = &l->set->journal, run;
	bool take = false, last = false;
	int ret = cache_journal_run(l->set->dev, l->sb, &run, l->sink, l->err);

	/*
	 * the first block of every bucket is lost: there are gaps, and nothing newer has left a
	 * trace
	 */
	if (!ret) {
		cache_journal_fini(&run);
		ret = cache_journal_survivors(l->set->dev, l->sb, NULL, &run, l->sink, l->err);
	}
	if (ret == 1 && (!l->old_ring || run.newest.pos.seq > l->old_seq)) {
		take = last = is_last(l, &run.newest);
		ret = last ? 1 : is_near_last(l, &run, &take);
	}
	if (take && ret >= 0) {
		if (!last)
			take_found(l, &run.newest, &j->newest);
		cache_journal_fini(j);
		*j = run;
		l->asks_for_more = !last;
	} else {
		cache_journal_fini(&run);
	}
	return ret < 0 ? ret : 0;
}
