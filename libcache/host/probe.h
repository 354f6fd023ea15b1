/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is on a device and who holds it, according to libblkid, sysfs and the mount table, and
 * devices found by name. Nothing here writes.
 */
#ifndef LIBCACHE_PROBE_H
#define LIBCACHE_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "dev/dev.h"
#include "format/super.h"

#ifdef __cplusplus
extern "C" {
#endif

/* At most this many signatures of one device are reported. */
#define CACHE_PROBE_MAX		32

/* One signature: of a file system, a volume, a partition table. Always terminated. */
struct cache_signature {
	char	 type[32];		/* the name that libblkid uses: "ext4", "gpt", "bcache" */
	char	 label[256];		/* empty when it has none */
	char	 uuid[64];		/* as libblkid writes it; empty when it has none */
	uint64_t offset_bytes;		/* of the magic, from the start of the device */
	uint32_t nbytes;		/* length of the magic; 0: not known */
	bool	 is_table;		/* a partition table */
};

/**
 * cache_probe() - every signature that libblkid finds on a device, and bcache or bcachefs where
 * it misses them
 * @dev: open block device or regular file, or a wrapper of one
 * @sig: receives at most CACHE_PROBE_MAX
 * @n:   receives how many
 *
 * A signature whose checksum is wrong counts too: it may be someone's damaged data. bcache is
 * found although fields of its superblock, or a few bytes of its magic, are damaged, and
 * bcachefs goes by its name although early images of it have the magic of bcache.
 * Return: 0; the errors of open(2); -EIO when libblkid fails; -EBADF for a device in memory.
 */
int cache_probe(const struct cache_dev *dev, struct cache_signature *sig, unsigned *n,
		struct cache_err *err);

/*
 * Whether libblkid finds anything on the device open as @fd, or cannot look: what udev knows of
 * it without our help. A superblock whose checksum is wrong is not found.
 */
bool cache_probe_is_known(int fd);

/* Whether libblkid finds this UUID, LABEL, PARTUUID or PARTLABEL on the device. */
bool cache_probe_has_tag(int fd, const char *tag, const char *value);

/*
 * Each block device that this machine lists and that may be read, without members that a mapped
 * device or an array shows again. A non-zero return ends the search and is returned.
 */
typedef int cache_probe_fn(void *ctx, struct cache_dev *dev);
int cache_probe_each(cache_probe_fn *fn, void *ctx);

/* Whether there is a superblock with the magic of bcache, valid or not. */
bool cache_probe_super(struct cache_dev *dev, struct cache_sb *sb);

/**
 * cache_probe_foreign() - is there something else than a bcache device?
 *
 * Return: 0 when there is bcache or nothing, or @dev cannot be looked at; -EEXIST, with its
 * name in @err.
 */
int cache_probe_foreign(const struct cache_dev *dev, struct cache_err *err);

/**
 * cache_probe_resolve() - a device's path from what the user typed
 * @spec: a path, or UUID= LABEL= PARTUUID= PARTLABEL= with a value
 * @path: receives it; the caller frees it. A path comes back as it is, unchecked
 * @more: called for each device whose own name does not match; may be NULL
 *
 * The superblock of bcache is asked first, with a bad checksum too, then libblkid.
 * Return: 0; -ENODEV when no device has that name; -ENOTUNIQ when several have, and @err
 * lists them; -ENOMEM.
 */
int cache_probe_resolve(const char *spec, char **path,
			bool (*more)(void *ctx, struct cache_dev *dev, const char *tag,
				     const char *value),
			void *ctx, struct cache_err *err);

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

/* Whether two paths name one device or file; if that cannot be found out, the strings decide. */
bool cache_probe_same(const char *a, const char *b);

/* Who holds a block device. */
struct cache_holder {
	bool bcache;		/* registered with the bcache driver */
	bool is_bdev;		/* it is there as a backing device */
	char set[37];		/* uuid of its cache set; empty: not attached to a set */
	char device[64];	/* "bcache0" for a backing device, "dm-3", "md0"; or empty */
	char what[64];		/* "LVM volume vg-root", "array"; or empty */
	char part[64];		/* the partition of it that the fields above describe; or empty */
	char loop[64];		/* the loop device of the file, which all this is about; or empty */
	char mount[256];	/* where it is mounted, "swap"; or empty */
};

/**
 * cache_probe_holder() - ask sysfs, the mount table and the list of swap devices
 * @sysfs: where it is mounted; NULL: "/sys"
 * @path:  block device, or a file, which is held where a loop device of it is
 *
 * The partitions of a disk are asked too.
 * Return: 1 when @holder says who holds it, 0 when there is no holder, or the error of stat(2).
 */
int cache_probe_holder(const char *sysfs, const char *path, struct cache_holder *holder);

/* "registered in cache set UUID; release with: ...", one line, always terminated. */
void cache_holder_text(const struct cache_holder *holder, const char *path, char *buf,
		       unsigned nbytes);

/* Where block device @rdev is mounted, or "swap"; false when neither. */
bool cache_probe_mount(uint64_t rdev, char *where, unsigned nbytes);

#ifdef __cplusplus
}
#endif
#endif
