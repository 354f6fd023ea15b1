// SPDX-License-Identifier: GPL-2.0-only
#include "alloc/gens.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int cache_gens_init(struct cache_gens *g, uint64_t nbuckets, uint8_t *gen)
{
	*g = (struct cache_gens){ .nbuckets = nbuckets, .gen = gen };
	g->last_gc = malloc(nbuckets);
	g->mark = calloc(nbuckets, sizeof(*g->mark));
	if (!g->last_gc || !g->mark)
		return -ENOMEM;
	memcpy(g->last_gc, gen, nbuckets);
	return 0;
}

void cache_gens_fini(struct cache_gens *g)
{
	free(g->gen);
	free(g->last_gc);
	free(g->mark);
	memset(g, 0, sizeof(*g));
}
