// SPDX-License-Identifier: GPL-2.0-only
/*
 * bcache-status, for scripts that know it: options, labels and sections of the script of that name.
 * Its two switches that tell the driver to do something are the only writes, to sysfs.
 */
#include "bcache_status.h"

#include "common.h"
#include "status/status.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

enum { OPT_SYSFS = 1 };

struct opts {
	struct cmd cmd;
	const char *sysfs;
	bool window[CACHE_STATUS_NWINDOWS];
	bool reset, devices, gc;
};

static const struct argp_option options[] = {
	{ "five-minute", 'f', NULL, 0, "the last five minutes" },
	{ "hour", 'h', NULL, 0, "the last hour" },
	{ "day", 'd', NULL, 0, "the last day" },
	{ "total", 't', NULL, 0, "since the set was made, the default" },
	{ "all", 'a', NULL, 0, "all of these" },
	{ "reset-stats", 'r', NULL, 0, "reset them after printing them" },
	{ "sub-status", 's', NULL, 0, "cache and backing devices too" },
	{ "gc", 'g', NULL, 0, "have the driver collect garbage first" },
	{ "sysfs", OPT_SYSFS, "DIR", 0, "a copy of /sys to read" },
	{ }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct opts *o = state->input;

	switch (key) {
	case 'f':
		o->window[CACHE_STATUS_FIVE_MINUTE] = true;
		return 0;
	case 'h':
		o->window[CACHE_STATUS_HOUR] = true;
		return 0;
	case 'd':
		o->window[CACHE_STATUS_DAY] = true;
		return 0;
	case 't':
		o->window[CACHE_STATUS_TOTAL] = true;
		return 0;
	case 'a':
		memset(o->window, true, sizeof(o->window));
		return 0;
	case 'r':
		o->reset = true;
		return 0;
	case 's':
		o->devices = true;
		return 0;
	case 'g':
		o->gc = true;
		return 0;
	case OPT_SYSFS:
		o->sysfs = arg;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	options, parse, NULL, "Show the running cache sets as bcache-status of bcache-tools does."
};

static void line(const char *indent, const char *label, const char *text)
{
	printf("%s%-*s", indent, 28 - (int)strlen(indent), label);
	cmd_put(stdout, "%s", text);
	putchar('\n');
}

static const char *bytes_text(char buf[CACHE_HUMAN_BYTES], bool known, double bytes)
{
	if (!known || !(bytes >= 0 && bytes < 1.8e19))
		return "?";
	return cache_bytes_show(buf, bytes);
}

static void bytes_line(const char *indent, const char *label,
		       const struct cache_status_numbers *n, enum cache_status_value v)
{
	char buf[CACHE_HUMAN_BYTES];

	line(indent, label, bytes_text(buf, n->known[v], n->v[v]));
}

static void number_line(const char *indent, const char *label,
			const struct cache_status_numbers *n, enum cache_status_value v)
{
	char text[32] = "?";

	if (n->known[v])
		snprintf(text, sizeof(text), "%.0f", n->v[v]);
	line(indent, label, text);
}

/* A part of a size, with the percentage behind it. */
static void part_line(const char *indent, const char *label, uint64_t sectors, bool known,
		      double percent)
{
	char buf[CACHE_HUMAN_BYTES], text[64];

	snprintf(text, sizeof(text), "%-11s (%.0f%%)",
		 bytes_text(buf, known, sectors * 512.0 * percent / 100), known ? percent : 0);
	line(indent, label, known ? text : "?");
}

static void of_total_line(const char *indent, const char *label, double part, double other)
{
	char text[64];

	snprintf(text, sizeof(text), "%-11.0f (%.0f%%)", part,
		 part + other > 0 ? 100 * part / (part + other) : 0);
	line(indent, label, text);
}

static void windows(const struct opts *o, const char *indent,
		    const struct cache_status_numbers *window)
{
	static const char *const titles[] = { "Last 5min", "Last Hour", "Last Day", "Total" };
	char label[64];

	for (unsigned w = 0; w < CACHE_STATUS_NWINDOWS; w++) {
		const struct cache_status_numbers *n = &window[w];

		if (!o->window[w] || !n->known[CACHE_STATUS_hits])
			continue;
#define LABEL(what) (snprintf(label, sizeof(label), "%s %s", titles[w], what), label)
		of_total_line(indent, LABEL("Hits"), n->v[CACHE_STATUS_hits],
			      n->v[CACHE_STATUS_misses]);
		number_line(indent, LABEL("Misses"), n, CACHE_STATUS_misses);
		of_total_line(indent, LABEL("Bypass Hits"), n->v[CACHE_STATUS_bypass_hits],
			      n->v[CACHE_STATUS_bypass_misses]);
		number_line(indent, LABEL("Bypass Misses"), n, CACHE_STATUS_bypass_misses);
		bytes_line(indent, LABEL("Bypassed"), n, CACHE_STATUS_bypassed_bytes);
#undef LABEL
	}
}

static const char *device_file(char buf[CACHE_STATUS_NAME_BYTES + 8], const char *name)
{
	snprintf(buf, CACHE_STATUS_NAME_BYTES + 8, "%s%s", *name ? "/dev/" : "", *name ? name : "?");
	return buf;
}

static void show_backing(const struct opts *o, const struct cache_status_device *d)
{
	char file[CACHE_STATUS_NAME_BYTES + 8], buf[CACHE_HUMAN_BYTES];

	puts("--- Backing Device ---");
	line("  ", "Device File", device_file(file, d->device));
	line("  ", "bcache Device File", device_file(file, d->bcache));
	line("  ", "Size", bytes_text(buf, d->size_sectors, d->size_sectors * 512.0));
	line("  ", "Cache Mode", d->choices);
	number_line("  ", "Readahead", &d->window[CACHE_STATUS_TOTAL], CACHE_STATUS_readaheads);
	bytes_line("  ", "Sequential Cutoff", &d->n, CACHE_STATUS_sequential_cutoff_bytes);
	line("  ", "State", d->state);
	line("  ", "Writeback?", d->n.v[CACHE_STATUS_writeback_running] > 0 ? "True" : "False");
	bytes_line("  ", "Dirty Data", &d->n, CACHE_STATUS_dirty_bytes);
	windows(o, "  ", d->window);
}

static void show_cache(const struct cache_status_set *s, const struct cache_status_device *d)
{
	char file[CACHE_STATUS_NAME_BYTES + 8], buf[CACHE_HUMAN_BYTES];
	bool known = d->n.known[CACHE_STATUS_unused_percent];
	double unused = d->n.v[CACHE_STATUS_unused_percent];

	puts("--- Cache Device ---");
	line("  ", "Device File", device_file(file, d->device));
	line("  ", "Size", bytes_text(buf, d->size_sectors, d->size_sectors * 512.0));
	bytes_line("  ", "Block Size", &s->n, CACHE_STATUS_block_bytes);
	bytes_line("  ", "Bucket Size", &s->n, CACHE_STATUS_bucket_bytes);
	line("  ", "Replacement Policy", d->choices);
	number_line("  ", "I/O Errors", &d->n, CACHE_STATUS_cache_io_errors);
	bytes_line("  ", "Metadata Written", &d->n, CACHE_STATUS_metadata_written_bytes);
	bytes_line("  ", "Data Written", &d->n, CACHE_STATUS_written_bytes);
	number_line("  ", "Buckets", &d->n, CACHE_STATUS_nbuckets);
	part_line("  ", "Cache Used", d->size_sectors, known, 100 - unused);
	part_line("  ", "Cache Unused", d->size_sectors, known, unused);
}

/* The choice of all devices of a list, "(Various)" where they differ. */
static const char *common_text(const struct cache_status_list *l)
{
	const char *first = l->n ? l->d[0].choices : "(Unknown)";

	for (size_t i = 1; i < l->n; i++)
		if (strcmp(first, l->d[i].choices))
			return "(Various)";
	return *first ? first : "(Unknown)";
}

static void delay_line(const char *label, const struct cache_status_numbers *n,
		       enum cache_status_value v)
{
	char text[32] = "?";

	if (n->known[v])
		snprintf(text, sizeof(text), "%.1fms", n->v[v] / 1000);
	line("", label, text);
}

static void show_set(const struct opts *o, const struct cache_status_set *s)
{
	double unused = 0, percent = s->n.v[CACHE_STATUS_cache_available_percent];
	bool known = s->caches.n;
	char buf[CACHE_HUMAN_BYTES];
	uint64_t sectors = 0;

	for (size_t i = 0; i < s->caches.n; i++) {
		const struct cache_status_device *d = &s->caches.d[i];

		sectors += d->size_sectors;
		known &= d->n.known[CACHE_STATUS_unused_percent];
		unused += d->size_sectors * d->n.v[CACHE_STATUS_unused_percent];
	}
	unused = sectors ? unused / sectors : 0;
	puts("--- bcache ---");
	line("", "UUID", s->uuid);
	bytes_line("", "Block Size", &s->n, CACHE_STATUS_block_bytes);
	bytes_line("", "Bucket Size", &s->n, CACHE_STATUS_bucket_bytes);
	line("", "Congested?", s->n.v[CACHE_STATUS_congested] > 0 ? "True" : "False");
	delay_line("Read Congestion", &s->n, CACHE_STATUS_congested_read_threshold_us);
	delay_line("Write Congestion", &s->n, CACHE_STATUS_congested_write_threshold_us);
	line("", "Total Cache Size", bytes_text(buf, sectors, sectors * 512.0));
	part_line("", "Total Cache Used", sectors, known && sectors, 100 - unused);
	part_line("", "Total Cache Unused", sectors, known && sectors, unused);
	part_line("", "Evictable Cache", sectors,
		  sectors && s->n.known[CACHE_STATUS_cache_available_percent], percent);
	line("", "Replacement Policy", common_text(&s->caches));
	line("", "Cache Mode", common_text(&s->backing));
	windows(o, "", s->window);
	for (size_t i = 0; o->devices && i < s->backing.n; i++)
		show_backing(o, &s->backing.d[i]);
	for (size_t i = 0; o->devices && i < s->caches.n; i++)
		show_cache(s, &s->caches.d[i]);
}

/* Writes "1" to a switch of each set; one that has gone meanwhile is left out. */
static int tell(struct opts *o, const struct cache_status *s, const char *file)
{
	char path[PATH_MAX];
	int fd, status = EXIT_DONE;

	for (size_t i = 0; i < s->n; i++) {
		snprintf(path, sizeof(path), "%s/fs/bcache/%s/%s", o->sysfs ? o->sysfs : "/sys",
			 s->set[i].uuid, file);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 ? errno != ENOENT : write(fd, "1\n", 2) != 2)
			status = cmd_fail(&o->cmd, path, "cannot be written: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	return status;
}

static int show_all(struct opts *o)
{
	struct cache_err err = { 0 };
	struct cache_status s;
	int ret = cache_status_read(o->sysfs, true, &s, &err), status = EXIT_DONE;

	if (!ret && o->gc) {
		status = tell(o, &s, "internal/trigger_gc");
		cache_status_free(&s);
		ret = cache_status_read(o->sysfs, true, &s, &err);
	}
	if (ret)
		status = cmd_error(&o->cmd, NULL, ret, &err);
	for (size_t i = 0; !ret && i < s.n; i++)
		show_set(o, &s.set[i]);
	if (!ret && !status && o->reset)
		status = tell(o, &s, "clear_stats");
	cache_status_free(&s);
	return status;
}

int bcache_status(int argc, char **argv)
{
	struct opts o = { .cmd = CMD_INIT };
	bool any = false;

	cmd_parse(&o.cmd, &argp, argc, argv, 0);
	for (unsigned w = 0; w < CACHE_STATUS_NWINDOWS; w++)
		any |= o.window[w];
	o.window[CACHE_STATUS_TOTAL] |= !any;
	return cmd_end(&o.cmd, show_all(&o));
}
