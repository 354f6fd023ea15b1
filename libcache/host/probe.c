// SPDX-License-Identifier: GPL-2.0-only
/*
 * The only file that uses libblkid: what is on a device. bcache and bcachefs are also detected
 * here: libblkid finds neither if a field of the superblock is damaged, and old versions
 * confuse the two.
 */
#include "base/fd_io.h"
#include "base/types.h"
#include "host/ids.h"
#include "host/probe.h"

#include <blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void copy_value(blkid_probe pr, const char *name, char *to, size_t nbytes)
{
	const char *value = NULL;

	to[0] = '\0';
	if (!blkid_probe_lookup_value(pr, name, &value, NULL) && value)
		snprintf(to, nbytes, "%s", value);
}

/* Reads the current result of the probe; false when it has no type. */
static bool take_signature(blkid_probe pr, struct cache_signature *s)
{
	const char *offset = NULL;
	size_t nbytes = 0;

	memset(s, 0, sizeof(*s));
	copy_value(pr, "TYPE", s->type, sizeof(s->type));
	s->is_table = !s->type[0];
	if (s->is_table)
		copy_value(pr, "PTTYPE", s->type, sizeof(s->type));
	copy_value(pr, "LABEL", s->label, sizeof(s->label));
	copy_value(pr, s->is_table ? "PTUUID" : "UUID", s->uuid, sizeof(s->uuid));

	blkid_probe_lookup_value(pr, s->is_table ? "PTMAGIC_OFFSET" : "SBMAGIC_OFFSET",
				 &offset, NULL);
	if (offset)
		s->offset_bytes = strtoull(offset, NULL, 10);
	if (!blkid_probe_lookup_value(pr, s->is_table ? "PTMAGIC" : "SBMAGIC", NULL, &nbytes))
		s->nbytes = nbytes;
	return s->type[0];
}

static void ask_for_everything(blkid_probe pr)
{
	blkid_probe_enable_superblocks(pr, 1);
	blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL |
					      BLKID_SUBLKS_UUID | BLKID_SUBLKS_MAGIC |
					      BLKID_SUBLKS_BADCSUM);
	blkid_probe_enable_partitions(pr, 1);
	blkid_probe_set_partitions_flags(pr, BLKID_PARTS_MAGIC | BLKID_PARTS_FORCE_GPT);
}

static int probe_all(blkid_probe pr, struct cache_signature *sig, unsigned *n)
{
	while (*n < CACHE_PROBE_MAX) {
		int ret = blkid_do_probe(pr);

		if (ret)
			return ret > 0 ? 0 : -EIO;
		*n += take_signature(pr, &sig[*n]);
	}
	return 0;
}

#define SB_BYTE			(CACHE_SB_SECTOR * CACHE_SECTOR_BYTES)
#define MAGIC_BYTE		24u	/* in the superblock; bcachefs has its own there too */
#define LAYOUT_BYTE		3584u	/* of bcachefs: one sector in front of the superblock */
#define COPY_BYTE		(2u << 20)	/* of bcachefs: a second superblock */
#define MAGIC_LIKENESS		12u	/* so many of 16 bytes right make a damaged magic */
#define LAYOUT_SUPERS_MAX	61u

static const uint8_t bcachefs_magic[16] = {
	0xc6, 0x85, 0x73, 0xf6, 0x66, 0xce, 0x90, 0xa9,
	0xd9, 0x6a, 0x60, 0xcf, 0x80, 0x3d, 0xf7, 0xef,
};

/* The first sectors of a device, as far as they contain magics. */
struct head {
	uint8_t layout[CACHE_SECTOR_BYTES];	/* sector 7 */
	uint8_t sb[CACHE_SB_BYTES];
};

static unsigned likeness(const uint8_t *magic, const uint8_t *known)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 16; i++)
		n += magic[i] == known[i];
	return n;
}

/*
 * Early bcachefs has the magic of bcache. It has a layout sector in front, with the same magic
 * and a few superblocks. And where bcache has its sector and a version of 64 bits, it has half
 * a checksum and two versions of 16 bits.
 */
static bool is_early_bcachefs(const struct head *h)
{
	struct cache_sb sb;

	if (!memcmp(h->layout, cache_sb_magic, 16) && !h->layout[16] && h->layout[18] &&
	    h->layout[18] <= LAYOUT_SUPERS_MAX)
		return true;
	cache_sb_decode(h->sb, &sb);
	return sb.csum_stored != sb.csum_computed && sb.offset_sector != CACHE_SB_SECTOR &&
	       sb.version >> 16 && !(sb.version >> 32);
}

static bool is_bcachefs(const struct head *h)
{
	const uint8_t *magic = h->sb + MAGIC_BYTE;

	return likeness(magic, bcachefs_magic) >= MAGIC_LIKENESS ||
	       !memcmp(h->layout, bcachefs_magic, 16) ||
	       (!memcmp(magic, cache_sb_magic, 16) && is_early_bcachefs(h));
}

static bool is_bcache(const struct head *h)
{
	return !is_bcachefs(h) && likeness(h->sb + MAGIC_BYTE, cache_sb_magic) >= MAGIC_LIKENESS;
}

static void fill_signature(struct cache_signature *s, const char *type, uint64_t offset,
			   const uint8_t *uuid)
{
	memset(s, 0, sizeof(*s));
	snprintf(s->type, sizeof(s->type), "%s", type);
	s->offset_bytes = offset;
	s->nbytes = 16;
	if (uuid)
		cache_uuid_format(uuid, s->uuid);
}

/*
 * Adds a signature unless libblkid found it; a signature that libblkid names wrongly is
 * renamed.
 */
static void add_signature(struct cache_signature *sig, unsigned *n, const char *type,
			  uint64_t offset, const uint8_t *uuid)
{
	for (unsigned i = 0; i < *n; i++) {
		if (sig[i].is_table || sig[i].offset_bytes != offset)
			continue;
		snprintf(sig[i].type, sizeof(sig[i].type), "%s", type);
		return;
	}
	if (*n < CACHE_PROBE_MAX)
		fill_signature(&sig[(*n)++], type, offset, uuid);
}

static bool read_head(int fd, struct head *h)
{
	return cache_fd_read(fd, h->layout, sizeof(h->layout), LAYOUT_BYTE) > 0 &&
	       cache_fd_read(fd, h->sb, sizeof(h->sb), SB_BYTE) > 0;
}

/* Copies of a bcachefs superblock: at 2 MiB, and in the last MiB for later versions. */
static void ask_bcachefs_copies(int fd, struct cache_signature *sig, unsigned *n)
{
	off_t end = lseek(fd, 0, SEEK_END);
	const off_t at[] = { COPY_BYTE, (end & ~(off_t)((1 << 20) - 1)) - (1 << 20) };
	uint8_t magic[16];

	for (unsigned i = 0; i < 2; i++)
		if (at[i] > (off_t)SB_BYTE &&
		    cache_fd_read(fd, magic, sizeof(magic), at[i] + MAGIC_BYTE) > 0 &&
		    !memcmp(magic, bcachefs_magic, sizeof(magic)))
			add_signature(sig, n, "bcachefs", at[i] + MAGIC_BYTE, NULL);
}

static void ask_ourselves(int fd, struct cache_signature *sig, unsigned *n)
{
	struct head h;

	if (!read_head(fd, &h))
		return;
	if (is_bcachefs(&h)) {
		if (!memcmp(h.layout, bcachefs_magic, 16) || !memcmp(h.layout, cache_sb_magic, 16))
			add_signature(sig, n, "bcachefs", LAYOUT_BYTE, NULL);
		if (likeness(h.sb + MAGIC_BYTE, bcachefs_magic) >= MAGIC_LIKENESS ||
		    !memcmp(h.sb + MAGIC_BYTE, cache_sb_magic, 16))
			add_signature(sig, n, "bcachefs", SB_BYTE + MAGIC_BYTE, h.sb + 56);
	} else if (is_bcache(&h)) {
		add_signature(sig, n, "bcache", SB_BYTE + MAGIC_BYTE, h.sb + 40);
	}
	ask_bcachefs_copies(fd, sig, n);
}

/*
 * Opens the device again without O_DIRECT, which libblkid cannot use: through its descriptor
 * or, if that is impossible, through its path, if it still names the same device.
 */
static int open_again(const struct cache_dev *dev)
{
	struct stat a, b;
	char self[40];
	int fd;

	if (cache_dev_fd(dev) < 0 || fstat(cache_dev_fd(dev), &a))
		return -EBADF;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", cache_dev_fd(dev));
	fd = open(self, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		fd = open(cache_dev_name(dev), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (!fstat(fd, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino &&
	    a.st_rdev == b.st_rdev)
		return fd;
	close(fd);
	return -EAGAIN;
}

int cache_probe(const struct cache_dev *dev, struct cache_signature *sig, unsigned *n,
		struct cache_err *err)
{
	int fd = open_again(dev), ret = -EIO;
	blkid_probe pr;

	*n = 0;
	if (fd < 0)
		return cache_err_set(err, fd, 0, "cannot open: %s", strerror(-fd));
	pr = blkid_new_probe();
	if (pr && !blkid_probe_set_device(pr, fd, 0, 0)) {
		ask_for_everything(pr);
		ret = probe_all(pr, sig, n);
	}
	blkid_free_probe(pr);
	if (!ret)
		ask_ourselves(fd, sig, n);
	close(fd);
	if (ret)
		cache_err_set(err, ret, 0, "cannot determine what is on it");
	return ret;
}

/* What is on the device instead of bcache; NULL: nothing, or bcache. */
static const struct cache_signature *other_of(const struct cache_signature *sig, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(sig[i].type, "bcachefs"))
			return &sig[i];
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(sig[i].type, "bcache"))
			return NULL;
	return n ? &sig[0] : NULL;
}

int cache_probe_foreign(const struct cache_dev *dev, struct cache_err *err)
{
	struct cache_signature *sig = calloc(CACHE_PROBE_MAX, sizeof(*sig));
	const struct cache_signature *s = NULL;
	unsigned n = 0;
	int ret = 0;

	if (sig && !cache_probe(dev, sig, &n, NULL))
		s = other_of(sig, n);
	if (s)
		ret = cache_err_set(err, -EEXIST, 0, "holds %s%s%s%s%s, and no bcache superblock",
				    s->type, s->is_table ? " partition table" : "",
				    s->label[0] ? " \"" : "", s->label, s->label[0] ? "\"" : "");
	free(sig);
	return ret;
}

bool cache_probe_is_known(int fd)
{
	blkid_probe pr = blkid_new_probe();
	bool known = true;

	if (pr && !blkid_probe_set_device(pr, fd, 0, 0) && !blkid_probe_enable_partitions(pr, 1))
		known = !blkid_do_probe(pr);
	blkid_free_probe(pr);
	return known;
}

bool cache_probe_has_tag(int fd, const char *tag, const char *value)
{
	static const char *const parts[][2] = {
		{ "PARTUUID", "PART_ENTRY_UUID" }, { "PARTLABEL", "PART_ENTRY_NAME" },
	};
	blkid_probe pr = blkid_new_probe();
	const char *key = tag, *found = NULL;
	bool same = false;

	for (unsigned i = 0; i < 2; i++)
		if (!strcmp(tag, parts[i][0]))
			key = parts[i][1];
	if (pr && !blkid_probe_set_device(pr, fd, 0, 0)) {
		blkid_probe_enable_superblocks(pr, 1);
		blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_LABEL | BLKID_SUBLKS_UUID);
		blkid_probe_enable_partitions(pr, 1);
		blkid_probe_set_partitions_flags(pr, BLKID_PARTS_ENTRY_DETAILS);
		if (!blkid_do_safeprobe(pr) &&
		    !blkid_probe_lookup_value(pr, key, &found, NULL) && found)
			same = strstr(tag, "UUID") ? !strcasecmp(found, value)
						   : !strcmp(found, value);
	}
	blkid_free_probe(pr);
	return same;
}
