/* SPDX-License-Identifier: GPL-2.0-only */
/* One call of bcache-register: its options, its messages and its result. */
#ifndef CMD_BCACHE_REGISTER_H
#define CMD_BCACHE_REGISTER_H

#include "common.h"
#include "kernels.h"
#include "register_check.h"
#include "register_config.h"

#include <limits.h>

struct registration {
	struct cmd cmd;
	struct cmd_kernels kernels;
	struct register_config config;
	const char *spec, *root;
	bool dry_run, force, kmsg;
	char *path;
	/* the result */
	bool registered, refused, repaired, checked;
	struct register_result found;
};

/* @path below the folder of --root, in @buf. */
const char *register_path(const struct registration *r, const char *path, char buf[PATH_MAX]);
/* One write(2) of a whole line; false with errno. */
bool register_write(const char *path, int flags, const char *line);

/*
 * One line on stderr, and with --kmsg in the kernel's log, unless it is the last that was said
 * there of this device: a device has several events in one boot.
 */
void register_warn(struct registration *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The same for an error. Returns EXIT_FAILED. */
int register_fail(struct registration *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The next message about this device is sent to the kernel's log even if it is the last one. */
void register_forget(const struct registration *r);
/* Until the next boot: what was found, if it is refused; that it is not, if not. */
void register_remember(const struct registration *r);
/* True with the verdict and text of an earlier refusal of this boot in @r->found. */
bool register_recall(struct registration *r);

/* Runs cache-fsck -p, with an undo file in /run/cache-tools; sets @r->repaired. */
void register_repair(struct registration *r);

#endif
