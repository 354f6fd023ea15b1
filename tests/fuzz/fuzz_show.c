// SPDX-License-Identifier: GPL-2.0-only
/*
 * What people and programs are shown of a damaged image: each applet that reads one, as text, as
 * table and as JSON. The input:
 *
 *	byte 0	bits 0-2 which image, 3 a label of the superblock and of a uuid slot from the
 *		bytes that follow the changes, 4 the locale: C or C.UTF-8
 *	byte 1	which call of which applet
 *	then 8 bytes a change, as fuzz_image.c has them
 *
 * What must hold: no crash, no over-read; nothing reaches a terminal that is no text of the
 * locale or moves a cursor; JSON is one document; looking writes nothing.
 */
#include "budget.h"
#include "damage.h"

#include <json-c/json.h>
#include <locale.h>
#include <sys/stat.h>

#include "applet.h"
#include "base/utf8.h"
#include "disk/uuids.h"
#include "target.h"

static const char *const names[] = {
	"registered.cache", "churn-lru.cache", "ring-full.cache", "flash-73.cache",
};
#define NIMAGES (sizeof(names) / sizeof(*names))

static struct base bases[NIMAGES];
static char paths[NIMAGES][32];
static int fds[NIMAGES];


/* In the place of main.c: no other applet is called, and none is asked for. */
const struct applet *applet_list(unsigned *count)
{
	*count = 0;
	return NULL;
}

const struct applet *applet_find(const char *name)
{
	return NULL;
}

static const struct call {
	int (*main)(int argc, char **argv);
	const char *argv[5];		/* before the device */
} calls[] = {
	{ cache_super_show_main, { "cache-super-show", "-a" } },
	{ cache_super_show_main, { "cache-super-show", "--json" } },
	{ cache_super_show_main, { "bcache-super-show", "-f" } },
	{ cache_show_uuids_main, { "cache-show-uuids", "-a" } },
	{ cache_show_uuids_main, { "cache-show-uuids", "--json", "-a" } },
	{ cache_show_keys_main, { "cache-show-keys" } },
	{ cache_show_keys_main, { "cache-show-keys", "--raw", "--json" } },
	{ cache_show_keys_main, { "cache-show-keys", "--stale", "--tsv" } },
	{ cache_show_keys_main, { "cache-show-keys", "--nodes" } },
	{ cache_show_keys_main, { "cache-show-keys", "--raw", "--bytes" } },
	{ cache_show_keys_main, { "cache-show-keys", "--owner", "40" } },
	{ cache_show_keys_main, { "cache-show-keys", "--owner", "5000s", "--json" } },
	{ cache_show_journal_main, { "cache-show-journal" } },
	{ cache_show_journal_main, { "cache-show-journal", "-k" } },
	{ cache_show_journal_main, { "cache-show-journal", "-k", "--json" } },
	{ cache_show_prios_main, { "cache-show-prios" } },
	{ cache_show_prios_main, { "cache-show-prios", "-a" } },
	{ cache_show_prios_main, { "cache-show-prios", "--json", "--raw" } },
	{ cache_show_prios_main, { "cache-show-prios", "--recovered" } },
	{ cache_fsck_main, { "cache-fsck", "-n" } },
	{ cache_fsck_main, { "cache-fsck", "-n", "-v", "--kernel=5.10" } },
	{ cache_fsck_main, { "cache-fsck", "-n", "--json", "-v" } },
	{ cache_fsck_main, { "cache-fsck", "-y", "--dry-run", "--json", "--seed=1" } },
	{ cache_fsck_main, { "cache-fsck", "-p", "--dry-run", "--seed=1" } },
	{ cache_alloc_main, { "cache-alloc", "-c", "20", "--seed=1" } },
	{ cache_alloc_main, { "cache-alloc", "-c9", "--json", "--seed=1" } },
};
#define NCALLS (sizeof(calls) / sizeof(*calls))

/* Everything is in a file, since applets open devices by name. */
static void copy(struct base *b, unsigned i)
{
	uint64_t nbytes = b->o.sectors * CACHE_SECTOR_BYTES;

	fds[i] = memfd_create(names[i], MFD_CLOEXEC);
	snprintf(paths[i], sizeof(paths[i]), "/proc/self/fd/%d", fds[i]);
	if (fds[i] < 0 || ftruncate(fds[i], nbytes))
		abort();
	for (uint64_t at = 0; at < nbytes; at += CACHE_PAGE_BYTES)
		if (memcmp(b->o.base + at, b->o.base + at + 1, CACHE_PAGE_BYTES - 1) || b->o.base[at])
			if (pwrite(fds[i], b->o.base + at, CACHE_PAGE_BYTES, at) !=
			    CACHE_PAGE_BYTES)
				abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	/* one process for all inputs */
	setenv("CACHE_TOOLS_UNCONFINED", "1", 1);
	for (unsigned i = 0; i < NIMAGES; i++) {
		learn(&bases[i], names[i]);
		copy(&bases[i], i);
	}
	return 0;
}

/* The sectors that the changes touched, as they are in the overlay now. */
static void carry_over(const struct base *b, int fd)
{
	for (uint32_t i = 0; i < b->o.nwrites; i++) {
		uint64_t at = b->o.write[i].sector * CACHE_SECTOR_BYTES;
		uint64_t n = b->o.write[i].n * CACHE_SECTOR_BYTES;

		if (pwrite(fd, b->o.base + at, n, at) != (ssize_t)n)
			abort();
	}
}

static void put_labels(struct base *b, const uint8_t *data, size_t size)
{
	uint8_t super[CACHE_SB_BYTES], sector[CACHE_SECTOR_BYTES];
	struct cache_sb_disk *d = (void *)super;
	struct cache_uuid_disk *slot = (void *)sector;
	struct cache_dev *dev = overlay_dev(&b->o);

	cache_dev_read(dev, CACHE_SB_SECTOR, 8, super, NULL);
	memcpy(d->label, data, size < sizeof(d->label) ? size : sizeof(d->label));
	d->csum = cache_le64_of(cache_sb_csum(super));
	cache_dev_write(dev, CACHE_SB_SECTOR, 8, super, NULL);
	cache_dev_read(dev, b->uuid_sector, 1, sector, NULL);
	memcpy(slot->label, data, size < sizeof(slot->label) ? size : sizeof(slot->label));
	slot->uuid[0] |= 1;
	cache_dev_write(dev, b->uuid_sector, 1, sector, NULL);
	cache_dev_close(dev);
}

static void fail(const struct call *c, const char *what, const char *text, size_t n)
{
	fprintf(stderr, "%s %s: %s:\n", c->argv[0], c->argv[1] ? c->argv[1] : "", what);
	fwrite(text, 1, n, stderr);
	abort();
}

static void check_text(const struct call *c, char *text, size_t n, bool ascii)
{
	char *clean;

	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\n' || text[i] == '\t')
			text[i] = ' ';
		if (!text[i] || (ascii && text[i] & 0x80))
			fail(c, "a byte that is no text", text, n);
	}
	clean = cache_utf8_clean(text, ascii ? CACHE_UTF8_ASCII : CACHE_UTF8_ESCAPE);
	if (!clean || strcmp(clean, text))
		fail(c, "what a terminal must not get", text, n);
	free(clean);
}

static void check_json(const struct call *c, const char *text, size_t n)
{
	struct json_tokener *tok = json_tokener_new();
	struct json_object *doc;

	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	doc = json_tokener_parse_ex(tok, text, n);
	if (!doc)
		fail(c, json_tokener_error_desc(json_tokener_get_error(tok)), text, n);
	json_object_put(doc);
	json_tokener_free(tok);
}

static void call(const struct call *c, char *path, bool ascii)
{
	FILE *out = stdout, *err = stderr;
	char *text = NULL, *talk = NULL;
	size_t ntext = 0, ntalk = 0;
	bool json = false;
	char *argv[8] = { 0 };
	int argc = 0;

	for (; argc < 5 && c->argv[argc]; argc++) {
		argv[argc] = (char *)c->argv[argc];
		json |= !strcmp(argv[argc], "--json");
	}
	argv[argc++] = path;
	setlocale(LC_ALL, ascii ? "C" : "C.UTF-8");
	stdout = open_memstream(&text, &ntext);
	stderr = open_memstream(&talk, &ntalk);
	optind = 0;
	c->main(argc, argv);
	fclose(stdout);
	fclose(stderr);
	stdout = out;
	stderr = err;
	if (json)
		check_json(c, text, ntext);
	check_text(c, text, ntext, ascii && !json);
	check_text(c, talk, ntalk, ascii);
	free(text);
	free(talk);
}

/*
 * What a call costs on the image without damage, in ns of processor time, measured once: on a
 * machine with other work that alone may be more than the bytes account for.
 */
static uint64_t sound_ns(unsigned image, unsigned which)
{
	static uint64_t ns[NIMAGES][NCALLS];
	uint64_t *cost = &ns[image][which], started = budget_now_ns();

	if (&fuzz_is_replay)
		return 0;
	if (!*cost) {
		call(&calls[which], paths[image], false);
		*cost = budget_now_ns() - started;
	}
	return *cost;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct timespec before, after;
	uint64_t nbytes, sound;
	unsigned i, which;
	struct stat st;
	struct base *b;

	if (size < 2)
		return 0;
	i = (data[0] & 7) % NIMAGES;
	which = data[1] % NCALLS;
	sound = sound_ns(i, which);
	b = &bases[i];
	overlay_forget(&b->o);
	if (data[0] & 8 && size > 34)
		put_labels(b, data + 2, 32);
	damage(b, data + (data[0] & 8 && size > 34 ? 34 : 2),
	       size - (data[0] & 8 && size > 34 ? 34 : 2));
	carry_over(b, fds[i]);
	if (fstat(fds[i], &st))
		abort();
	before = st.st_mtim;
	nbytes = b->o.sectors * CACHE_SECTOR_BYTES;
	budget_start();
	call(&calls[which], paths[i], data[0] & 16);
	/* metadata is half of the image at most in these */
	budget_end_beside(nbytes / 8, nbytes, 2 * sound);
	if (fstat(fds[i], &st))
		abort();
	after = st.st_mtim;
	if (before.tv_sec != after.tv_sec || before.tv_nsec != after.tv_nsec)
		fail(&calls[which], "looking wrote", "", 0);
	madvise(b->o.base, nbytes, MADV_DONTNEED);
	carry_over(b, fds[i]);
	return 0;
}
