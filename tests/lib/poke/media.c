// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>

#include "poke.h"

void *poke_read(const struct poke *p, uint64_t sector, uint64_t nsectors)
{
	void *buf = cache_dev_buf(nsectors * CACHE_SECTOR_BYTES);
	struct cache_err err = { 0 };

	if (!buf || cache_dev_read(p->set->dev, sector, nsectors, buf, &err))
		poke_fail("cannot read sector %llu: %s", (unsigned long long)sector, err.text);
	return buf;
}

void poke_write(const struct poke *p, uint64_t sector, uint64_t nsectors, const void *buf)
{
	struct cache_err err = { 0 };

	if (cache_dev_write(p->set->dev, sector, nsectors, buf, &err))
		poke_fail("cannot write sector %llu: %s", (unsigned long long)sector, err.text);
}

void poke_zero(const struct poke *p, uint64_t sector, uint64_t nsectors)
{
	void *buf = cache_dev_buf(nsectors * CACHE_SECTOR_BYTES);

	if (!buf)
		poke_fail("no memory");
	poke_write(p, sector, nsectors, buf);
	free(buf);
}
