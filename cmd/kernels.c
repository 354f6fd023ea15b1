// SPDX-License-Identifier: GPL-2.0-only
#include "kernels.h"

#include <stdio.h>
#include <string.h>

#include "host/kernel.h"

static void set_all(struct cmd_kernels *k)
{
	memset(k, 0, sizeof(*k));
	k->eras = cache_eras_all();
}

static int set_one(struct cmd_kernels *k, const char *release, struct cache_err *err)
{
	int ret;

	memset(k, 0, sizeof(*k));
	ret = cache_driver_of_release(release, &k->release, err);
	if (ret)
		return ret;
	k->eras = k->release.eras;
	k->is_one = true;
	snprintf(k->name, sizeof(k->name), "%s", release);
	return 0;
}

void cmd_kernels_arg(struct cmd_kernels *k, const char *arg, const struct argp_state *state)
{
	struct cache_err err = { 0 };
	char release[65];

	if (!strcmp(arg, "all")) {
		set_all(k);
		return;
	}
	if (!strcmp(arg, "running")) {
		if (!cache_kernel_with_bcache(release))
			argp_error(state, "the running kernel has no bcache: name a version, or \"all\"");
		arg = release;
	}
	if (set_one(k, arg, &err))
		argp_error(state, "%s", err.text);
}

void cmd_kernels_default(struct cmd_kernels *k)
{
	char release[65];

	if (k->eras)
		return;
	if (!cache_kernel_with_bcache(release) || set_one(k, release, NULL))
		set_all(k);
}

void cmd_kernels_say(const struct cmd_kernels *k, const struct cmd *c)
{
	if (k->is_one && k->release.newer) {
		cmd_warn(c, NULL, "kernel %s: %s", k->name, k->release.note[0]);
		return;
	}
	for (unsigned i = 0; k->is_one && k->release.note[i]; i++)
		cmd_note(c, 1, "kernel %s: %s", k->name, k->release.note[i]);
}

bool cmd_kernels_may_oops(const struct cmd_kernels *k)
{
	return !k->is_one || k->release.oopses != CACHE_NO;
}
