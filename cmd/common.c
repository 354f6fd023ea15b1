// SPDX-License-Identifier: GPL-2.0-only
#include "common.h"

#include "base/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

struct cache_report *cmd_report(struct cmd *c)
{
	if (!c->report)
		c->report = cache_report_open(stdout, (c->json ? CACHE_REPORT_JSON : 0) |
						      (c->bytes ? CACHE_REPORT_EXACT : 0));
	if (!c->report) {
		fprintf(stderr, "%s: no memory\n", c->name);
		exit(c->usage_status == FSCK_USAGE ? FSCK_ERROR : EXIT_FAILED);
	}
	return c->report;
}

int cmd_end(struct cmd *c, int status)
{
	int ret = cache_report_close(c->report);

	c->report = NULL;
	errno = EIO;
	if (!ret && (fflush(stdout) || ferror(stdout)))
		ret = cache_stream_error(stdout);
	if (!ret)
		return status;
	if (ret != -EPIPE)
		fprintf(stderr, "%s: cannot write the result: %s\n", c->name, strerror(-ret));
	return c->usage_status == FSCK_USAGE ? status | FSCK_ERROR : EXIT_FAILED;
}

void cmd_put(FILE *out, const char *fmt, ...)
{
	char *text = NULL, *clean = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (text)
		clean = cache_utf8_clean(text, cache_utf8_of_locale());
	fputs(clean ? clean : "out of memory", out);
	free(clean);
	free(text);
}

static void say(const struct cmd *c, const char *device, const char *kind,
		const char *text)
{
	fflush(stdout);
	cmd_put(stderr, "%s: %s%s%s%s", c->name, device ? device : "", device ? ": " : "", kind,
		text);
	fputc('\n', stderr);
}

void cmd_fail_with(struct cmd *c, const char *device, int code, uint64_t sector,
		   const char *text)
{
	if (c->json)
		cache_report_error(cmd_report(c), device, code, sector, text);
	else
		say(c, device, "", text);
}

int cmd_error(struct cmd *c, const char *device, int code, const struct cache_err *err)
{
	cmd_fail_with(c, device, code, err ? err->sector : 0, cache_err_text(err, code));
	return EXIT_FAILED;
}

#define FORMAT_TEXT(text, fmt)				\
	do {						\
		va_list ap;				\
							\
		va_start(ap, fmt);			\
		vsnprintf(text, sizeof(text), fmt, ap);	\
		va_end(ap);				\
	} while (0)

int cmd_fail(struct cmd *c, const char *device, const char *fmt, ...)
{
	char text[1024];

	FORMAT_TEXT(text, fmt);
	cmd_fail_with(c, device, -ECANCELED, 0, text);
	return EXIT_FAILED;
}

void cmd_warn(const struct cmd *c, const char *device, const char *fmt, ...)
{
	char text[1024];

	if (c->quiet)
		return;
	FORMAT_TEXT(text, fmt);
	say(c, device, "warning: ", text);
}

void cmd_note(const struct cmd *c, unsigned level, const char *fmt, ...)
{
	char text[1024];

	if (c->quiet || c->verbose < level)
		return;
	FORMAT_TEXT(text, fmt);
	say(c, NULL, "", text);
}

bool cmd_ask(const char *prompt)
{
	char line[16];

	if (!isatty(STDIN_FILENO))
		return false;
	cmd_put(stderr, "%s (y/N) ", prompt);
	return fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y');
}

static volatile sig_atomic_t cancelled;

static void on_cancel(int sig)
{
	cancelled = 1;
}

void cmd_catch_cancel(void)
{
	/* the default action is restored, so a second Ctrl-C kills */
	struct sigaction sa = { .sa_handler = on_cancel, .sa_flags = SA_RESETHAND };
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction old;

	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (!sigaction(signals[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &sa, NULL);
}

bool cmd_cancelled(void)
{
	return cancelled;
}

uint64_t cmd_random_seed(const struct cmd *c)
{
	uint32_t seed = 0;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0)
		cmd_warn(c, NULL, "no random seed: %s", strerror(errno));
	return seed;
}
