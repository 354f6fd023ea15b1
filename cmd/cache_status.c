// SPDX-License-Identifier: GPL-2.0-only
/* cache-status: what the running caches of this machine do. */
#include "applet.h"
#include "bcache_status.h"
#include "new_file.h"
#include "status_devices.h"
#include "status_pick.h"
#include "status_show.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECONDS_MAX	86400

enum { OPT_PROMETHEUS = 1, OPT_TEXTFILE, OPT_PREFIX, OPT_PRIORITIES, OPT_SYSFS, OPT_DEVICES };

struct opts {
	struct cmd cmd;
	const char *sysfs, *textfile, *prefix;
	const char *devices;		/* the folder that they are in; NULL: none is opened */
	bool prometheus, priorities;
	uint64_t seconds, count;	/* of --watch; 0: once, for ever */
	char **picked;			/* devices and sets, as typed */
	unsigned npicked;
};

static const struct argp_option options[] = {
	{ "watch", 'w', "S", 0, "show every S seconds what happened meanwhile" },
	{ "count", 'c', "N", 0, "with --watch: end after N times" },
	{ "priorities", OPT_PRIORITIES, NULL, 0,
	  "read priority_stats too, for which the driver sorts all buckets" },
	{ "devices", OPT_DEVICES, "DIR", OPTION_ARG_OPTIONAL,
	  "read from the cache devices, in DIR or /dev, what is free of the journal and how far gens "
	  "are ahead" },
	{ "prometheus", OPT_PROMETHEUS, NULL, 0, "metrics in the text format of Prometheus" },
	{ "textfile", OPT_TEXTFILE, "FILE", 0,
	  "write them to FILE, which has the old or the new ones at any time" },
	{ "metric-prefix", OPT_PREFIX, "PREFIX", 0,
	  "begin their names with PREFIX, \"bcache\" by default; node_exporter's is node_bcache" },
	{ "sysfs", OPT_SYSFS, "DIR", 0, "a copy of /sys to read" },
	{ }
};

/* The start of a metric's name. */
static bool is_prefix(const char *s)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:0123456789";

	return *s && !s[strspn(s, letters)] && !strchr("0123456789", *s);
}

static void check(const struct opts *o, const struct argp_state *state)
{
	if (o->count && !o->seconds)
		argp_error(state, "--count needs --watch");
	if (o->seconds && (o->prometheus || o->textfile))
		argp_error(state, "--watch does not go with metrics");
	if (o->prometheus && o->textfile)
		argp_error(state, "--prometheus and --textfile exclude each other");
	if (o->cmd.json && (o->prometheus || o->textfile))
		argp_error(state, "--json does not go with metrics");
	if (!is_prefix(o->prefix))
		argp_error(state, "metric prefix is \"%s\", expected letters, digits, _ and :",
			   o->prefix);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct opts *o = state->input;

	switch (key) {
	case 'w':
		o->seconds = cmd_arg_number(state, "interval", arg);
		if (!o->seconds || o->seconds > SECONDS_MAX)
			argp_error(state, "interval is %s, expected 1 to %d seconds", arg,
				   SECONDS_MAX);
		return 0;
	case 'c':
		o->count = cmd_arg_number(state, "count", arg);
		return 0;
	case OPT_PROMETHEUS:
		o->prometheus = true;
		return 0;
	case OPT_TEXTFILE:
		o->textfile = arg;
		return 0;
	case OPT_PREFIX:
		o->prefix = arg;
		return 0;
	case OPT_PRIORITIES:
		o->priorities = true;
		return 0;
	case OPT_DEVICES:
		o->devices = arg ? arg : "/dev";
		return 0;
	case OPT_SYSFS:
		o->sysfs = arg;
		return 0;
	case ARGP_KEY_ARGS:
		o->picked = state->argv + state->next;
		o->npicked = state->argc - state->next;
		return 0;
	case ARGP_KEY_END:
		check(o, state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	options, parse, "[DEV|SET...]",
	"Show the cache sets that run on this machine, their cache and backing devices: state, "
	"dirty data, hit ratios, writeback. SET is the UUID of a set."
};

static int read_status(struct opts *o, struct cache_status *s)
{
	struct cache_err err = { 0 };
	int ret = cache_status_read(o->sysfs, o->priorities, s, &err);

	if (ret)
		cmd_error(&o->cmd, NULL, ret, &err);
	if (ret || status_pick(&o->cmd, s, o->picked, o->npicked))
		return -1;
	if (o->devices)
		status_read_devices(&o->cmd, o->devices, s);
	return 0;
}

struct metrics {
	const struct cache_status *status;
	const char *prefix;
};

static int fill(void *ctx, FILE *out)
{
	const struct metrics *m = ctx;

	return cache_status_prometheus(m->status, m->prefix, out);
}

static int show_metrics(struct opts *o, const struct cache_status *s)
{
	struct metrics m = { s, o->prefix };
	int ret;

	if (o->textfile)
		return cmd_new_file(&o->cmd, o->textfile, fill, &m);
	ret = fill(&m, stdout);
	return ret ? cmd_error(&o->cmd, NULL, ret, NULL) : EXIT_DONE;
}

/* False when Ctrl-C came first. */
static bool wait_seconds(uint64_t seconds)
{
	struct timespec t = { .tv_sec = seconds };

	return !nanosleep(&t, NULL) && !cmd_cancelled();
}

/* One line of JSON's "samples", or the table again under a line with the time. */
static void show_sample(struct opts *o, const struct cache_status *from,
			const struct cache_status *to)
{
	static const struct cache_field seconds = { "seconds", NULL, CACHE_UNIT_COUNT };
	struct cache_report *r = cmd_report(&o->cmd);
	time_t now = time(NULL);
	char text[32] = "";
	struct tm tm;

	if (localtime_r(&now, &tm))
		strftime(text, sizeof(text), "%F %T %z", &tm);
	cache_report_line(r, "%s", text);
	cache_report_object(r, NULL);
	cache_report_real(r, &seconds, (to->time_ns - from->time_ns) / 1e9);
	status_show_growth(&o->cmd, from, to);
	cache_report_end(r);
	fflush(stdout);
}

/* A set that ends meanwhile is no longer shown; when all have ended, so does this. */
static int watch(struct opts *o, struct cache_status *before)
{
	struct cache_status now;
	int status = EXIT_DONE;

	cmd_catch_cancel();
	status_show(&o->cmd, before, o->priorities);
	cache_report_array(cmd_report(&o->cmd), "samples");
	fflush(stdout);
	for (uint64_t i = 0; !o->count || i < o->count; i++) {
		if (!wait_seconds(o->seconds) || ferror(stdout))
			break;
		if (read_status(o, &now)) {
			cache_status_free(&now);
			status = EXIT_FAILED;
			break;
		}
		show_sample(o, before, &now);
		cache_status_free(before);
		*before = now;
	}
	if (!status)
		cache_report_end(cmd_report(&o->cmd));
	return status;
}

int cache_status_main(int argc, char **argv)
{
	struct opts o = { .cmd = CMD_INIT, .prefix = "bcache" };
	struct cache_status s;
	int status = EXIT_FAILED;

	if (!strcmp(argv[0], "bcache-status"))
		return bcache_status(argc, argv);
	cmd_parse(&o.cmd, &argp, argc, argv, 0);
	if (!read_status(&o, &s)) {
		if (o.prometheus || o.textfile) {
			status = show_metrics(&o, &s);
		} else if (o.seconds) {
			status = watch(&o, &s);
		} else {
			status_show(&o.cmd, &s, o.priorities);
			status = EXIT_DONE;
		}
	}
	cache_status_free(&s);
	return cmd_end(&o.cmd, status);
}
