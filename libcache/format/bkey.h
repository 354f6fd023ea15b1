/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Keys: an extent of a backing device, or a child of a btree node (format 5).
 *
 * A key's offset is where it ENDS; it covers [offset - size, offset). Positions
 * are (inode, offset), compared inode first.
 */
#ifndef LIBCACHE_BKEY_H
#define LIBCACHE_BKEY_H

#include <stdbool.h>
#include <stdint.h>

#include "format/ondisk.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cache_sb;

#define CACHE_BKEY_PTRS_MAX	(CACHE_BKEY_WORDS_MAX - CACHE_BKEY_WORDS_MIN)
#define CACHE_BKEY_SIZE_MAX	UINT64_C(0xffff)	/* sectors */
#define CACHE_KEY_INODE_MAX	UINT64_C(0xfffff)
#define CACHE_KEY_OFFSET_MAX	UINT64_C(0x7fffffffffffffff)
/* A pointer to this device number is the placeholder of a pending miss (format 5.4). */
#define CACHE_PTR_CHECK_DEV	4095u

/* Host values; only the first cache_bkey_words() words are used. */
struct cache_bkey {
	uint64_t high, low;
	uint64_t ptr[CACHE_BKEY_PTRS_MAX];
};

static inline uint64_t cache_key_inode(const struct cache_bkey *k)
{
	return k->high & CACHE_KEY_INODE_MAX;
}

/* The same of the first word alone, for keys that are kept in fewer words. */
static inline uint64_t cache_key_high_size(uint64_t high)
{
	return high >> 20 & CACHE_BKEY_SIZE_MAX;
}

static inline bool cache_key_high_dirty(uint64_t high)
{
	return high >> 36 & 1;
}

static inline unsigned cache_key_high_ptrs(uint64_t high)
{
	return high >> 60 & 7;
}

/* sectors */
static inline uint64_t cache_key_size(const struct cache_bkey *k)
{
	return cache_key_high_size(k->high);
}

static inline bool cache_key_dirty(const struct cache_bkey *k)
{
	return cache_key_high_dirty(k->high);
}

static inline unsigned cache_key_ptrs(const struct cache_bkey *k)
{
	return cache_key_high_ptrs(k->high);
}

/* the end of the extent, in sectors */
static inline uint64_t cache_key_offset(const struct cache_bkey *k)
{
	return k->low;
}

/* Wraps for a key that is larger than its offset, which is invalid anyway. */
static inline uint64_t cache_key_start(const struct cache_bkey *k)
{
	return k->low - cache_key_size(k);
}

static inline unsigned cache_bkey_words(const struct cache_bkey *k)
{
	return CACHE_BKEY_WORDS_MIN + cache_key_ptrs(k);
}

static inline uint8_t cache_ptr_gen(uint64_t ptr)
{
	return ptr & 0xff;
}

/* sector of the cache device */
static inline uint64_t cache_ptr_sector(uint64_t ptr)
{
	return ptr >> 8 & ((UINT64_C(1) << 43) - 1);
}

static inline unsigned cache_ptr_dev(uint64_t ptr)
{
	return ptr >> 51 & 0xfff;
}

static inline uint64_t cache_ptr_make(unsigned dev, uint64_t sector, uint8_t gen)
{
	return (uint64_t)dev << 51 | sector << 8 | gen;
}

/* Any key: bit 63 set, as the driver does. @offset is the end. */
static inline struct cache_bkey cache_bkey_make(uint64_t inode, uint64_t offset,
						uint64_t size, bool dirty)
{
	struct cache_bkey k = {
		UINT64_C(1) << 63 | (uint64_t)dirty << 36 |
			(size & CACHE_BKEY_SIZE_MAX) << 20 | (inode & CACHE_KEY_INODE_MAX),
		offset, { 0 }
	};

	return k;
}

static inline void cache_bkey_set_ptrs(struct cache_bkey *k, unsigned n)
{
	k->high = (k->high & ~(UINT64_C(7) << 60)) | (uint64_t)n << 60;
}

static inline void cache_bkey_set_size(struct cache_bkey *k, uint64_t sectors)
{
	k->high = (k->high & ~(CACHE_BKEY_SIZE_MAX << 20)) | sectors << 20;
}

static inline void cache_bkey_set_dirty(struct cache_bkey *k, bool dirty)
{
	k->high = (k->high & ~(UINT64_C(1) << 36)) | (uint64_t)dirty << 36;
}

/* <0, 0, >0: compares positions as the driver does (format 5.2) */
static inline int cache_pos_cmp(uint64_t inode_a, uint64_t offset_a,
				uint64_t inode_b, uint64_t offset_b)
{
	if (inode_a != inode_b)
		return inode_a < inode_b ? -1 : 1;
	return (int64_t)offset_a < (int64_t)offset_b ? -1 : offset_a != offset_b;
}

static inline int cache_bkey_cmp(const struct cache_bkey *a, const struct cache_bkey *b)
{
	return cache_pos_cmp(cache_key_inode(a), a->low, cache_key_inode(b), b->low);
}

/* Whether extent @a ends where @b starts, or before. */
static inline bool cache_bkey_is_before(const struct cache_bkey *a, const struct cache_bkey *b)
{
	return cache_pos_cmp(cache_key_inode(a), a->low, cache_key_inode(b),
			     cache_key_start(b)) <= 0;
}

/* position 0:0, carries the gen of a freed node to disk; never followed (format 5.4) */
static inline bool cache_bkey_is_freeing(const struct cache_bkey *k)
{
	return !cache_key_inode(k) && !k->low;
}

/* MAX_KEY, where every root ends */
static inline bool cache_bkey_is_max(const struct cache_bkey *k)
{
	return cache_key_inode(k) == CACHE_KEY_INODE_MAX && k->low == CACHE_KEY_OFFSET_MAX;
}

/**
 * cache_bkey_decode() - take one key from words on disk
 * @words:  where it starts
 * @nwords: how many are left
 * @k:      receives it
 *
 * Return: words consumed, 2 to 9; 0 when @nwords is too few for the key.
 */
unsigned cache_bkey_decode(const cache_le64 *words, uint64_t nwords, struct cache_bkey *k);

/* Writes cache_bkey_words() words and returns their number. */
unsigned cache_bkey_encode(const struct cache_bkey *k, cache_le64 *words);

/**
 * cache_ptr_is_available() - whether pointer @i of @k resolves to member @sb
 * (format 5.6: device below 8; members other than @sb are not there for us)
 */
bool cache_ptr_is_available(const struct cache_sb *sb, const struct cache_bkey *k, unsigned i);

/*
 * Sector where pointer @i leads. With sb->members it is one of all of them (members.h), and
 * UINT64_MAX for a member that is not there, and for what is past the end of one.
 */
uint64_t cache_ptr_place(const struct cache_sb *sb, const struct cache_bkey *k, unsigned i);

/* Bucket of that sector. It may be past the device: check it. */
uint64_t cache_ptr_bucket(const struct cache_sb *sb, const struct cache_bkey *k, unsigned i);

/**
 * cache_extent_invalid() - why a leaf key would make the driver disable the set (format 5.6). A
 * key of size 0 is silently dropped, not invalid: test for it before.
 *
 * Return: NULL when it is valid; otherwise a static string.
 */
const char *cache_extent_invalid(const struct cache_sb *sb, const struct cache_bkey *k);

/* The same for an interior key, the root, or the uuid bucket. */
const char *cache_btree_ptr_invalid(const struct cache_sb *sb, const struct cache_bkey *k);

/**
 * cache_bkey_cut_front() - drop the part before @start; pointers are adjusted
 * cache_bkey_cut_back() - drop the part from @end on The position must lie inside the key.
 */
void cache_bkey_cut_front(struct cache_bkey *k, uint64_t start);
void cache_bkey_cut_back(struct cache_bkey *k, uint64_t end);

#ifdef __cplusplus
}
#endif
#endif
