// SPDX-License-Identifier: GPL-2.0-only
#include "register_check.h"

#include <libcache/fsck.h>
#include <libcache/superblock.h>

#include "host/probe.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(struct register_result) <= 4096, "a pipe takes it whole or not at all");

/* In the process that checks. */
struct checker {
	int fd;
	bool (*is_enough)(void *ctx, enum cache_verdict v);
	void *ctx;
	struct register_result last;
	/* the first finding of each verdict */
	char text[CACHE_VERDICT_PANICS + 1][sizeof(((struct register_result *)0)->text)];
	bool enough;
};

static void tell(struct checker *k, enum register_state state)
{
	struct register_result word = k->last;

	word.state = state;
	if (write(k->fd, &word, sizeof(word)) != sizeof(word))
		_exit(1);
}

static void on_finding(void *ctx, unsigned dev, const struct cache_finding *f)
{
	const struct cache_problem_info *info = cache_problem_info(f->code);
	struct checker *k = ctx;
	char *text = k->text[info->verdict];
	char words[400];

	if (!*text) {
		cache_finding_text(f, words, sizeof(words));
		snprintf(text, sizeof(k->text[0]), "%s (0x%04x): %s", info->code, info->number,
			 words);
	}
	if (k->enough || !k->is_enough(k->ctx, info->verdict))
		return;
	/* if the time is up before the next word, this is known */
	k->enough = true;
	k->last.verdict = info->verdict;
	memcpy(k->last.text, text, sizeof(k->last.text));
	tell(k, REGISTER_TOO_SLOW);
}

static int on_progress(void *ctx, unsigned dev, unsigned pass, uint64_t current, uint64_t max)
{
	struct checker *k = ctx;

	return k->enough;
}

static void check(struct checker *k, struct cache_dev *dev, uint32_t eras)
{
	struct cache_fsck_result res = { 0 };
	const struct cache_fsck f = { .size = sizeof(f), .devs = &dev, .ndevs = 1,
				      .results = &res, .eras = eras, .report = on_finding,
				      .progress = on_progress, .ctx = k };
	int ret = cache_fsck_run(&f);

	if (!ret && res.ret != -ECANCELED)
		ret = res.ret;
	if (!k->enough && ret) {
		snprintf(k->last.text, sizeof(k->last.text), "%s", cache_err_text(&res.err, ret));
		tell(k, REGISTER_NOT_CHECKED);
		return;
	}
	if (!k->enough || (!ret && !res.ret)) {
		k->last.verdict = res.kernel;
		if (res.kernel == CACHE_VERDICT_STARTS && res.damage)
			k->last.verdict = CACHE_VERDICT_DAMAGE;
		if (res.kernel != CACHE_VERDICT_STARTS || res.damage)
			memcpy(k->last.text, k->text[k->last.verdict], sizeof(k->last.text));
	}
	tell(k, REGISTER_CHECKED);
}

static _Noreturn void run(struct checker *k, const char *path, uint32_t eras)
{
	struct cache_err err = { 0 };
	struct cache_dev *dev = NULL;
	struct cache_sb sb;
	int ret;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	ret = cmd_open_to_read(path, &dev, &err);
	if (ret) {
		snprintf(k->last.text, sizeof(k->last.text), "%s", cache_err_text(&err, ret));
		tell(k, REGISTER_NOT_OPENED);
		_exit(0);
	}
	ret = cache_probe_foreign(dev, &err);
	cmd_confine();
	if (!ret)
		ret = cache_sb_read(dev, &sb, &err);
	if (ret && ret != -ERANGE) {
		snprintf(k->last.text, sizeof(k->last.text), "%s", cache_err_text(&err, ret));
		tell(k, REGISTER_NOT_OPENED);
	} else if (ret || !cache_sb_has_magic(&sb)) {
		tell(k, REGISTER_NO_BCACHE);
	} else {
		check(k, dev, eras);
	}
	_exit(0);
}

static int ms_since(const struct timespec *start)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int)((t.tv_sec - start->tv_sec) * 1000 + (t.tv_nsec - start->tv_nsec) / 1000000);
}

/* Takes what the process says until it has ended or the time is up. */
static void listen_to(int fd, unsigned seconds, struct register_result *res)
{
	const int limit = (int)seconds * 1000;
	struct pollfd p = { fd, POLLIN, 0 };
	struct register_result got;
	struct timespec start;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (;;) {
		int left = limit - ms_since(&start);
		int n = left > 0 ? poll(&p, 1, left) : 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		if (read(fd, &got, sizeof(got)) == sizeof(got)) {
			*res = got;
			continue;
		}
		/* it ended, and not before its last word, unless it crashed */
		if (res->state == REGISTER_TOO_SLOW && res->verdict == CACHE_VERDICT_STARTS) {
			res->state = REGISTER_NOT_CHECKED;
			snprintf(res->text, sizeof(res->text), "the check ended before its time");
		}
		return;
	}
}

void register_check(const char *path, const struct cmd_kernels *kernels, unsigned seconds,
		    bool (*is_enough)(void *ctx, enum cache_verdict v), void *ctx,
		    struct register_result *res)
{
	struct checker *k = calloc(1, sizeof(*k));
	int fd[2] = { -1, -1 };
	pid_t pid = -1;

	*res = (struct register_result){ .state = REGISTER_NOT_CHECKED };
	if (k && !pipe(fd))
		pid = fork();
	if (!pid) {
		k->fd = fd[1];
		k->is_enough = is_enough;
		k->ctx = ctx;
		close(fd[0]);
		run(k, path, kernels->eras);
	}
	if (pid < 0) {
		snprintf(res->text, sizeof(res->text), "no process for the check: %s",
			 strerror(errno));
	} else {
		close(fd[1]);
		fd[1] = -1;
		res->state = REGISTER_TOO_SLOW;
		listen_to(fd[0], seconds, res);
		/* one that waits for its disk cannot be waited for */
		kill(pid, SIGKILL);
		waitpid(pid, NULL, WNOHANG);
	}
	for (unsigned i = 0; i < 2; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	free(k);
}
