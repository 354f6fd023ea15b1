// SPDX-License-Identifier: GPL-2.0-only
#include "alloc/gens.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/huge_pages.h"

int cache_gens_init(struct cache_gens *g, uint64_t nbuckets, uint8_t *gen)
{
	*g = (struct cache_gens){ .nbuckets = nbuckets,
				  .rec = calloc(nbuckets, CACHE_GENS_BYTES) };
	if (g->rec)
		cache_huge_pages(g->rec, nbuckets * CACHE_GENS_BYTES);
	for (uint64_t b = 0; g->rec && b < nbuckets; b++)
		if (gen[b])
			cache_gens_rec(g, b)[0] = cache_gens_rec(g, b)[1] = gen[b];
	free(gen);
	return g->rec ? 0 : -ENOMEM;
}

void cache_gens_fini(struct cache_gens *g)
{
	free(g->rec);
	memset(g, 0, sizeof(*g));
}
