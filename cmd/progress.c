// SPDX-License-Identifier: GPL-2.0-only
/* How far long work has come: a bar for people, lines for programs. */
#include "common.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S	UINT64_C(1000000000)
#define SHOW_EVERY_NS	(NS_PER_S / 10)
#define BAR_WIDTH	30u

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

void cmd_progress_init(struct cmd_progress *p, const struct cmd *c, const char *device,
		       int fd, uint64_t unit_bytes)
{
	*p = (struct cmd_progress){
		.device = device, .fd = fd, .unit_bytes = unit_bytes,
		.bar = fd < 0 && !c->quiet && !c->json && isatty(STDERR_FILENO),
	};
}

static void show_bar(const struct cmd_progress *p, const char *what, uint64_t current,
		     uint64_t max)
{
	static const char full[] = "##############################";
	char rate[CACHE_HUMAN_BYTES], left[CACHE_HUMAN_BYTES];
	double seconds = (double)(p->shown_ns - p->start_ns) / 1e9;
	double per_second = seconds > 0 ? (double)current / seconds : 0;
	unsigned filled = BAR_WIDTH * p->permille / 1000;

	fprintf(stderr, "\r%-10s [%-*.*s] %3u%%", what, (int)BAR_WIDTH, (int)filled, full,
		p->permille / 10);
	if (per_second > 0) {
		double s = (double)(max - current) / per_second;

		cache_ns_show(left, s < 1e6 ? (uint64_t)s * NS_PER_S : UINT64_MAX);
		if (p->unit_bytes)
			fprintf(stderr, "  %s/s", cache_bytes_show(rate,
				(uint64_t)(per_second * (double)p->unit_bytes)));
		else
			fprintf(stderr, "  %.0f/s", per_second);
		fprintf(stderr, "  %s left", left);
	}
	fputs("\033[K", stderr);
	fflush(stderr);
}

void cmd_progress(struct cmd_progress *p, unsigned pass, const char *what,
		  uint64_t current, uint64_t max)
{
	unsigned permille;
	bool fresh = pass != p->pass;
	uint64_t now;

	if (p->fd < 0 && !p->bar)
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
		dprintf(p->fd, "%u %" PRIu64 " %" PRIu64 " %s\n", pass, current, max,
			p->device);
	if (p->bar)
		show_bar(p, what, current, max);
}

void cmd_progress_end(struct cmd_progress *p)
{
	if (p->bar && p->pass)
		fputs("\r\033[K", stderr);
}
