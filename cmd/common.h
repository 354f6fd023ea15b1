/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What all applets share: options, words, errors, the report, progress, Ctrl-C.
 *
 *	struct opts { struct cmd cmd; ... };	cmd comes first
 *
 *	struct opts o = { .cmd = CMD_INIT };
 *	cmd_parse(&o.cmd, &argp, argc, argv, 0);	parser input: &o
 *	...
 *	return cmd_end(&o.cmd, status);
 */
#ifndef CMD_COMMON_H
#define CMD_COMMON_H

#include "exit.h"
#include <libcache/error.h>
#include "base/human.h"
#include "dev/dev.h"
#include "report/report.h"

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct cmd {
	const char *name;	/* the name we were called by */
	bool	    quiet;
	unsigned    verbose;
	bool	    json;
	bool	    bytes;
	bool	    udev;		/* cmd_open(): udev, which runs the program, has locked the device */
	int	    usage_status;	/* exit status of a usage error */
	struct cache_report *report;	/* opened by cmd_report() */
};

#define CMD_INIT	{ .usage_status = EXIT_USAGE }
#define CMD_INIT_FSCK	{ .usage_status = FSCK_USAGE }

/*
 * The first thing that a process does. If descriptor 1 or 2 is closed, a device that is opened
 * would get that number and receive messages: so each closed one of 0 to 2 is opened for
 * something that fails when it is used. The locale tells which characters a terminal can show.
 */
void cmd_start(void);

/*
 * Parse the command line; usage errors, --help and --version end the process.
 * @argp needs no children of its own; @flags are argp's (ARGP_IN_ORDER ...).
 */
void cmd_parse(struct cmd *c, const struct argp *argp, int argc, char **argv,
	       unsigned flags);

/* Helpers for argp parsers: a value that does not parse is a usage error. */
uint64_t cmd_arg_bytes(const struct argp_state *state, const char *what, const char *arg);
uint64_t cmd_arg_number(const struct argp_state *state, const char *what, const char *arg);
/* A number that may be followed by k, m, g, t or p, each 1024 times more. */
uint64_t cmd_arg_count(const struct argp_state *state, const char *what, const char *arg);
/* Of -C: 0, or a descriptor that the caller of this process has open for writing. */
int cmd_arg_fd(const struct argp_state *state, const char *arg);

/*
 * A position or length in sectors: a number of sectors, or a size with a unit ("2048s", "1m")
 * that is a whole number of sectors. Return: 0 or -EINVAL.
 */
int cmd_sectors_parse(const char *arg, uint64_t *sectors);

/* The number below @n whose name is @arg; anything else is a usage error. */
unsigned cmd_arg_name(const struct argp_state *state, const char *what, const char *arg,
		      const char *(*name)(unsigned), unsigned n);

/* The report on stdout, as text or JSON; opened once. Never NULL. */
struct cache_report *cmd_report(struct cmd *c);

/* Finish the report and stdout. Returns @status, or EXIT_FAILED (FSCK_ERROR bit set
 * for cache-fsck) when the result could not be written; a closed pipe is silent. */
int cmd_end(struct cmd *c, int status);

/* "applet: device: message" on stderr, or "error" in the JSON document. @device and
 * @err may be NULL. Returns EXIT_FAILED. */
int cmd_error(struct cmd *c, const char *device, int code, const struct cache_err *err);

/* The same with a text of its own. */
int cmd_fail(struct cmd *c, const char *device, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same with a code and a sector (0: none) for the JSON document. */
void cmd_fail_with(struct cmd *c, const char *device, int code, uint64_t sector,
		   const char *text);

/*
 * One line, or a part of one, on stdout or stderr that may contain text from a device or a
 * command line: characters that are unsafe for a terminal are escaped, also newlines.
 */
void cmd_put(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Messages on stderr: warnings unless -q; notes with -v (level 1) or -vv (2). */
void cmd_warn(const struct cmd *c, const char *device, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void cmd_note(const struct cmd *c, unsigned level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * A new seed of 32 bits, for a user who gave none; 0, with a warning, if the system gives no random
 * number.
 */
uint64_t cmd_random_seed(const struct cmd *c);

/*
 * The path of a device named by path, UUID= or LABEL=; the caller frees it. The label may also
 * be one in the uuid table of a cache. NULL after an error was printed.
 */
char *cmd_device(struct cmd *c, const char *spec);

/* For applets that read: warns that the content of a device in use may be stale. */
void cmd_warn_in_use(const struct cmd *c, const char *path);

/*
 * For those that only look, once everything they need is open: from then on no file can be opened
 * by its path, no program started, and no capability is left, as far as the kernel can see to
 * that. CACHE_TOOLS_UNCONFINED in the environment leaves it out, for debugging.
 */
void cmd_confine(void);

/*
 * For applets that write: false, with an error that names the holder and how to release the
 * device, when the kernel's bcache driver, a mount or another holder has it.
 */
bool cmd_may_write(struct cmd *c, const char *path);

/**
 * cmd_open() - open a device as a writing applet does
 * @dry_run: read-only, with all the checks of a write: it is not in use and can be written
 *
 * Return: 0, or a negative errno after an error was printed.
 */
int cmd_open(struct cmd *c, const char *path, bool dry_run, struct cache_dev **dev);

/**
 * cmd_open_source() - open a device whose data is copied, to read
 * @look: nothing is copied, so a device in use is only warned of. Otherwise it is opened exclusively:
 *	  what changes meanwhile would be copied as a mixture
 *
 * Return: 0, or a negative errno after an error was printed.
 */
int cmd_open_source(struct cmd *c, const char *path, bool look, struct cache_dev **dev);

/* Open a device, or a metadata image of one in its place, to read. As cache_dev_open(). */
int cmd_open_to_read(const char *path, struct cache_dev **dev, struct cache_err *err);

/* True, with an error that names it, when there is something else on the device and no bcache. */
bool cmd_is_foreign(struct cmd *c, struct cache_dev *dev);

/* Asks y/N on the terminal; false without one. @prompt ends without " (y/N) ". */
bool cmd_ask(const char *prompt);

/* From now on Ctrl-C, SIGTERM and SIGHUP only set a flag; a second one kills. */
void cmd_catch_cancel(void);
bool cmd_cancelled(void);

/*
 * Progress of long work: a bar on stderr when it is a terminal, or "pass current max device"
 * lines to a file descriptor (-C FD). As in e2fsck, -C 0 asks for the bar, with -q and --json
 * too.
 */
struct cmd_progress {
	const char *device;
	int	    fd;		/* of -C, for lines; -1: none */
	bool	    bar;
	uint64_t    unit_bytes;	/* of one step; 0: steps have no size */
	unsigned    pass;
	unsigned    permille;	/* last shown */
	uint64_t    start_ns, shown_ns;
};

/* For the options of an applet; cmd_arg_fd(), or show_parse_device(), reads its value. */
#define CMD_PROGRESS_OPTION \
	{ NULL, 'C', "FD", 0, "write progress lines \"pass current max device\" to FD; 0: draw a bar" }

/* One word for people, of a pass of loading, checking or repairing. */
const char *cmd_pass_name(unsigned pass);

void cmd_progress_init(struct cmd_progress *p, const struct cmd *c, const char *device,
		       int fd, uint64_t unit_bytes);
/* Cheap enough to be called often. @pass counts from 1; @what is one word for people. */
void cmd_progress(struct cmd_progress *p, unsigned pass, const char *what,
		  uint64_t current, uint64_t max);
/* The next steps may be of another size and device: where they are, the bar so far is removed. */
void cmd_progress_switch(struct cmd_progress *p, const char *device, uint64_t unit_bytes);
/* Removes the bar. */
void cmd_progress_end(struct cmd_progress *p);

#endif
