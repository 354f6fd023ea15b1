// SPDX-License-Identifier: GPL-2.0-only
/* Progress of long work: a bar for people, lines for programs. */
#include "common.h"

#include <libcache/findings.h>
#include <libcache/repair.h>

#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S	UINT64_C(1000000000)
#define SHOW_EVERY_NS	(NS_PER_S / 10)
#define WORD_WIDTH	10u
#define BAR_WIDTH_MIN	10u
#define BAR_WIDTH_MAX	512u

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

void cmd_progress_init(struct cmd_progress *p, const struct cmd *c, const char *device,
		       int fd, uint64_t unit_bytes)
{
	const char *term = getenv("TERM");
	bool draws = term && *term && strcmp(term, "dumb");
	bool wanted = fd == 0 || (fd < 0 && draws && !c->quiet && !c->json);

	*p = (struct cmd_progress){
		.device = device, .fd = fd > 0 ? fd : -1, .unit_bytes = unit_bytes,
		.bar = wanted && isatty(STDERR_FILENO),
	};
}

/* Width of the terminal; it may change meanwhile. */
static unsigned columns(void)
{
	struct winsize w;

	return !ioctl(STDERR_FILENO, TIOCGWINSZ, &w) && w.ws_col ? w.ws_col : 80;
}

/* "12.0 MiB/s  0:07 left", or nothing if it is not known yet. */
static void rate_words(const struct cmd_progress *p, uint64_t current, uint64_t max, char *buf,
		       size_t nbytes)
{
	char rate[CACHE_HUMAN_BYTES], left[CACHE_HUMAN_BYTES];
	double seconds = (double)(p->shown_ns - p->start_ns) / 1e9;
	double per_second = seconds > 0 ? (double)current / seconds : 0;
	double s = per_second > 0 ? (double)(max - current) / per_second : 0;

	buf[0] = '\0';
	if (!(per_second > 0))
		return;
	if (p->unit_bytes)
		cache_bytes_show(rate, (uint64_t)(per_second * (double)p->unit_bytes));
	else
		snprintf(rate, sizeof(rate), "%.0f", per_second);
	if (s < 60)
		snprintf(left, sizeof(left), "%u s", (unsigned)s);
	else
		cache_ns_show(left, s < 1e6 ? (uint64_t)s * NS_PER_S : UINT64_MAX);
	snprintf(buf, nbytes, "  %s/s  %s%s left", rate, s < 1 && s > 0 ? "<" : "",
		 s < 1 && s > 0 ? "1 s" : left);
}

/* As wide as the terminal; parts that do not fit are left out, the rate first. */
static void show_bar(const struct cmd_progress *p, const char *what, uint64_t current,
		     uint64_t max)
{
	char rate[96], line[BAR_WIDTH_MAX + 1];
	unsigned width = columns() - 1, used, bar, filled;

	if (width > BAR_WIDTH_MAX)
		width = BAR_WIDTH_MAX;
	rate_words(p, current, max, rate, sizeof(rate));
	used = WORD_WIDTH + 8 + (unsigned)strlen(rate);	/* "word [", "] 100%" */
	if (used + BAR_WIDTH_MIN > width) {
		rate[0] = '\0';
		used = WORD_WIDTH + 8;
	}
	bar = used + BAR_WIDTH_MIN > width ? 0 : width - used;
	filled = bar * p->permille / 1000;
	memset(line, '#', filled);
	memset(line + filled, ' ', bar - filled);
	line[bar] = '\0';
	if (bar)
		fprintf(stderr, "\r%-*s [%s] %3u%%%s\033[K", (int)WORD_WIDTH, what, line,
			p->permille / 10, rate);
	else
		fprintf(stderr, "\r%3u%%\033[K", p->permille / 10);
	fflush(stderr);
}

/* A newline in a path would start another line. */
static void put_line(const struct cmd_progress *p, unsigned pass, uint64_t current, uint64_t max)
{
	char *name = cache_utf8_clean(p->device, CACHE_UTF8_ESCAPE);

	dprintf(p->fd, "%u %" PRIu64 " %" PRIu64 " %s\n", pass, current, max, name ? name : "");
	free(name);
}

void cmd_progress(struct cmd_progress *p, unsigned pass, const char *what,
		  uint64_t current, uint64_t max)
{
	unsigned permille;
	bool fresh = pass != p->pass;
	uint64_t now;

	if (!pass || (p->fd < 0 && !p->bar))
		return;
	if (current > max)
		current = max;
	permille = max ? (unsigned)((unsigned __int128)current * 1000 / max) : 1000;
	if (!fresh && permille == p->permille)
		return;
	now = now_ns();
	if (fresh) {
		p->pass = pass;
		p->start_ns = now;
	} else if (permille < 1000 && now - p->shown_ns < SHOW_EVERY_NS) {
		return;
	}
	p->permille = permille;
	p->shown_ns = now;
	if (p->fd >= 0)
		put_line(p, pass, current, max);
	if (p->bar)
		show_bar(p, what, current, max);
}

void cmd_progress_end(struct cmd_progress *p)
{
	if (p->bar && p->pass)
		fputs("\r\033[K", stderr);
}

const char *cmd_pass_name(unsigned pass)
{
	switch (pass) {
	case CACHE_PASS_JOURNAL:
		return "journal";
	case CACHE_PASS_PRIOS:
		return "prios";
	case CACHE_PASS_BTREE:
		return "nodes";
	case CACHE_PASS_BUCKETS:
		return "extents";
	case CACHE_REPAIR_PASS_DOUBT:
		return "doubts";
	case CACHE_REPAIR_PASS_COLLECT:
		return "collecting";
	case CACHE_REPAIR_PASS_SCAN:
		return "searching";
	default:
		return "writing";
	}
}

void cmd_progress_switch(struct cmd_progress *p, const char *device, uint64_t unit_bytes)
{
	if (p->unit_bytes == unit_bytes)
		return;
	cmd_progress_end(p);
	*p = (struct cmd_progress){ .device = device, .fd = p->fd, .bar = p->bar,
				    .unit_bytes = unit_bytes };
}
