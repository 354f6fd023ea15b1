/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the show applets share: one cache device, loaded as far as needed, and its findings,
 * printed at once and repeated in the JSON document.
 */
#ifndef CMD_SHOW_H
#define CMD_SHOW_H

#include "absent.h"
#include "common.h"
#include "set/members.h"
#include "set/set.h"

#define SHOW_PROBLEMS_HELD	256	/* further ones are only counted in JSON */

struct show;

/* A device of the set beside the first one. */
struct show_member {
	struct show *show;
	const char *spec;		/* as typed */
	char *path;
	struct cache_dev *dev;
	struct cache_sb sb;
	struct cache_sink sink;
};

struct show {
	struct cmd cmd;			/* first: what the parsers are given */
	const char *spec;		/* the device as typed */
	char *path;
	struct cache_dev *dev;
	struct cache_set *set;
	struct cache_sink sink;
	struct cmd_progress progress;	/* of the load */
	int progress_fd;
	bool makes_files;		/* afterwards, by their paths: then nothing is given up */
	bool takes_members;		/* more devices may be named: of a set of several */
	unsigned nmore;
	struct show_member more[CACHE_MAX_CACHES_PER_SET - 1];
	struct cache_sb sb;		/* of @dev, if the set is one of several */
	struct cmd_absent absent;
	uint64_t nproblems;		/* without notes */
	struct cache_finding problem[SHOW_PROBLEMS_HELD];
};

#define SHOW_INIT	{ .cmd = CMD_INIT, .progress_fd = -1 }

/* For applets that show a set of several devices as one. */
#define SHOW_INIT_MEMBERS	{ .cmd = CMD_INIT, .takes_members = true }

/* argp: the device, or with takes_members the devices; ARGP_ERR_UNKNOWN for all other keys. */
error_t show_parse_device(struct show *s, int key, char *arg, struct argp_state *state);

/**
 * show_open() - find, open and load the device
 *
 * Return: true when s->set is loaded as far as @upto; false when there is nothing to show,
 * which was reported, and *@status is the exit status.
 */
bool show_open(struct show *s, enum cache_load upto, int *status);

/* Buckets of the first device: [*first, *end) of the set's, which counts all devices. */
void show_own_buckets(const struct show *s, uint64_t *first, uint64_t *end);
/* Of a bucket of the set: nr_this_dev of the device that has it, and its number there. */
void show_place(const struct show *s, uint64_t bucket, uint64_t *member, uint64_t *local);

/* Close everything; @status becomes a failure when something was found wrong. */
int show_end(struct show *s, int status);

/* Reports that a library call failed. */
int show_failed(struct show *s, int code, const struct cache_err *err);

/*
 * The middle columns of every table of keys; show_key_cells() fills them. Only the first of the
 * pointers is shown: drivers have never made more.
 */
#define SHOW_KEY_COLS							\
	{ "inode", "INODE", CACHE_UNIT_COUNT },				\
	{ "start", "START", CACHE_UNIT_COUNT },				\
	{ "end", "END", CACHE_UNIT_COUNT },				\
	{ "sectors", "SECTORS", CACHE_UNIT_COUNT },			\
	{ "dirty", "DIRTY", CACHE_UNIT_TEXT },				\
	{ "ptr", "PTR", CACHE_UNIT_COUNT },				\
	{ "bucket", "BUCKET", CACHE_UNIT_COUNT },			\
	{ "gen", "GEN", CACHE_UNIT_COUNT }
#define SHOW_KEY_NCOLS 8

/* Whether the pointer of @k leads to a device of the set, here or not. */
bool show_has_ptr(const struct show *s, const struct cache_bkey *k);

/*
 * All in sectors; null if it has no meaning: the start of an interior node's key, whose size is
 * that of a node, or a pointer to no existing device.
 */
void show_key_cells(struct show *s, const struct cache_bkey *k, unsigned level);

#endif
