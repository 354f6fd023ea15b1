/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What can be wrong with a cache set, as data: problems.def has one row each. A finding is one
 * row with the values of the fields that the row's text names.
 *
 * The numbers of problems never change; rows are only added. Programs use code and number of a
 * row of problems.def; cache_problem_info() gives the rest.
 *
 * Threads: everything here may be called from any thread at any time.
 */
#ifndef LIBCACHE_FINDINGS_H
#define LIBCACHE_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libcache/error.h>

CACHE_DECLS_BEGIN

enum cache_problem {
	CACHE_P_NONE,
#define PROBLEM(code, number, ...) CACHE_P_##code = number,
#include <libcache/problems.def>
#undef PROBLEM
	CACHE_P_COUNT
};

/* The high byte of a problem's number. */
enum cache_pass {
	CACHE_PASS_SUPER = 1, CACHE_PASS_JOURNAL, CACHE_PASS_PRIOS, CACHE_PASS_UUIDS,
	CACHE_PASS_BTREE, CACHE_PASS_BUCKETS, CACHE_PASS_BACKING,
};

enum cache_severity {
	CACHE_SEVERITY_NOTE,	/* worth knowing; the set is clean */
	CACHE_SEVERITY_WARN,	/* not clean, although no rule of the format is broken */
	CACHE_SEVERITY_CORRUPT,	/* a rule of the format is broken */
};

/* What a kernel does because of it at the next start (behaviour 7), from mildest to worst. */
enum cache_verdict {
	CACHE_VERDICT_STARTS,
	CACHE_VERDICT_DAMAGE,	/* starts without a message, but may return wrong blocks */
	CACHE_VERDICT_MAY_HANG,
	CACHE_VERDICT_HANGS,
	CACHE_VERDICT_REFUSES,	/* the device, or the attachment, is refused */
	CACHE_VERDICT_DISABLES,	/* the set is disabled */
	CACHE_VERDICT_PANICS,
};

/*
 * Generations of the kernel's driver, the oldest first, named by a kernel version (kernels.md,
 * 2). A set of them is a mask of 1 << era.
 */
enum cache_era {
	CACHE_ERA_4_15, CACHE_ERA_5_10, CACHE_ERA_6_1, CACHE_ERA_6_12, CACHE_ERA_6_18,
	CACHE_ERA_7_2, CACHE_ERAS
};

/* The remedy that repairs it; repair.h says how. */
enum cache_remedy {
	CACHE_FIX_NONE,		/* nothing to do, or nothing that can be done */
	CACHE_FIX_SUPER,	/* rewrite or rebuild the superblock */
	CACHE_FIX_JOURNAL,	/* replay offline, then one checkpoint entry */
	CACHE_FIX_PRIOS,	/* rebuild gens, write a new prio chain */
	CACHE_FIX_UUIDS,	/* rebuild the uuid table */
	CACHE_FIX_BTREE,	/* rebuild the tree in unused buckets */
	CACHE_FIX_DROP_CLEAN,	/* drop clean extents of the range */
	CACHE_FIX_DROP_DIRTY,	/* drop dirty extents: data is lost, asks first */
};

/*
 * What a finding makes doubtful beside what it proves wrong: if updates may have been lost, an
 * older clean extent could be used in their place. UNREAD: the content is not known, so nothing
 * may be concluded from its absence.
 */
enum cache_doubt {
	CACHE_DOUBT_NONE,	/* nothing else, or the unknown part is marked as such */
	CACHE_DOUBT_ALL,	/* updates of unknown ranges are lost */
	CACHE_DOUBT_ALL_RING,	/* the same, and the rest of the ring misleads the driver */
	CACHE_DOUBT_RING,	/* only this: the rest of the ring misleads the driver */
	CACHE_DOUBT_HIDDEN,	/* RING if {count} is 0: the tree has all keys; else ALL_RING */
	CACHE_DOUBT_ROOT,	/* ALL, and nodes may be cut off */
	CACHE_DOUBT_NODE,	/* updates within the range of node {bucket} */
	CACHE_DOUBT_GENS,	/* gens of the buckets that prio_set {index} covers */
	CACHE_DOUBT_FOREIGN,	/* extents in {bucket}: another owner wrote there */
	CACHE_DOUBT_SHARED,	/* extents in {bucket}: one of them overwrote the other */
	CACHE_DOUBT_RANGE,	/* the range of the key itself */
	CACHE_DOUBT_LEAF,	/* the same, and updates within the range of leaf {other} that has it */
	CACHE_DOUBT_UNREAD,	/* nothing else: missing content counts as unknown elsewhere */
	CACHE_DOUBT_UNREAD_RING, /* ALL_RING: unknown entries, which may be the newest ones */
	CACHE_DOUBT_UNREAD_NODE, /* as NODE */
};

/*
 * One finding. Only the fields that the problem's text names in braces have a meaning; they are
 * printed, and put into JSON under the same names.
 */
#define CACHE_FINDING_NUMBERS(X) \
	X(bucket) X(sector) X(offset) X(block) X(seq) X(inode) X(start) X(end) \
	X(level) X(index) X(count) X(gen) X(got) X(want) X(other)

struct cache_finding {
	enum cache_problem code;
#define X(name) uint64_t name;
	CACHE_FINDING_NUMBERS(X)
#undef X
	const char *what;		/* a static string, or NULL */
	uint8_t uuid[16];
	/* one byte was wrong and the checksum shows which: nothing is lost */
	bool corrected;
	/* Mask of the drivers that do what the row says; for the others it is harmless. 0: all. */
	uint32_t eras;
};

/* A problem's row. */
struct cache_problem_info {
	const char *code;		/* "SB_CSUM" */
	unsigned number;		/* 0x0103; the high byte is the pass */
	enum cache_severity severity;
	bool always_shown;		/* false: a note that only -v prints */
	enum cache_verdict verdict;
	enum cache_remedy remedy;
	enum cache_doubt doubt;
	int error;			/* negative errno of an open that stops because of it */
	const char *text;		/* with {field}; in hex {field:x}; a seq {field:s} */
};

/* Never NULL: an unknown @code gives an empty row. */
const struct cache_problem_info *cache_problem_info(enum cache_problem code);

const char *cache_severity_name(enum cache_severity severity);
/* "starts" "damage" "may-hang" "hangs" "refuses" "disables" "panics" */
const char *cache_verdict_name(enum cache_verdict verdict);
const char *cache_remedy_name(enum cache_remedy remedy);

enum cache_field_kind {
	CACHE_FIELD_NUMBER, CACHE_FIELD_HEX, CACHE_FIELD_SEQ, CACHE_FIELD_WORD, CACHE_FIELD_UUID,
};

/* A field that a problem's text names, with its value in one finding. */
struct cache_finding_field {
	char name[24];
	enum cache_field_kind kind;
	uint64_t number;
	const char *word;		/* CACHE_FIELD_WORD; may be NULL */
	const uint8_t *uuid;		/* CACHE_FIELD_UUID; 16 bytes */
};

/**
 * cache_finding_field() - the @i-th field that the text of @f names
 *
 * Return: false when there are no more, or the text names an unknown field.
 */
bool cache_finding_field(const struct cache_finding *f, unsigned i,
			 struct cache_finding_field *field);

/* The finding's line, without a newline; always terminated. */
void cache_finding_text(const struct cache_finding *f, char *buf, size_t nbytes);

/* Receives findings and progress. */
struct cache_sink {
	/* NULL: findings are not wanted. */
	void (*report)(void *ctx, const struct cache_finding *f);
	void *ctx;
	/*
	 * May be NULL. Called from time to time; @max is an estimate. Pass 0 belongs to no pass:
	 * it only asks whether to stop. A non-zero return asks to
	 * stop at the next safe point: the call in progress returns -ECANCELED.
	 */
	int (*progress)(void *ctx, unsigned pass, uint64_t current, uint64_t max);
};

CACHE_DECLS_END
#endif
