// SPDX-License-Identifier: GPL-2.0-only
#include "host/kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* A line of /lib/modules/RELEASE/@list names the module. */
static bool is_listed(const char *release, const char *list)
{
	char path[160], *line = NULL;
	bool found = false;
	size_t size = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/lib/modules/%s/%s", release, list);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (!found && getline(&line, &size, f) > 0)
		found = strstr(line, "/bcache/bcache.ko");
	free(line);
	fclose(f);
	return found;
}

bool cache_kernel_with_bcache(char release[65])
{
	struct utsname u;

	if (uname(&u) || strcmp(u.sysname, "Linux"))
		return false;
	snprintf(release, 65, "%s", u.release);
	return !access("/sys/fs/bcache", F_OK) || !access("/sys/module/bcache", F_OK) ||
	       is_listed(release, "modules.builtin") || is_listed(release, "modules.dep");
}
