/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CMD_SHOW_KEYS_H
#define CMD_SHOW_KEYS_H

#include "show.h"

#define SHOW_KEYS_NCOLS	(2 + SHOW_KEY_NCOLS + 2)

struct show_keys {
	struct show show;		/* first */
	bool raw, nodes, stale, dirty, tsv;
	char *rows;			/* --tsv: of formatted rows, nrows bytes */
	size_t nrows;
	bool by_inode, by_level, by_range;
	bool by_owner, owner_is_sector;
	uint64_t inode, level;
	uint64_t range_start, range_end;	/* sectors, end not in it */
	uint64_t owner;			/* bucket, or sector, of the device that is named first */
	struct cache_field cols[SHOW_KEYS_NCOLS + 2];	/* of the table, while it is printed */
};

/* Begins the table of keys, or of nodes; @flags: CACHE_TABLE_ */
void show_keys_begin(struct show_keys *o, unsigned flags);

/* A row of it: @node_bucket 0 means the journal, @block is ignored then. */
void show_keys_row(struct show_keys *o, const struct cache_bkey *k, unsigned level,
		   uint64_t node_bucket, const uint32_t *block);

/* Who owns a bucket or a sector: role, and what points there. */
int show_owner(struct show_keys *o);

#endif
