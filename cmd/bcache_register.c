// SPDX-License-Identifier: GPL-2.0-only
/*
 * bcache-register: gives a device to the kernel, unless its start would hang, panic or disable the
 * set. udev runs it for every bcache device, in the initramfs too; so it ends in bounded time,
 * whatever is on the device, and prints one line if it did not register it.
 */
#include "bcache_register.h"

#include "applet.h"

#include "host/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPT_ROOT = 0x100, OPT_KMSG, OPT_KERNEL };

static const struct argp_option options[] = {
	{ "dry-run", 'n', NULL, 0, "check and say what would be done, register nothing" },
	{ "force", 'f', NULL, 0, "register without a check" },
	{ "kmsg", OPT_KMSG, NULL, 0, "send messages to the kernel's log too, as udev does not show them" },
	{ "kernel", OPT_KERNEL, CMD_KERNEL_ARG, 0, CMD_KERNEL_DOC },
	{ "root", OPT_ROOT, "DIR", 0, "look for /sys, /etc, /run and /dev/kmsg in DIR" },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct registration *r = state->input;

	switch (key) {
	case 'n':
		r->dry_run = true;
		return 0;
	case 'f':
		r->force = true;
		return 0;
	case OPT_KMSG:
		r->kmsg = true;
		return 0;
	case OPT_ROOT:
		r->root = arg;
		return 0;
	case OPT_KERNEL:
		cmd_kernels_arg(&r->kernels, arg, state);
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num)
			argp_error(state, "takes exactly one device, found \"%s\" too", arg);
		r->spec = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no device given");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	options, parse, "DEV",
	"Register a bcache device with the kernel, after a look at it: what would hang, panic or "
	"disable the set at its start is not registered."
	"\vA device that is registered already is left alone. " REGISTER_CONFIG " has the settings. "
	"Exit status: 0 registered, now or before; 1 not registered."
};

static void on_config(void *ctx, const char *text)
{
	register_warn(ctx, "%s; the default is used", text);
}

/* Whether a device is not registered if this is what the kernel would do with it. */
static bool is_refused(void *ctx, enum cache_verdict v)
{
	const struct register_config *c = ctx;

	switch (v) {
	case CACHE_VERDICT_HANGS:
	case CACHE_VERDICT_DISABLES:
	case CACHE_VERDICT_PANICS:
		return true;
	case CACHE_VERDICT_MAY_HANG:
		return c->refuse_may_hang;
	default:
		/* what the kernel refuses by itself does no harm */
		return false;
	}
}

/* MAY_HANG is the result only at the end of the check: a worse one may follow. */
static bool is_enough(void *ctx, enum cache_verdict v)
{
	return v != CACHE_VERDICT_MAY_HANG && is_refused(ctx, v);
}

static const char *deed(enum cache_verdict v)
{
	switch (v) {
	case CACHE_VERDICT_HANGS:
		return "the kernel would hang at its start";
	case CACHE_VERDICT_MAY_HANG:
		return "the kernel may hang at its start";
	case CACHE_VERDICT_PANICS:
		return "the kernel would panic";
	case CACHE_VERDICT_REFUSES:
		return "the kernel will refuse it";
	case CACHE_VERDICT_DAMAGE:
		return "the kernel will start the set, but may return wrong data";
	default:
		return "the kernel would disable the set";
	}
}

static void look(struct registration *r)
{
	register_check(r->path, &r->kernels, r->config.seconds, is_enough, &r->config, &r->found);
	r->checked = r->found.state == REGISTER_CHECKED;
	r->refused = (r->checked || r->found.state == REGISTER_TOO_SLOW) &&
		     is_refused(&r->config, r->found.verdict);
	if (r->checked || r->refused)
		register_remember(r);
	else if (r->found.state == REGISTER_TOO_SLOW || r->found.state == REGISTER_NOT_CHECKED)
		/* a busy machine later in the boot is no reason to give the kernel what hangs it */
		r->refused = register_recall(r) && is_refused(&r->config, r->found.verdict);
}

static int refuse(struct registration *r)
{
	return register_fail(r, "not registered: %s: %s; look with: cache-fsck -n %s; repair with: "
		    "cache-fsck -p %s; then: bcache-register %s", deed(r->found.verdict),
		    r->found.text, r->path, r->path, r->path);
}

/* 0: go on. */
static int check(struct registration *r)
{
	look(r);
	if (r->refused && r->config.repair && !r->dry_run) {
		register_repair(r);
		if (r->repaired)
			look(r);
	}
	if (r->refused)
		return refuse(r);
	switch (r->found.state) {
	case REGISTER_NO_BCACHE:
		return register_fail(r, "not registered: it has no superblock of bcache");
	case REGISTER_NOT_OPENED:
		return register_fail(r, "not registered: %s", r->found.text);
	case REGISTER_NOT_CHECKED:
		register_warn(r, "registered without a check, which failed: %s", r->found.text);
		return 0;
	case REGISTER_TOO_SLOW:
		register_warn(r, "registered without a check, which took longer than %u s",
		     r->config.seconds);
		return 0;
	case REGISTER_CHECKED:
		break;
	}
	if (r->found.verdict != CACHE_VERDICT_STARTS)
		register_warn(r, "%s: %s", deed(r->found.verdict), r->found.text);
	return 0;
}

/* 1: it is registered already. */
static int ask_holder(struct registration *r)
{
	char sysfs[PATH_MAX], text[512];
	struct cache_holder holder;
	int ret = cache_probe_holder(register_path(r, "/sys", sysfs), r->path, &holder);

	if (ret < 0)
		return register_fail(r, "not registered: %s", strerror(-ret)), ret;
	if (!ret)
		return 0;
	if (holder.bcache && !holder.part[0]) {
		cmd_note(&r->cmd, 1, "%s: registered already", r->path);
		return 1;
	}
	cache_holder_text(&holder, r->path, text, sizeof(text));
	register_fail(r, "not registered: %s", text);
	return -EBUSY;
}

static int give(struct registration *r)
{
	char file[PATH_MAX], line[PATH_MAX + 2];

	if (r->dry_run)
		return EXIT_DONE;
	snprintf(line, sizeof(line), "%s\n", r->path);
	if (register_write(register_path(r, "/sys/fs/bcache/register", file), 0, line)) {
		r->registered = true;
		if (r->checked && r->found.verdict == CACHE_VERDICT_STARTS && !r->repaired)
			register_forget(r);
		return EXIT_DONE;
	}
	return register_fail(r, "not registered: the kernel says: %s; more is in its log", strerror(errno));
}

static int run(struct registration *r)
{
	char file[PATH_MAX];
	int ret = ask_holder(r);

	if (ret) {
		r->registered = ret > 0;
		return ret > 0 ? EXIT_DONE : EXIT_FAILED;
	}
	if (access(register_path(r, "/sys/fs/bcache/register", file), F_OK) && !r->dry_run)
		return register_fail(r, "not registered: the kernel has no bcache: load the module with: "
			    "modprobe bcache");
	register_config_read(&r->config, register_path(r, REGISTER_CONFIG, file), on_config, r);
	if (!r->force && r->config.check && check(r))
		return EXIT_FAILED;
	return give(r);
}

static void show(struct registration *r)
{
	static const struct cache_field device = { "device", NULL, CACHE_UNIT_TEXT },
		kernel = { "kernel", NULL, CACHE_UNIT_TEXT }, reason = { "reason", NULL, CACHE_UNIT_TEXT };
	const struct { struct cache_field f; bool value; } flags[] = {
		{ { "registered", NULL, CACHE_UNIT_TEXT }, r->registered },
		{ { "refused", NULL, CACHE_UNIT_TEXT }, r->refused },
		{ { "checked", NULL, CACHE_UNIT_TEXT }, r->checked },
		{ { "repaired", NULL, CACHE_UNIT_TEXT }, r->repaired },
	};
	struct cache_report *out = cmd_report(&r->cmd);

	cache_report_str(out, &device, r->path);
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		cache_report_bool(out, &flags[i].f, flags[i].value);
	if (r->checked || r->refused)
		cache_report_str(out, &kernel, cache_verdict_name(r->found.verdict));
	else
		cache_report_null(out, &kernel);
	if (r->found.text[0])
		cache_report_str(out, &reason, r->found.text);
	else
		cache_report_null(out, &reason);
}

int bcache_register_main(int argc, char **argv)
{
	struct registration r = { .cmd = CMD_INIT, .root = "" };
	int status = EXIT_FAILED;

	cmd_parse(&r.cmd, &argp, argc, argv, 0);
	cmd_kernels_default(&r.kernels);
	r.path = cmd_device(&r.cmd, r.spec);
	if (r.path) {
		status = run(&r);
		if (r.cmd.json && (!status || r.refused))
			show(&r);
	}
	free(r.path);
	return cmd_end(&r.cmd, status);
}
