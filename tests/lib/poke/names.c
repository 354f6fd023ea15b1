// SPDX-License-Identifier: GPL-2.0-only
/* Buckets by what they hold: a word and a number that counts from 0. */
#include <stdlib.h>
#include <string.h>

#include "poke.h"

struct find_node {
	bool leaf;
	uint64_t skip, bucket;
	bool found;
};

static int find_node(void *ctx, const struct cache_btree_node *n)
{
	struct find_node *f = ctx;

	if (f->leaf != !n->level || f->skip--)
		return 0;
	f->bucket = n->bucket;
	f->found = true;
	return 1;
}

static bool nth_node(const struct poke *p, bool leaf, uint64_t n, uint64_t *bucket)
{
	const struct cache_sink ignore = { cache_sink_ignore, NULL };
	struct find_node f = { .leaf = leaf, .skip = n };

	cache_set_each_node(p->set, find_node, &f, &ignore, NULL);
	*bucket = f.bucket;
	return f.found;
}

static bool nth_of_role(const struct poke *p, enum cache_role role, uint64_t n,
			uint64_t *bucket)
{
	for (*bucket = 0; *bucket < p->set->sb.nbuckets; (*bucket)++)
		if (cache_set_role(p->set, *bucket) == role && !n--)
			return true;
	return false;
}

static bool bucket_of_key(const struct poke *p, const struct cache_bkey *k, uint64_t *bucket)
{
	*bucket = cache_ptr_bucket(&p->set->sb, k, 0);
	return cache_key_ptrs(k);
}

bool poke_bucket(const struct poke *p, const char *name, uint64_t *bucket)
{
	size_t len = strcspn(name, "0123456789");
	uint64_t n = strtoull(name + len, NULL, 10);
	const struct cache_set *set = p->set;
	char word[32] = "";

	if (len >= sizeof(word))
		return false;
	memcpy(word, name, len);
	*bucket = set->sb.nbuckets;
	if (!strcmp(word, "nbuckets"))
		return true;
	if (set->loaded < CACHE_LOAD_MARKS)
		return false;
	if (!strcmp(word, "root"))
		return bucket_of_key(p, &set->journal.newest.btree_root, bucket);
	if (!strcmp(word, "uuid"))
		return bucket_of_key(p, &set->journal.newest.uuid_bucket, bucket);
	if (!strcmp(word, "leaf") || !strcmp(word, "interior"))
		return nth_node(p, *word == 'l', n, bucket);
	for (int role = 0; role < CACHE_ROLE_COUNT; role++)
		if (!strcmp(word, cache_role_name(role)))
			return nth_of_role(p, role, n, bucket);
	return false;
}
