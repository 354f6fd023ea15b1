/* SPDX-License-Identifier: GPL-2.0-only */
/* The text of cache-super-show: the lines of bcache-super-show, and more behind -a. */
#ifndef CMD_SUPER_TEXT_H
#define CMD_SUPER_TEXT_H

#include <stdbool.h>
#include <string.h>

#include "format/super.h"

static inline bool is_csum_right(const struct cache_sb *sb)
{
	return sb->csum_stored == sb->csum_computed;
}

static inline bool has_our_magic(const struct cache_sb *sb)
{
	return !memcmp(sb->magic, cache_sb_magic, sizeof(sb->magic));
}

/* "cache", "backing" or "unknown" */
const char *super_type(const struct cache_sb *sb);

void super_print(const struct cache_sb *sb, bool all);

/* All that bcache-super-show 1.0.8 prints of a superblock; its exit status. */
int super_print_peer(const struct cache_sb *sb, bool force);

#endif
