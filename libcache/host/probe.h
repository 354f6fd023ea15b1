/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What lies on a device and who holds it, asked of libblkid and of sysfs, and
 * devices found by name. Nothing here writes.
 */
#ifndef LIBCACHE_PROBE_H
#define LIBCACHE_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "format/super.h"

#ifdef __cplusplus
extern "C" {
#endif

/* More than this many signatures on one device are not looked at. */
#define CACHE_PROBE_MAX		32

/* One signature: of a file system, a volume, a partition table. Always terminated. */
struct cache_signature {
	char	 type[32];		/* libblkid's word: "ext4", "gpt", "bcache" */
	char	 label[256];		/* empty when it has none */
	char	 uuid[64];		/* as libblkid writes it; empty when it has none */
	uint64_t offset_bytes;		/* of the magic, from the start of the device */
	uint32_t nbytes;		/* length of the magic; 0: not known */
	bool	 is_table;		/* a partition table */
};

/**
 * cache_probe() - every signature that libblkid finds on a device
 * @path: block device or regular file
 * @sig:  receives at most CACHE_PROBE_MAX
 * @n:    receives how many
 *
 * A signature whose checksum is wrong counts too: it may be someone's damaged data.
 * Return: 0; what open(2) gave; -EIO when libblkid fails.
 */
int cache_probe(const char *path, struct cache_signature *sig, unsigned *n,
		struct cache_err *err);

/**
 * cache_probe_foreign() - does something else than a bcache device live there?
 *
 * For what has no bcache superblock. Return: 0 when libblkid finds nothing, or @path cannot
 * be looked at; -EEXIST, with its name in @err.
 */
int cache_probe_foreign(const char *path, struct cache_err *err);

/**
 * cache_probe_resolve() - a device's path from what the user typed
 * @spec: a path, or UUID= LABEL= PARTUUID= PARTLABEL= with a value
 * @path: receives it; the caller frees it. A path comes back as it is, unchecked
 *
 * Return: 0; -ENODEV when no device has that name; -ENOMEM.
 */
int cache_probe_resolve(const char *spec, char **path, struct cache_err *err);

/**
 * cache_probe_set() - the devices, cache and backing, that name a cache set
 * @found: called for each; a non-zero return ends the search and is returned. The
 *	   superblock has the right magic and checksum; more was not checked
 *
 * Looks at every block device that this system knows and that may be read; regular
 * files have to be named.
 * Return: 0; what @found returned; -ENOMEM.
 */
int cache_probe_set(const uint8_t set_uuid[16],
		    int (*found)(void *ctx, const char *path, const struct cache_sb *sb),
		    void *ctx);

/* Two paths name one device or file; of what cannot be looked at, the names decide. */
bool cache_probe_same(const char *a, const char *b);

/* Who in the kernel holds a block device. */
struct cache_holder {
	bool bcache;		/* registered with the bcache driver */
	bool is_bdev;		/* it is there as a backing device */
	char set[37];		/* uuid of its cache set; empty: not attached to one */
	char device[64];	/* "bcache0" for a backing device, "dm-3", "md0"; or empty */
};

/**
 * cache_probe_holder() - ask sysfs
 * @sysfs: where it is mounted; NULL: "/sys"
 * @path:  block device; nobody holds a regular file
 *
 * Return: 1 when @holder says who holds it, 0 when sysfs names nobody (it may still
 * be mounted), what stat(2) gave.
 */
int cache_probe_holder(const char *sysfs, const char *path, struct cache_holder *holder);

/* "registered in cache set UUID; let go with: ...", one line, always terminated. */
void cache_holder_text(const struct cache_holder *holder, const char *path, char *buf,
		       unsigned nbytes);

#ifdef __cplusplus
}
#endif
#endif
