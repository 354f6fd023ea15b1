// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lists what is wrong with a cache device, and what a kernel would do with it.
 *
 *	cc findings.c $(pkg-config --cflags --libs libcache) -o findings
 *
 * Compiles as C and as C++.
 */
#include <libcache/libcache.h>

#include <stdio.h>
#include <string.h>

static void on_finding(void *ctx, unsigned dev, const struct cache_finding *f)
{
	const struct cache_problem_info *info = cache_problem_info(f->code);
	char line[512];

	cache_finding_text(f, line, sizeof(line));
	printf("%s %s (0x%04x): %s\n", cache_severity_name(info->severity), info->code,
	       info->number, line);
}

int main(int argc, char **argv)
{
	struct cache_fsck_result result;
	struct cache_fsck check;
	struct cache_err err;
	struct cache_dev *dev;
	int ret;

	if (argc != 2) {
		fprintf(stderr, "usage: findings DEVICE\n");
		return 2;
	}
	memset(&err, 0, sizeof(err));
	memset(&result, 0, sizeof(result));
	ret = cache_dev_open(argv[1], CACHE_DEV_READ, &dev, &err);
	if (ret) {
		fprintf(stderr, "%s: %s\n", argv[1], cache_err_text(&err, ret));
		return 1;
	}
	memset(&check, 0, sizeof(check));
	check.size = sizeof(check);
	check.devs = &dev;
	check.ndevs = 1;
	check.results = &result;
	check.report = on_finding;
	ret = cache_fsck_run(&check);
	if (!ret)
		ret = result.ret;
	if (ret)
		fprintf(stderr, "%s: %s\n", argv[1], cache_err_text(&result.err, ret));
	else
		printf("%s; the kernel: %s\n", cache_fsck_is_clean(&result) ? "clean" : "not clean",
		       cache_verdict_name(result.kernel));
	cache_dev_close(dev);
	return ret || !cache_fsck_is_clean(&result);
}
