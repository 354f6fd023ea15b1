// SPDX-License-Identifier: GPL-2.0-only
/* cache-image: a metadata-only image of a device, and back. */
#include "undo.h"

#include "applet.h"

#include "base/fd_io.h"
#include "host/probe.h"
#include "image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPT_SCRAMBLE = 0x100, OPT_SEED, OPT_FORCE };

struct opts {
	struct cmd cmd;
	const char *verb, *from, *to, *undo;
	bool restore, scramble, dry_run, force, has_seed;
	int progress_fd;
	uint64_t seed;
	char *path;			/* of the device that is saved, or restored to */
	struct cache_dev *dev, *image;
	char *made;			/* what save writes to, until it is complete */
	bool created;			/* the file we write is new, and goes if we fail */
	struct cmd_progress progress;
};

static const struct argp_option options[] = {
	{ "scramble", OPT_SCRAMBLE, NULL, 0, "save: replace UUIDs and labels, move the positions of "
	  "extents" },
	{ "seed", OPT_SEED, "N", 0, "save: of the random numbers of --scramble" },
	{ "dry-run", 'n', NULL, 0, "say how large the image would be, or what would be restored; "
	  "write nothing" },
	{ "force", OPT_FORCE, NULL, 0, "overwrite a file that is no image, or what lies on the device" },
	CMD_UNDO_OPTION,
	CMD_PROGRESS_OPTION,
	{ }
};

static void take_argument(struct opts *o, char *arg, struct argp_state *state)
{
	switch (state->arg_num) {
	case 0:
		o->restore = !strcmp(arg, "restore");
		if (!o->restore && strcmp(arg, "save"))
			argp_error(state, "expected save or restore, found \"%s\"", arg);
		o->verb = arg;
		return;
	case 1:
		o->from = arg;
		return;
	case 2:
		o->to = arg;
		return;
	default:
		argp_error(state, "\"%s\" is one argument too many", arg);
	}
}

static void check_options(const struct opts *o, struct argp_state *state)
{
	if (!o->to)
		argp_error(state, "expected save DEVICE FILE, or restore FILE DEVICE");
	if (o->restore && (o->scramble || o->has_seed))
		argp_error(state, "--scramble and --seed are for save");
	if (!o->restore && o->undo)
		argp_error(state, "-z is for restore: save writes to a new file");
	if (o->has_seed && !o->scramble)
		argp_error(state, "--seed is for --scramble");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct opts *o = state->input;

	switch (key) {
	case OPT_SCRAMBLE:
		o->scramble = true;
		return 0;
	case OPT_SEED:
		o->seed = cmd_arg_number(state, "seed", arg);
		o->has_seed = true;
		return 0;
	case OPT_FORCE:
		o->force = true;
		return 0;
	case 'n':
		o->dry_run = true;
		return 0;
	case 'z':
		o->undo = arg;
		return 0;
	case 'C':
		o->progress_fd = cmd_arg_fd(state, arg);
		return 0;
	case ARGP_KEY_ARG:
		take_argument(o, arg, state);
		return 0;
	case ARGP_KEY_END:
		check_options(o, state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static int on_progress(void *ctx, unsigned pass, uint64_t current, uint64_t max)
{
	struct opts *o = ctx;
	const char *word = pass < CACHE_IMAGE_PASS_SAVE ? "reading" : o->restore ? "restoring" :
			   "saving";

	cmd_progress(&o->progress, pass, word, current, max);
	return cmd_cancelled();
}

/* A number that every JSON reader can hold. */
static uint64_t random_seed(void)
{
	uint64_t seed = 0;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = (uint64_t)getpid();
	return seed & ((UINT64_C(1) << 53) - 1);
}

static void show_saved(struct opts *o, const struct cache_image_save *s)
{
	static const struct cache_field
		device = { "device", "device" }, file = { "file", "image" },
		dry_run = { "dry_run", NULL }, scrambled = { "scrambled", "scrambled" },
		seed = { "seed", "seed" }, frames = { "frames", "frames" },
		saved = { "saved_sectors", "metadata", CACHE_UNIT_SECTORS },
		unread = { "unreadable_sectors", "unreadable", CACHE_UNIT_SECTORS },
		bytes = { "image_bytes", "image size", CACHE_UNIT_BYTES },
		problems = { "nproblems", "findings" };
	struct cache_report *r;

	if (s->unreadable_sectors)
		cmd_warn(&o->cmd, o->path, "%" PRIu64 " sectors cannot be read, neither "
			 "from the device nor from the image", s->unreadable_sectors);
	if (o->cmd.quiet && !o->cmd.json)
		return;
	r = cmd_report(&o->cmd);
	cache_report_str(r, &device, o->path);
	cache_report_str(r, &file, o->to);
	if (cache_report_is_json(r))
		cache_report_bool(r, &dry_run, o->dry_run);
	cache_report_bool(r, &scrambled, o->scramble);
	if (o->scramble)
		cache_report_u64(r, &seed, s->seed);
	cache_report_u64(r, &problems, s->findings);
	cache_report_u64(r, &frames, s->frames);
	cache_report_u64(r, &saved, s->saved_sectors);
	cache_report_u64(r, &unread, s->unreadable_sectors);
	cache_report_u64(r, &bytes, s->file_bytes);
}

/* An older image may be replaced; anything else only with --force. */
static int may_replace(struct opts *o)
{
	struct cache_dev *old;
	bool is_image;
	struct stat st;

	if (stat(o->to, &st))
		return 0;
	if (!S_ISREG(st.st_mode))
		return cmd_fail(&o->cmd, o->to, "not a regular file: an image is not written to it");
	if (o->force)
		return 0;
	if (cache_dev_open(o->to, CACHE_DEV_READ, &old, NULL))
		return cmd_fail(&o->cmd, o->to, "is there already, not overwritten without --force");
	is_image = cache_image_is(old);
	cache_dev_close(old);
	return is_image ? 0 : cmd_fail(&o->cmd, o->to, "is there already and no image, not "
				       "overwritten without --force");
}

/*
 * A new file beside that of save, which takes its name when it is complete: an older image
 * stays until then. For a dry run something that takes everything.
 */
static int create(struct opts *o)
{
	mode_t mask;
	int fd;

	if (o->dry_run)
		return open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (may_replace(o))
		return -1;
	if (asprintf(&o->made, "%s.XXXXXX", o->to) < 0) {
		o->made = NULL;
		cmd_error(&o->cmd, o->to, -ENOMEM, NULL);
		return -1;
	}
	fd = mkostemp(o->made, O_CLOEXEC);
	if (fd < 0) {
		cmd_fail(&o->cmd, o->to, "cannot create: %s", strerror(errno));
		return -1;
	}
	o->created = true;
	mask = umask(0);
	umask(mask);
	fchmod(fd, 0666 & ~mask);
	return fd;
}

static int finish_file(struct opts *o, int fd)
{
	int ret = 0;

	if (o->dry_run)
		return close(fd) ? -errno : 0;
	if (fsync(fd))
		ret = -errno;
	if (close(fd) && !ret)
		ret = -errno;
	if (!ret && rename(o->made, o->to))
		ret = -errno;
	o->created = ret;
	return ret ? ret : cache_fd_sync_folder(o->to);
}

static int open_to_save(struct opts *o)
{
	struct cache_err err = { 0 };
	int ret;

	o->path = cmd_device(&o->cmd, o->from);
	if (!o->path)
		return EXIT_FAILED;
	ret = cache_dev_open(o->path, CACHE_DEV_READ, &o->dev, &err);
	if (ret)
		return cmd_error(&o->cmd, o->path, ret, &err);
	if (cache_image_is(o->dev))
		return cmd_fail(&o->cmd, o->path, "a metadata image already: copy it");
	if (cmd_is_foreign(&o->cmd, o->dev))
		return EXIT_FAILED;
	if (cache_probe_same(o->path, o->to))
		return cmd_fail(&o->cmd, o->to, "is the device itself");
	cmd_warn_in_use(&o->cmd, o->path);
	return 0;
}

static int save(struct opts *o)
{
	struct cache_image_save s = { .scramble = o->scramble, .seed = o->seed,
				      .progress = on_progress, .ctx = o };
	struct cache_err err = { 0 };
	int fd, ret, status = open_to_save(o);

	if (status)
		return status;
	fd = create(o);
	if (fd < 0)
		return EXIT_FAILED;
	if (o->scramble && !o->has_seed)
		s.seed = random_seed();
	cmd_progress_init(&o->progress, &o->cmd, o->path, o->progress_fd, 0);
	ret = cache_image_save(o->dev, fd, &s, &err);
	cmd_progress_end(&o->progress);
	if (ret) {
		close(fd);
		return ret == -ECANCELED ? cmd_fail(&o->cmd, o->path, "cancelled") :
					   cmd_error(&o->cmd, o->path, ret, &err);
	}
	ret = finish_file(o, fd);
	if (ret)
		return cmd_fail(&o->cmd, o->to, "cannot write the image: %s", strerror(-ret));
	show_saved(o, &s);
	return EXIT_DONE;
}

static int open_image(struct opts *o)
{
	struct cache_err err = { 0 };
	struct cache_dev *file;
	int ret = cache_dev_open(o->from, CACHE_DEV_READ, &file, &err);

	if (!ret)
		ret = cache_image_open(file, &o->image, &err);
	return ret ? cmd_error(&o->cmd, o->from, ret, &err) : 0;
}

/* What lies on the target already: shown, and then asked. */
static int may_overwrite(struct opts *o)
{
	struct cache_signature *sig = calloc(CACHE_PROBE_MAX, sizeof(*sig));
	struct cache_err err = { 0 };
	unsigned n = 0;
	int ret = sig ? cache_probe(o->dev, sig, &n, &err) : -ENOMEM;

	for (unsigned i = 0; i < n && !ret; i++) {
		cmd_put(stderr, "%s: has %s%s at byte %" PRIu64 "%s%s", o->path, sig[i].type,
			sig[i].is_table ? " partition table" : "", sig[i].offset_bytes,
			sig[i].uuid[0] ? ", uuid " : "", sig[i].uuid);
		fputc('\n', stderr);
	}
	free(sig);
	if (ret)
		return cmd_error(&o->cmd, o->path, ret, &err);
	if (!n || o->force || o->dry_run)
		return 0;
	if (!isatty(STDIN_FILENO))
		return cmd_fail(&o->cmd, o->path, "not overwritten without --force");
	return cmd_ask("Proceed anyway?") ? 0 : cmd_fail(&o->cmd, o->path, "nothing was written");
}

/* A new file of the device's size, all of it a hole. */
static int create_target(struct opts *o)
{
	uint64_t nbytes = cache_dev_sectors(o->image) * CACHE_SECTOR_BYTES;
	struct cache_err err = { 0 };
	int ret, fd = open(o->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	if (fd < 0)
		return cmd_fail(&o->cmd, o->path, "cannot create: %s", strerror(errno));
	o->created = true;
	ret = ftruncate(fd, nbytes) ? -errno : 0;
	close(fd);
	if (ret)
		return cmd_fail(&o->cmd, o->path, "cannot be made %" PRIu64 " bytes long: %s", nbytes,
				strerror(-ret));
	ret = cache_dev_open(o->path, CACHE_DEV_WRITE | CACHE_DEV_EXCL, &o->dev, &err);
	return ret ? cmd_error(&o->cmd, o->path, ret, &err) : 0;
}

static int open_target(struct opts *o)
{
	struct stat st;

	o->path = cmd_device(&o->cmd, o->to);
	if (!o->path)
		return EXIT_FAILED;
	if (stat(o->path, &st) && errno == ENOENT)
		return o->dry_run ? 0 : create_target(o);
	if (cmd_open(&o->cmd, o->path, o->dry_run, &o->dev))
		return EXIT_FAILED;
	if (cache_dev_sectors(o->dev) < cache_dev_sectors(o->image))
		return cmd_fail(&o->cmd, o->path, "has %" PRIu64 " sectors, the device that was "
				"saved %" PRIu64, cache_dev_sectors(o->dev),
				cache_dev_sectors(o->image));
	return may_overwrite(o);
}

static void show_restored(struct opts *o)
{
	static const struct cache_field
		device = { "device", "device" }, file = { "file", "image" },
		dry_run = { "dry_run", NULL }, scrambled = { "scrambled", "scrambled" },
		size = { "sectors", "device size", CACHE_UNIT_SECTORS },
		saved = { "saved_sectors", "restored", CACHE_UNIT_SECTORS },
		would = { "saved_sectors", "would restore", CACHE_UNIT_SECTORS };
	struct cache_report *r;

	cmd_warn(&o->cmd, o->path, "it has no data: attach no backing device that is needed to it");
	if (o->cmd.quiet && !o->cmd.json)
		return;
	r = cmd_report(&o->cmd);
	cache_report_str(r, &device, o->path);
	cache_report_str(r, &file, o->from);
	if (cache_report_is_json(r))
		cache_report_bool(r, &dry_run, o->dry_run);
	cache_report_bool(r, &scrambled, cache_image_is_scrambled(o->image));
	cache_report_u64(r, &size, cache_dev_sectors(o->image));
	cache_report_u64(r, o->dry_run ? &would : &saved, cache_image_saved_sectors(o->image));
}

static int restore(struct opts *o)
{
	struct cache_err err = { 0 };
	int ret = 0, status = open_image(o);

	if (!status)
		status = open_target(o);
	if (!status && o->undo && !o->created && !o->dry_run) {
		status = cmd_undo(&o->cmd, &o->dev, o->undo, 0);
		if (!status)
			cmd_undo_note(&o->cmd, o->path, o->undo, 0);
	}
	if (status)
		return status;
	cmd_progress_init(&o->progress, &o->cmd, o->path, o->progress_fd, 0);
	if (!o->dry_run)
		ret = cache_image_restore(o->image, o->dev, on_progress, o, &err);
	cmd_progress_end(&o->progress);
	if (ret == -ECANCELED)
		return cmd_fail(&o->cmd, o->path, "cancelled");
	if (ret)
		return cmd_error(&o->cmd, ret == -EBADMSG ? o->from : o->path, ret, &err);
	show_restored(o);
	return EXIT_DONE;
}

int cache_image_main(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "save DEVICE FILE\nrestore FILE DEVICE",
		"Save the metadata of a cache device, without data, in a small file for a bug report "
		"or a test; or make a device of such a file again."
		"\vcache-fsck and every applet that only reads take the file in the place of the "
		"device."
	};
	struct opts o = { .cmd = CMD_INIT, .progress_fd = -1 };
	int status;

	cmd_parse(&o.cmd, &argp, argc, argv, 0);
	cmd_catch_cancel();
	status = o.restore ? restore(&o) : save(&o);
	cache_dev_close(o.dev);
	cache_dev_close(o.image);
	if (status && o.created)
		unlink(o.restore ? o.path : o.made);
	free(o.made);
	free(o.path);
	return cmd_end(&o.cmd, status);
}
