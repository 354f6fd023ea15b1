// SPDX-License-Identifier: GPL-2.0-only
/*
 * make-cache, and make-bcache as scripts know it: format cache and backing devices.
 *
 * Called as make-bcache, stdout and exit status are those of bcache-tools 1.0.8,
 * and so are its words on stderr where scripts look for them; what lost data there
 * (options, policies and sizes that were half ignored) is an error here.
 */
#include "make_cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "applet.h"
#include "undo.h"

enum {
	OPT_CSET_UUID = 256, OPT_WRITEBACK, OPT_CACHE_MODE, OPT_DISCARD, OPT_POLICY,
	OPT_WIPE_BCACHE, OPT_FORCE, OPT_SET_SIZE, OPT_INDEX, OPT_PROGRESS_FD,
};

#define OLD_SPELLING	(OPTION_ALIAS | OPTION_HIDDEN)

static const struct argp_option options[] = {
	{ "cache", 'C', NULL, 0, "format the devices that follow as cache (the default)" },
	{ "bdev", 'B', NULL, 0, "format the devices that follow as backing devices" },
	{ "bucket", 'b', "SIZE", 0, "bucket size, a power of two; default 512k, less on a "
	  "device where the kernel would find too few of them" },
	{ "block", 'w', "SIZE", 0, "block size, a power of two up to 4k; default: the largest "
	  "that a device or the set has" },
	{ "data-offset", 'o', "SECTORS", 0, "where the data of a backing device starts, in "
	  "sectors or as a size with its unit; default 16" },
	{ "data_offset", 0, NULL, OLD_SPELLING },
	{ "label", 'l', "TEXT", 0, "label of the devices, up to 31 bytes" },
	{ "uuid", 'U', "UUID", 0, "UUID of the next device; may be given for each" },
	{ "cset-uuid", OPT_CSET_UUID, "UUID", 0, "UUID of the set to join or to make" },
	{ "cset_uuid", 0, NULL, OLD_SPELLING },
	{ "writeback", OPT_WRITEBACK, NULL, 0, "same as --cache-mode=writeback" },
	{ "cache-mode", OPT_CACHE_MODE, "MODE", 0, "of backing devices: writethrough (default), "
	  "writeback, writearound or none" },
	{ "cache_mode", 0, NULL, OLD_SPELLING },
	{ "cache-replacement-policy", OPT_POLICY, "POLICY", 0, "lru (default), fifo or random" },
	{ "cache_replacement_policy", 0, NULL, OLD_SPELLING },
	{ "discard", OPT_DISCARD, NULL, 0, "discard the cache device now and set its discard "
	  "bit; not advised" },
	{ "set-size", OPT_SET_SIZE, "N", 0, "cache devices that the set will have; newer kernels "
	  "take only one" },
	{ "set_size", 0, NULL, OLD_SPELLING },
	{ "index", OPT_INDEX, "I", 0, "number in the set of the first cache device here" },
	{ "wipe-bcache", OPT_WIPE_BCACHE, NULL, 0, "overwrite a bcache superblock without "
	  "asking" },
	{ "wipe_bcache", 0, NULL, OLD_SPELLING },
	{ "force", OPT_FORCE, NULL, 0, "overwrite whatever is there without asking" },
	{ "dry-run", 'n', NULL, 0, "check and show everything, write nothing" },
	{ "dry_run", 0, NULL, OLD_SPELLING },
	CMD_UNDO_OPTION,
	{ "progress-fd", OPT_PROGRESS_FD, "FD", 0, "write progress lines \"pass current max device\" "
	  "to FD; 0: draw a bar" },
	{ "progress_fd", 0, NULL, OLD_SPELLING },
	{ NULL, 'h', NULL, OPTION_HIDDEN },
	{ 0 }
};

static const char doc[] =
	"Format cache devices and backing devices of one bcache set."
	"\vSizes take k, m, g, t, p (base 1024), optionally with iB, and s for sectors. "
	"Every check is made over all devices before the first byte is written.";

/* make-bcache's messages if it has them, otherwise ours after the argument. */
static error_t bad(struct argp_state *state, const char *peer_words, const char *what,
		   const char *arg)
{
	const struct make *mk = state->input;

	if (mk->peer) {
		fprintf(stderr, "%s\n", peer_words);
		exit(EXIT_FAILED);
	}
	argp_error(state, "%s: '%s'", what, arg);
	return EINVAL;
}

/* In sectors. The limits of make-bcache are checked first, with its messages. */
static error_t parse_size(struct argp_state *state, const char *what, const char *arg,
			  uint64_t *sectors)
{
	const struct make *mk = state->input;
	uint64_t nbytes = 0;
	char words[64];
	const char *why = "must be a power of two";

	if (!cache_bytes_parse(arg, &nbytes) && !(nbytes & (nbytes - 1))) {
		*sectors = nbytes / CACHE_SECTOR_BYTES;
		why = *sectors ? "too large" : "too small";
		if (*sectors && (!mk->peer || *sectors <= UINT16_MAX))
			return 0;
	}
	snprintf(words, sizeof(words), "%s size %s", what, why);
	return bad(state, words, words, arg);
}

static error_t parse_offset(struct argp_state *state, const char *arg, uint64_t *sectors)
{
	if (cmd_sectors_parse(arg, sectors) || *sectors < CACHE_BDEV_DATA_START_SECTORS)
		return bad(state, "Bad data offset; minimum 16 sectors",
			   "data offset is not at least 16 sectors, a number of them or a size", arg);
	return 0;
}

static error_t parse_uuid(struct argp_state *state, const char *arg, uint8_t *uuid)
{
	uint8_t parsed[CACHE_UUID_BYTES];

	if (cache_uuid_parse(arg, parsed) || cache_uuid_is_zero(parsed))
		return bad(state, "Bad uuid", "not a uuid", arg);
	memcpy(uuid, parsed, sizeof(parsed));
	return 0;
}

static error_t parse_word(struct argp_state *state, const char *what, const char *arg,
			  const char *(*name)(unsigned), unsigned n, unsigned *value)
{
	for (*value = 0; *value < n; (*value)++)
		if (!strcmp(arg, name(*value)))
			return 0;
	return bad(state, what, what, arg);
}

static error_t parse_number(struct argp_state *state, const char *arg, unsigned *value)
{
	uint64_t number;

	if (cache_number_parse(arg, &number) || number > CACHE_MAX_CACHES_PER_SET)
		return bad(state, "Bad number", "expected a number up to 8", arg);
	*value = number;
	return 0;
}

static error_t add_device(struct argp_state *state, const char *name)
{
	struct make *mk = state->input;
	unsigned n = mk->m.ndevs;
	struct cache_mkcache_dev *devs = reallocarray(mk->m.devs, n + 1, sizeof(*devs));
	struct make_target *targets;

	if (devs)
		mk->m.devs = devs;
	targets = devs ? reallocarray(mk->targets, n + 1, sizeof(*targets)) : NULL;
	if (!targets)
		return ENOMEM;
	mk->targets = targets;
	if (mk->peer && !mk->mode)
		return bad(state, "Please specify -C or -B", "", name);

	devs[n] = (struct cache_mkcache_dev){ .is_bdev = mk->mode == 'B' };
	targets[n] = (struct make_target){ .name = name };
	mk->m.ndevs++;
	if (mk->has_uuid)
		memcpy(devs[n].uuid, mk->uuid, sizeof(mk->uuid));
	mk->has_uuid = false;
	return 0;
}

/* A -U after the only device still applies to it. */
static error_t end_of_options(struct argp_state *state)
{
	struct make *mk = state->input;

	if (!mk->m.ndevs && mk->peer) {
		fprintf(stderr, "Please supply a device\n");
		argp_state_help(state, stderr, ARGP_HELP_USAGE);
		exit(EXIT_FAILED);
	}
	if (!mk->m.ndevs)
		argp_error(state, "no device given");
	if (mk->peer && mk->m.bucket_sectors && mk->m.bucket_sectors < mk->m.block_sectors)
		return bad(state, "Bucket size cannot be smaller than block size", "", "");
	if (!mk->has_uuid)
		return 0;
	if (mk->m.ndevs != 1 || !cache_uuid_is_zero(mk->m.devs[0].uuid))
		argp_error(state, "--uuid comes before the device that it is for");
	memcpy(mk->m.devs[0].uuid, mk->uuid, sizeof(mk->uuid));
	return 0;
}

/* C0, DEL, and C1 as UTF-8 has it. */
static bool has_control(const char *text)
{
	for (const unsigned char *s = (const unsigned char *)text; *s; s++)
		if (*s < 0x20 || *s == 0x7f || (*s == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0))
			return true;
	return false;
}

/* A line break or an escape sequence in a label would be interpreted by a terminal. */
static error_t parse_label(struct argp_state *state, const char *arg)
{
	struct make *mk = state->input;

	if (!mk->peer && has_control(arg))
		argp_error(state, "label has a control character: '%s'", arg);
	mk->m.label = arg;
	return 0;
}

static error_t parse_choice(int key, char *arg, struct argp_state *state)
{
	struct make *mk = state->input;
	struct cache_mkcache *m = &mk->m;
	unsigned value = 0;
	error_t ret;

	switch (key) {
	case 'b':
		return parse_size(state, "bucket", arg, &m->bucket_sectors);
	case 'w':
		return parse_size(state, "block", arg, &m->block_sectors);
	case 'o':
		return parse_offset(state, arg, &m->data_offset_sectors);
	case OPT_CSET_UUID:
		return parse_uuid(state, arg, m->set_uuid);
	case OPT_CACHE_MODE:
		ret = parse_word(state, "unknown cache mode", arg, cache_mode_name, 4, &value);
		m->mode = value;
		return ret;
	case OPT_POLICY:
		ret = parse_word(state, "unknown replacement policy", arg,
				 cache_replacement_name, 3, &value);
		m->replacement = value;
		return ret;
	case OPT_SET_SIZE:
		ret = parse_number(state, arg, &m->set_size);
		return !ret && !m->set_size ? bad(state, "Bad number", "not a set size", arg)
					    : ret;
	case OPT_INDEX:
		return parse_number(state, arg, &m->index);
	}
	return ARGP_ERR_UNKNOWN;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct make *mk = state->input;

	switch (key) {
	case 'C': case 'B':
		mk->mode = key;
		break;
	case 'U':
		if (mk->has_uuid)
			argp_error(state, "--uuid given twice for one device");
		mk->has_uuid = true;
		return parse_uuid(state, arg, mk->uuid);
	case 'l':
		return parse_label(state, arg);
	case 'n':
		mk->dry_run = true;
		break;
	case 'z':
		mk->undo = arg;
		break;
	case OPT_WRITEBACK:
		mk->m.mode = CACHE_MODE_WRITEBACK;
		break;
	case OPT_DISCARD:
		mk->m.discard = true;
		break;
	case OPT_WIPE_BCACHE:
		mk->wipe_bcache = true;
		break;
	case OPT_FORCE:
		mk->force = true;
		break;
	case OPT_PROGRESS_FD:
		mk->progress_fd = cmd_arg_fd(state, arg);
		break;
	case 'h':
		argp_state_help(state, mk->peer ? stderr : stdout,
				ARGP_HELP_STD_HELP & ~ARGP_HELP_EXIT_OK);
		exit(mk->peer ? EXIT_FAILED : EXIT_DONE);
	case ARGP_KEY_ARG:
		return add_device(state, arg);
	case ARGP_KEY_END:
		return end_of_options(state);
	default:
		return parse_choice(key, arg, state);
	}
	return 0;
}

static int check_twice(struct make *mk, unsigned i)
{
	for (unsigned j = 0; j < i; j++)
		if (cache_probe_same(mk->targets[i].path, mk->targets[j].path))
			return cmd_fail(&mk->cmd, mk->targets[i].name, "given twice");
	return 0;
}

/* Scripts search for make-bcache's messages about these errors. */
static int open_as_peer(struct make *mk, const struct make_target *t, struct cache_dev **dev)
{
	struct cache_err err = { 0 };
	int ret;

	if (!cmd_may_write(&mk->cmd, t->path))
		return EXIT_FAILED;
	ret = cache_dev_open(t->path, CACHE_DEV_EXCL | CACHE_DEV_WRITE, dev, &err);
	if (!ret)
		return 0;
	cmd_put(stderr, "%s %s: %s", !mk->m.block_sectors && access(t->path, F_OK) ?
		"Error statting" : "Can't open dev", t->name,
		strerror(ret == -ENOTBLK ? EISDIR : -ret));
	fputc('\n', stderr);
	return EXIT_FAILED;
}

static int open_dev(struct make *mk, const struct make_target *t, struct cache_dev **dev)
{
	if (mk->peer && !mk->dry_run)
		return open_as_peer(mk, t, dev);
	return cmd_open(&mk->cmd, t->path, mk->dry_run, dev) ? EXIT_FAILED : 0;
}

static int open_target(struct make *mk, unsigned i)
{
	struct make_target *t = &mk->targets[i];
	struct cache_err err = { 0 };
	int ret;

	t->path = cmd_device(&mk->cmd, t->name);
	if (!t->path)
		return EXIT_FAILED;
	t->name = t->path;
	if (check_twice(mk, i) || open_dev(mk, t, &mk->m.devs[i].dev))
		return EXIT_FAILED;
	t->sig = calloc(CACHE_PROBE_MAX, sizeof(*t->sig));
	if (!t->sig)
		return cmd_error(&mk->cmd, t->name, -ENOMEM, NULL);
	ret = cache_probe(mk->m.devs[i].dev, t->sig, &t->nsig, &err);
	return ret ? cmd_error(&mk->cmd, t->name, ret, &err) : 0;
}

static void on_note(void *ctx, bool warning, const char *device, const char *text)
{
	const struct make *mk = ctx;
	const char *name = device[0] ? device : NULL;

	if (warning)
		cmd_warn(&mk->cmd, name, "%s", text);
	else
		cmd_note(&mk->cmd, 0, "%s%s%s", device, name ? ": " : "", text);
}

/* Ctrl-C ends the process at once, which leaves no bcache device, never half of one. */
static int on_progress(void *ctx, unsigned pass, uint64_t current, uint64_t max)
{
	struct make *mk = ctx;

	cmd_progress(&mk->progress, pass, pass == CACHE_MKCACHE_PASS_WIPE ? "erasing" :
		     cmd_pass_name(pass), current, max);
	return 0;
}

void make_progress_begin(struct make *mk, unsigned i)
{
	cmd_progress_init(&mk->progress, &mk->cmd, mk->targets[i].path, mk->progress_fd, 0);
}

static int plan(struct make *mk)
{
	struct cache_err err = { 0 };
	int ret;

	mk->m.size = sizeof(mk->m);
	mk->m.note = on_note;
	mk->m.progress = mk->peer ? NULL : on_progress;
	mk->m.ctx = mk;
	mk->m.like_peer = mk->peer;
	ret = cache_mkcache_plan(&mk->m, &err);
	if (!ret)
		return 0;
	if (!mk->peer)
		return cmd_error(&mk->cmd, NULL, ret, &err);
	cmd_put(stderr, "%s", cache_err_text(&err, ret));
	fputc('\n', stderr);
	return EXIT_FAILED;
}

static int save_all(struct make *mk)
{
	for (unsigned i = 0; mk->undo && i < mk->m.ndevs; i++) {
		int status = cmd_undo(&mk->cmd, &mk->m.devs[i].dev, mk->undo, i);

		while (status && i--)
			cmd_undo_forget(mk->undo, i);
		if (status)
			return status;
	}
	for (unsigned i = 0; mk->undo && i < mk->m.ndevs; i++)
		cmd_undo_note(&mk->cmd, mk->targets[i].path, mk->undo, i);
	return 0;
}

static int write_all(struct make *mk)
{
	for (unsigned i = 0; i < mk->m.ndevs; i++) {
		struct cache_err err = { 0 };
		int ret;

		make_progress_begin(mk, i);
		ret = cache_mkcache_write(&mk->m, i, &err);
		cmd_progress_end(&mk->progress);
		if (ret)
			return cmd_error(&mk->cmd, NULL, ret, &err);
	}
	return 0;
}

static int run(struct make *mk)
{
	int status = 0;

	for (unsigned i = 0; i < mk->m.ndevs && !status; i++)
		status = open_target(mk, i);
	if (!status)
		status = plan(mk);
	if (!status)
		status = make_ask(mk);
	if (!status && !mk->dry_run)
		status = save_all(mk);
	if (!status && !mk->dry_run)
		status = write_all(mk);
	if (!status)
		make_show(mk);
	return status;
}

static void fini(struct make *mk)
{
	for (unsigned i = 0; i < mk->m.ndevs; i++) {
		cache_dev_close(mk->m.devs[i].dev);
		free(mk->targets[i].path);
		free(mk->targets[i].sig);
		free(mk->targets[i].dirty);
	}
	free(mk->m.devs);
	free(mk->targets);
}

int make_cache_main(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "[-C] DEVICE\n-B DEVICE...\n-C DEVICE -B DEVICE...", doc
	};
	const char *slash = strrchr(argv[0], '/');
	struct make mk = { .cmd = CMD_INIT, .progress_fd = -1 };
	int status;

	mk.peer = !strcmp(slash ? slash + 1 : argv[0], "make-bcache");
	if (mk.peer)
		mk.cmd.usage_status = EXIT_FAILED;
	cmd_parse(&mk.cmd, &argp, argc, argv, ARGP_IN_ORDER);
	status = run(&mk);
	fini(&mk);
	return cmd_end(&mk.cmd, status);
}
