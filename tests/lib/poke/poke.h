/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of poke share. It is a tool of the tests: whatever is wrong with
 * what it was asked for ends it with one line, so nothing here returns an error.
 */
#ifndef TESTS_LIB_POKE_H
#define TESTS_LIB_POKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "set/set.h"

/* NAME[INDEX][INDEX], one dotted part of what stands left of the = */
struct poke_seg {
	char name[32];
	char index[2][32];
	unsigned nindex;
};

#define POKE_SEGS_MAX 4

struct poke {
	struct cache_set *set;	/* as it was before this item */
	struct poke_seg seg[POKE_SEGS_MAX];
	unsigned nsegs;
	const char *value;
	bool raw;			/* leave the checksum as it is */
};

enum poke_kind { POKE_NUMBER, POKE_UUID, POKE_TEXT, POKE_KEY };

/* A named field of a structure on disk. */
struct poke_field {
	const char *name;
	unsigned offset, nbytes;	/* of one element */
	unsigned count;			/* elements of an array; 0: no array */
	unsigned shift, nbits;		/* of a number; 0 bits: all of it */
	enum poke_kind kind;
	const char *words;		/* names of the values 0, 1, 2, ... or NULL */
};

#define POKE_FIELD(type, member, ...) \
	{ .name = #member, .offset = offsetof(struct type, member), \
	  .nbytes = sizeof(((struct type *)NULL)->member), __VA_ARGS__ }
#define POKE_ARRAY(type, member) \
	{ .name = #member, .offset = offsetof(struct type, member), \
	  .nbytes = sizeof(((struct type *)NULL)->member[0]), \
	  .count = sizeof(((struct type *)NULL)->member) / \
		   sizeof(((struct type *)NULL)->member[0]) }
#define POKE_BITS(type, member, label, first, n, ...) \
	{ .name = label, .offset = offsetof(struct type, member), \
	  .nbytes = sizeof(((struct type *)NULL)->member), .shift = first, .nbits = n, \
	  __VA_ARGS__ }

_Noreturn void poke_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* For a path that the target does not have. */
_Noreturn void poke_unknown(const struct poke *p);

/* values.c: "7" "0x7" "+1" "-1" "flip" "swap" or a bucket's name, as "leaf0" "free+1" */
uint64_t poke_number(const struct poke *p, const char *text, uint64_t old);
uint64_t poke_index(const struct poke *p, const char *text, uint64_t count);
/* Sets the field named by segment @seg of the path; @base is the structure. */
void poke_set(const struct poke *p, void *base, const struct poke_field *fields,
	      unsigned nfields, unsigned seg);

/* media.c: whole sectors from and to the device */
void *poke_read(const struct poke *p, uint64_t sector, uint64_t nsectors);
void poke_write(const struct poke *p, uint64_t sector, uint64_t nsectors, const void *buf);
void poke_zero(const struct poke *p, uint64_t sector, uint64_t nsectors);

/* keys.c */
void poke_set_key(const struct poke *p, cache_le64 *words, const char *field,
		  const char *index, const char *value);
/* "{inode=0,offset=8,size=8,bucket=free};{like=0,dirty=1}" or "none"; returns words written */
uint32_t poke_keys_parse(const struct poke *p, const char *text, const struct cache_keys *like,
			 cache_le64 *words, uint32_t capacity);
/* Start of key @index among @nwords; @nwords for one past the last. */
uint32_t poke_key_at(const struct poke *p, const cache_le64 *words, uint32_t nwords,
		     const char *index);

/* names.c: a bucket by what it holds, "dirty0" "journal3" "free" */
bool poke_bucket(const struct poke *p, const char *name, uint64_t *bucket);

/* extents.c: extent @i of @n, spread evenly over @inodes and over the upper buckets */
struct cache_bkey poke_extent(const struct cache_sb *sb, uint64_t i, uint64_t n,
			      uint64_t inodes);

/* one for each target */
void poke_super(struct poke *p);
void poke_journal(struct poke *p);
void poke_prio(struct poke *p);
void poke_uuid(struct poke *p);
void poke_node(struct poke *p);
void poke_start(struct poke *p);
void poke_extents(struct poke *p);
void poke_scattered(struct poke *p);
void poke_dirty(struct poke *p);
void poke_mixed(struct poke *p);
void poke_overlap(struct poke *p);

#endif
