// SPDX-License-Identifier: GPL-2.0-only
/*
 * A header backup is made of a device, damaged, and put on a device that may or may
 * not be the one, and may be damaged too:
 *
 *	byte 0	bits 0-1 which device is saved, 2-3 which is restored to, 4 force,
 *		5 the superblock there is lost, 6 its journal ring too,
 *		7 the backup was made before the set ran
 *	then 8 bytes a change: what, where (2), bytes (4), how
 *
 * What must hold: what was saved reads back; what its checksum does not cover is not
 * believed; looking writes nothing, and so does who refuses; else one write, of the
 * superblock, which is then the backup's but for state, and state is never turned back;
 * no other device's superblock is replaced, force or not; a second time changes nothing; and
 * the time is in proportion to what is read.
 */
#include "budget.h"
#include "overlay.h"

#include <stdarg.h>

#include "super/backup_disk.h"
#include "disk/jset_codec.h"
#include "base/crc64.h"
#include "disk/journal.h"
#include "target.h"

#define ENTRIES_MAX	64u
#define CHANGES_MAX	32u
#define SB_SECTORS	(CACHE_SB_BYTES / CACHE_SECTOR_BYTES)

enum { FORCE = 16, LOST = 32, WIPED = 64, EARLY = 128 };
enum { REGISTERED, FRESH, BACKING, NBASES };

static struct base {
	struct overlay o;
	struct cache_sb sb;
	struct cache_jset_pos entry[ENTRIES_MAX];
	unsigned nentries;
} bases[NBASES];

/* Nobody cuts the power here: to wait for the disk would only cost time. */
int fsync(int fd)
{
	return 0;
}

static void fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

static void learn(struct base *b, const char *path)
{
	struct cache_dev *dev;
	struct cache_journal j;

	if (overlay_open(&b->o, path))
		fail("cannot open %s: make tests first", path);
	dev = overlay_dev(&b->o);
	if (cache_sb_read(dev, &b->sb, NULL))
		fail("no superblock: %s", path);
	if (!cache_sb_is_bdev(&b->sb) && !cache_journal_read(dev, &b->sb, &j, NULL, NULL)) {
		for (size_t i = 0; i < j.nentries && b->nentries < ENTRIES_MAX; i++)
			b->entry[b->nentries++] = j.entries[i];
		cache_journal_fini(&j);
	}
	cache_dev_close(dev);
}

/* An attached backing device with dirty data in a cache, of the size of the others. */
static void learn_backing(struct base *b, uint64_t nsectors)
{
	struct cache_sb sb = {
		.offset_sector = CACHE_SB_SECTOR, .version = CACHE_SB_VERSION_BDEV,
		.uuid = { 1, 2 }, .set_uuid = { 3, 4 }, .block_sectors = 1, .seq = 5,
		.flags = CACHE_MODE_WRITEBACK |
			 (uint64_t)CACHE_BDEV_STATE_DIRTY << CACHE_BDEV_STATE_SHIFT,
		.last_mount = 6,
	};
	uint8_t buf[CACHE_SB_BYTES] = { 0 };
	int fd = memfd_create("backing", MFD_CLOEXEC);
	char path[32];

	memcpy(sb.magic, cache_sb_magic, sizeof(sb.magic));
	cache_sb_encode(&sb, buf);
	if (fd < 0 || ftruncate(fd, nsectors * CACHE_SECTOR_BYTES) ||
	    pwrite(fd, buf, sizeof(buf), CACHE_SB_SECTOR * CACHE_SECTOR_BYTES) != sizeof(buf))
		fail("no memory for a backing device");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	learn(b, path);
	close(fd);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *dir = getenv("BUILD");
	char path[512];

	snprintf(path, sizeof(path), "%s/images/registered.cache", dir ? dir : "build");
	learn(&bases[REGISTERED], path);
	snprintf(path, sizeof(path), "%s/images/fresh.cache", dir ? dir : "build");
	learn(&bases[FRESH], path);
	learn_backing(&bases[BACKING], bases[REGISTERED].o.sectors);
	if (!bases[REGISTERED].nentries || bases[FRESH].nentries)
		fail("registered.cache has run, and fresh.cache has not");
	return 0;
}

enum what { SAVED, FILE_HEAD, FILE_SUPER, FILE_LENGTH, THERE, JOURNAL, WHATS };

struct change {
	enum what what;
	uint16_t at;
	uint8_t byte[4], how;	/* how: 1 compute the checksum again; 2 flip rather than put; 12 count - 1 */
};

struct input {
	unsigned bits, nchanges;
	struct change change[CHANGES_MAX];
};

static void take_input(const uint8_t *data, size_t size, struct input *in)
{
	in->bits = *data++;
	in->nchanges = 0;
	for (size--; size >= 8 && in->nchanges < CHANGES_MAX; data += 8, size -= 8) {
		struct change *c = &in->change[in->nchanges++];

		c->what = data[0] % WHATS;
		c->at = data[1] | data[2] << 8;
		memcpy(c->byte, data + 3, sizeof(c->byte));
		c->how = data[7];
	}
}

static void scribble(void *buf, size_t nbytes, const struct change *c)
{
	uint8_t *p = buf;

	for (unsigned i = 0; i <= (c->how >> 2 & 3); i++) {
		size_t at = (c->at + i) % nbytes;

		p[at] = c->how & 2 ? p[at] ^ c->byte[i] : c->byte[i];
	}
}

static void csum_super(void *buf)
{
	((struct cache_sb_disk *)buf)->csum = cache_le64_of(cache_sb_csum(buf));
}

/* All changes of @what, to a superblock. */
static void change_super(const struct input *in, enum what what, void *buf)
{
	for (unsigned i = 0; i < in->nchanges; i++) {
		if (in->change[i].what != what)
			continue;
		scribble(buf, sizeof(struct cache_sb_disk), &in->change[i]);
		if (in->change[i].how & 1)
			csum_super(buf);
	}
}

static bool change_journal(const struct input *in, struct base *b, struct cache_dev *dev)
{
	static char buf[CACHE_JSET_MAX_BYTES];
	struct cache_jset_disk *d = (void *)buf;
	bool changed = false;

	for (unsigned i = 0; i < in->nchanges && b->nentries; i++) {
		const struct change *c = &in->change[i];
		const struct cache_jset_pos *pos = &b->entry[(c->how >> 4) % b->nentries];
		uint32_t n = cache_jset_sectors(&b->sb, pos->nwords);

		if (c->what != JOURNAL)
			continue;
		cache_dev_read(dev, cache_jset_sector(&b->sb, pos), n, buf, NULL);
		scribble(buf, n * CACHE_SECTOR_BYTES, c);
		if (c->how & 1 && cache_jset_bytes(d) <= n * CACHE_SECTOR_BYTES)
			d->csum = cache_le64_of(cache_jset_csum(d));
		cache_dev_write(dev, cache_jset_sector(&b->sb, pos), n, buf, NULL);
		changed = true;
	}
	return changed;
}

/* Saves a device as the input has it, to a file without a name. -1: it was refused. */
static int save(const struct input *in)
{
	struct base *b = &bases[(in->bits & 3) % NBASES];
	struct cache_dev *dev = overlay_dev(&b->o);
	struct cache_backup saved = { 0 }, again = { 0 };
	uint8_t buf[CACHE_SB_BYTES];
	struct cache_sb sb;
	char file[64];
	int fd = -1;

	cache_dev_read(dev, CACHE_SB_SECTOR, SB_SECTORS, buf, NULL);
	if (in->bits & EARLY && !cache_sb_is_bdev(&b->sb)) {
		sb = b->sb;
		sb.flags &= ~(uint64_t)CACHE_SB_SYNC;
		cache_sb_encode(&sb, buf);
	}
	change_super(in, SAVED, buf);
	cache_dev_write(dev, CACHE_SB_SECTOR, SB_SECTORS, buf, NULL);
	if (cache_backup_take(dev, 7, &saved, NULL))
		goto out;
	snprintf(file, sizeof(file), "/tmp/fuzz-backup.%ld", (long)getpid());
	unlink(file);	/* of a process that crashed */
	if (cache_backup_save(&saved, file, NULL))
		fail("cannot save to %s", file);
	if (cache_backup_read(file, &again, NULL) || memcmp(saved.super, buf, sizeof(buf)) ||
	    memcmp(again.super, buf, sizeof(buf)) || memcmp(&again.sb, &saved.sb, sizeof(again.sb)) ||
	    again.dev_sectors != b->o.sectors || again.saved_at != 7)
		fail("what was saved does not read back");
	fd = open(file, O_RDWR | O_CLOEXEC);
	unlink(file);
out:
	cache_dev_close(dev);
	overlay_forget(&b->o);
	return fd;
}

/* Changes the file, and reads it: is it believed, rightly? */
static int read_back(const struct input *in, int fd, struct cache_backup *b)
{
	struct cache_backup_disk d;
	off_t nbytes = sizeof(d);
	bool right = true, recsum = false;
	char path[32];
	int ret;

	if (pread(fd, &d, sizeof(d), 0) != sizeof(d))
		fail("cannot read the backup");
	change_super(in, FILE_SUPER, d.super);
	for (unsigned i = 0; i < in->nchanges; i++) {
		const struct change *c = &in->change[i];

		if (c->what == FILE_HEAD)
			scribble(&d, offsetof(struct cache_backup_disk, super), c);
		else if (c->what == FILE_LENGTH)
			nbytes = c->at;
		recsum |= c->what <= FILE_SUPER && c->how & 1;
	}
	if (recsum)
		d.csum = cache_le64_of(cache_crc64(d.magic, sizeof(d) - sizeof(d.csum)));
	if (pwrite(fd, &d, sizeof(d), 0) != sizeof(d) || ftruncate(fd, nbytes))
		fail("cannot change the backup");
	right = nbytes == sizeof(d) && !memcmp(d.magic, CACHE_BACKUP_MAGIC, sizeof(d.magic)) &&
		cache_le64_get(d.csum) == cache_crc64(d.magic, sizeof(d) - sizeof(d.csum)) &&
		cache_le32_get(d.version) == CACHE_BACKUP_VERSION;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ret = cache_backup_read(path, b, NULL);
	if (!ret && (!right || memcmp(b->super, d.super, sizeof(d.super)) ||
		     strnlen(b->device, sizeof(b->device)) == sizeof(b->device)))
		fail("a damaged backup is believed");
	return ret;
}

static void on_field(void *ctx, const struct cache_repair_field *f)
{
	unsigned *told = ctx;

	if (!f->name || !f->proof)
		fail("a field without a name or a proof");
	++*told;
}

/* One restore; @o has the writes that were there before. */
static int put_back(struct overlay *o, const struct cache_backup *b, unsigned bits, bool dry_run,
		    bool *differs)
{
	unsigned told = 0;
	struct cache_backup_opts opts = { .size = sizeof(opts), .dry_run = dry_run, .force = bits & FORCE,
					  .field = on_field, .ctx = &told };
	struct cache_dev *dev = overlay_dev(o);
	uint32_t before = o->nwrites;
	struct cache_err err = { 0 };
	int ret;

	*differs = false;
	ret = cache_backup_restore(dev, b, &opts, differs, &err);
	cache_dev_close(dev);
	if (ret && !err.text[0])
		fail("refused without a message");
	if (told && !*differs)
		fail("fields change, and nothing differs");
	if (o->nwrites - before != (!ret && !dry_run && *differs))
		fail("%u writes, dry run %d, refused %d", o->nwrites - before, dry_run, ret);
	if (o->nwrites != before && (o->write[before].sector != CACHE_SB_SECTOR ||
				     o->write[before].n != SB_SECTORS))
		fail("written elsewhere than the superblock");
	return ret;
}

static bool is_right(const struct cache_sb *sb)
{
	return !memcmp(sb->magic, cache_sb_magic, sizeof(sb->magic)) &&
	       sb->csum_stored == sb->csum_computed;
}

/* What state has to be, where @was lay and @saved was put. */
static void check_state(const struct cache_sb *was, const struct cache_sb *saved,
			const struct cache_sb *now, bool force)
{
	enum cache_bdev_state state = cache_sb_bdev_state(saved);

	if (is_right(was)) {
		if (memcmp(was->uuid, now->uuid, sizeof(now->uuid)) ||
		    cache_sb_is_bdev(was) != cache_sb_is_bdev(now) ||
		    memcmp(was->set_uuid, now->set_uuid, sizeof(now->set_uuid)))
			fail("another device's superblock is replaced");
		if (was->seq != now->seq || was->last_mount != now->last_mount)
			fail("seq or last_mount is turned back");
		if (cache_sb_is_bdev(now) ? cache_sb_bdev_state(was) != cache_sb_bdev_state(now) :
		    cache_sb_is_synced(was) && !cache_sb_is_synced(now))
			fail("state is turned back");
	} else if (cache_sb_is_bdev(now)) {
		if (state == CACHE_BDEV_STATE_CLEAN || state == CACHE_BDEV_STATE_DIRTY)
			state = CACHE_BDEV_STATE_DIRTY;
		else if (!force)
			fail("whether it has a cache by now was not asked");
		if (cache_sb_bdev_state(now) != state)
			fail("dirty data is abandoned");
	}
}

/* Beside state and the checksum it is the backup's. */
static void check_bytes(const uint8_t *super, const struct cache_sb *now, const uint8_t *bytes)
{
	uint8_t want[CACHE_SB_BYTES];
	struct cache_sb sb;

	memcpy(want, super, sizeof(want));
	cache_sb_decode(super, &sb);
	sb.seq = now->seq;
	sb.last_mount = now->last_mount;
	if (cache_sb_is_bdev(&sb)) {
		uint64_t state = (uint64_t)CACHE_BDEV_STATE_MASK << CACHE_BDEV_STATE_SHIFT;

		memcpy(sb.set_uuid, now->set_uuid, sizeof(sb.set_uuid));
		sb.flags = (sb.flags & ~state) | (now->flags & state);
	}
	cache_sb_encode(&sb, want);
	if (memcmp(want, bytes, sizeof(want)))
		fail("more than state is not the backup's");
}

/* What the ring of @b, untouched, says against a backup where the superblock is lost. */
static void check_ring(const struct base *b, const struct cache_backup *backup, bool force)
{
	if (!b->nentries && !force)
		fail("nothing said that it is the device");
	if (!b->nentries)
		return;
	if (cache_sb_set_magic(&b->sb) != cache_sb_set_magic(&backup->sb)) {
		if (!force || cache_sb_is_synced(&backup->sb))
			fail("its journal is of another set");
	} else if (!cache_sb_is_synced(&backup->sb) ||
		   b->sb.bucket_sectors != backup->sb.bucket_sectors) {
		fail("its journal is of a set that has run, of another geometry");
	}
}

static void restore(const struct input *in, struct base *b, const struct cache_backup *backup)
{
	uint8_t was[CACHE_SB_BYTES], now[CACHE_SB_BYTES];
	struct cache_sb sb_was, sb_now;
	struct cache_dev *dev = overlay_dev(&b->o);
	bool touched = in->bits & WIPED, would, differs, again;
	static const uint8_t zeros[CACHE_SB_BYTES];
	int ret;

	cache_dev_read(dev, CACHE_SB_SECTOR, SB_SECTORS, was, NULL);
	if (in->bits & LOST)
		memset(was, 0, sizeof(was));
	change_super(in, THERE, was);
	cache_dev_write(dev, CACHE_SB_SECTOR, SB_SECTORS, was, NULL);
	touched |= change_journal(in, b, dev);
	for (unsigned i = 0; in->bits & WIPED && i < b->nentries; i++)
		cache_dev_write(dev, cache_jset_sector(&b->sb, &b->entry[i]), 1, zeros, NULL);
	cache_sb_decode(was, &sb_was);

	ret = put_back(&b->o, backup, in->bits, true, &would);
	if (put_back(&b->o, backup, in->bits, false, &differs) != ret || differs != would)
		fail("the dry run said something else");
	cache_dev_read(dev, CACHE_SB_SECTOR, SB_SECTORS, now, NULL);
	if (!ret) {
		cache_sb_decode(now, &sb_now);
		if (cache_sb_check(&sb_now, b->o.sectors, 512, NULL, NULL))
			fail("what was restored breaks a rule");
		check_state(&sb_was, &backup->sb, &sb_now, in->bits & FORCE);
		check_bytes(backup->super, &sb_now, now);
		if (!is_right(&sb_was) && !cache_sb_is_bdev(&sb_now) && !touched)
			check_ring(b, backup, in->bits & FORCE);
		if (put_back(&b->o, backup, in->bits, false, &again) || again)
			fail("a second time changes something");
	}
	cache_dev_close(dev);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cache_backup backup;
	struct input in;
	struct base *b;
	int fd;

	if (!size)
		return 0;
	take_input(data, size, &in);
	b = &bases[(in.bits >> 2 & 3) % NBASES];
	fd = save(&in);
	if (fd < 0)
		return 0;
	budget_start();
	if (!read_back(&in, fd, &backup))
		restore(&in, b, &backup);
	budget_end(overlay_bytes, overlay_bytes);
	close(fd);
	overlay_forget(&b->o);
	return 0;
}
