// SPDX-License-Identifier: GPL-2.0-only
/* cache-fsck: check a cache set and repair it, with the words and exit status of fsck(8). */
#include "applet.h"
#include "common.h"
#include "fsck_run.h"
#include "undo.h"

#include "base/workers.h"
#include "host/ids.h"

#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { OPT_LOSS = 0x100, OPT_DROP, OPT_DRY, OPT_SEED, OPT_GUESS, OPT_DISCARD, OPT_LOSSES, OPT_FOLD,
       OPT_KERNEL, OPT_THREADS, OPT_SLOT, OPT_UDEV };

static const struct argp_option options[] = {
	{ NULL, 'n', NULL, 0, "only look: open read-only, answer no to everything" },
	{ NULL, 'p', NULL, 0, "repair without asking, if no dirty data can be lost" },
	{ NULL, 'a', NULL, 0, "the same as -p" },
	{ NULL, 'y', NULL, 0, "repair without asking; dirty data that can be read is never dropped" },
	{ "dry-run", OPT_DRY, NULL, 0, "show what repairing would do, write nothing" },
	{ "allow-data-loss", OPT_LOSS, NULL, 0, "drop dirty data whose key cannot be right" },
	{ "guess", OPT_GUESS, NULL, 0, "use the likely value of a superblock field that nothing proves" },
	{ "drop-device", OPT_DROP, "UUID", 0, "give up the dirty data of this backing device" },
	{ "slot", OPT_SLOT, "UUID=N", 0, "give the lost slot N of the uuid table to this backing device, "
	  "which must be named too" },
	{ "clear-discard", OPT_DISCARD, NULL, 0, "switch off the discards of the cache device" },
	{ "fold-journal", OPT_FOLD, NULL, 0, "replay the journal into a new tree and leave it empty, "
	  "of a set that is clean too" },
	{ "seed", OPT_SEED, "N", 0, "seed of the random numbers in new btree nodes" },
	{ "losses", OPT_LOSSES, "FILE", 0, "write what is lost, or in doubt, to FILE as tab-separated values" },
	{ "kernel", OPT_KERNEL, CMD_KERNEL_ARG, 0, CMD_KERNEL_DOC },
	CMD_UNDO_OPTION,
	{ "force", 'f', NULL, 0, "check even a set that looks clean; every check is a full one, so this changes nothing" },
	{ "threads", OPT_THREADS, "N", 0, "check with N threads; without it, one for each processor" },
	{ "udev", OPT_UDEV, NULL, 0, "udev runs this: its own lock on the device is no conflict" },
	{ NULL, 't', NULL, 0, "say how long it took, where the time went, and how long the "
	  "kernel's next start will take" },
	CMD_PROGRESS_OPTION,
	{ }
};

static void set_mode(struct fsck_opts *o, enum fsck_mode mode, struct argp_state *state)
{
	if (o->mode != FSCK_MODE_ASK && o->mode != mode)
		argp_error(state, "only one of -n, -p (or -a) and -y may be given");
	o->mode = mode;
}

static void add_drop(struct fsck_opts *o, const char *arg, struct argp_state *state)
{
	if (o->ndrop == FSCK_DROP_MAX)
		argp_error(state, "at most %d devices can be dropped at once", FSCK_DROP_MAX);
	if (cache_uuid_parse(arg, o->drop[o->ndrop]))
		argp_error(state, "device to drop is \"%s\", expected a UUID", arg);
	o->ndrop++;
}

/* "UUID=N" */
static void add_slot(struct fsck_opts *o, const char *arg, struct argp_state *state)
{
	struct cache_repair_given_slot *g = &o->slots[o->nslots];
	char uuid[CACHE_UUID_TEXT_BYTES] = "";
	const char *number = strrchr(arg, '=');
	uint64_t index = UINT64_MAX;

	if (o->nslots == FSCK_SLOTS_MAX)
		argp_error(state, "at most %d slots can be given at once", FSCK_SLOTS_MAX);
	if (number && number - arg < CACHE_UUID_TEXT_BYTES)
		memcpy(uuid, arg, number - arg);
	if (!number || cache_uuid_parse(uuid, g->uuid) || cache_uuid_is_zero(g->uuid) ||
	    cache_number_parse(number + 1, &index) || index > UINT32_MAX)
		argp_error(state, "slot is \"%s\", expected UUID=N: a UUID and the number of a slot", arg);
	g->index = index;
	o->nslots++;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct fsck_opts *o = state->input;

	switch (key) {
	case 'n':
	case 'p':
	case 'y':
		set_mode(o, key, state);
		return 0;
	case 'a':
		set_mode(o, FSCK_MODE_PREEN, state);
		return 0;
	case 'f':
		return 0;
	case 't':
		o->timing = true;
		return 0;
	case 'C':
		o->progress_fd = cmd_arg_fd(state, arg);
		return 0;
	case OPT_LOSS:
		o->allow_data_loss = true;
		return 0;
	case OPT_GUESS:
		o->guess = true;
		return 0;
	case OPT_DISCARD:
		o->clear_discard = true;
		return 0;
	case OPT_FOLD:
		o->fold = true;
		return 0;
	case OPT_DRY:
		o->dry_run = true;
		return 0;
	case OPT_SEED:
		o->seed = cmd_arg_number(state, "seed", arg);
		return 0;
	case OPT_LOSSES:
		o->losses = arg;
		return 0;
	case OPT_THREADS:
		o->threads = cmd_arg_number(state, "threads", arg);
		if (o->threads < 1 || o->threads > CACHE_WORKERS_MAX)
			argp_error(state, "%s threads, expected 1 to %u", arg, CACHE_WORKERS_MAX);
		return 0;
	case OPT_UDEV:
		o->cmd.udev = true;
		return 0;
	case OPT_KERNEL:
		cmd_kernels_arg(&o->kernels, arg, state);
		return 0;
	case 'z':
		o->undo = arg;
		return 0;
	case OPT_SLOT:
		add_slot(o, arg, state);
		return 0;
	case OPT_DROP:
		add_drop(o, arg, state);
		return 0;
	case ARGP_KEY_ARGS:
		o->specs = state->argv + state->next;
		o->n = state->argc - state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no device given");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	options, parse, "DEV...",
	"Check a bcache cache device, and backing devices alone or with it: superblock, "
	"journal, priorities, uuid table, btree and every bucket; say what the kernel will "
	"do with the set at its next start; and repair it."
	"\vWithout -n, -p or -y it asks before it repairs. Exit status is the sum of: 0 clean, "
	"1 errors corrected, 4 errors left, 8 operational error, 16 usage, 32 cancelled."
};

static uint64_t random_seed(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	/* a number that every JSON reader can hold */
	return ((uint64_t)t.tv_sec * 1000000000 + t.tv_nsec) & ((UINT64_C(1) << 53) - 1);
}

/* Those that this process may run on. */
static unsigned processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 1;
	return CPU_COUNT(&set) < (int)CACHE_WORKERS_MAX ? CPU_COUNT(&set) : CACHE_WORKERS_MAX;
}

int cache_fsck_main(int argc, char **argv)
{
	struct fsck_opts o = { .cmd = CMD_INIT_FSCK, .progress_fd = -1, .seed = random_seed(),
			       .threads = processors() };

	cmd_parse(&o.cmd, &argp, argc, argv, 0);
	if (o.mode == FSCK_MODE_ASK && !o.dry_run && !isatty(STDIN_FILENO)) {
		cmd_fail(&o.cmd, NULL, "no terminal to ask on: give -n, -p or -y");
		return cmd_end(&o.cmd, FSCK_ERROR);
	}
	cmd_kernels_default(&o.kernels);
	cmd_kernels_say(&o.kernels, &o.cmd);
	cmd_catch_cancel();
	return cmd_end(&o.cmd, fsck_run(&o));
}
