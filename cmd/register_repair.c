// SPDX-License-Identifier: GPL-2.0-only
#include "bcache_register.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* cache-fsck -p in a process of its own; its results go to stderr. */
static int run_fsck(const struct registration *r, const char *undo)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execl("/proc/self/exe", "cache-tools", "cache-fsck", "-p", "--udev", "-z", undo,
		      r->path, (char *)NULL);
		_exit(FSCK_ERROR);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return FSCK_ERROR;
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : FSCK_ERROR;
}

void register_repair(struct registration *r)
{
	char undo[PATH_MAX], name[PATH_MAX];
	struct stat st;
	int status, n = 0;

	register_path(r, "/run/cache-tools", undo);
	mkdir(undo, 0755);
	do {
		snprintf(name, sizeof(name), "/run/cache-tools/%.40s.undo%d",
			 strrchr(r->path, '/') ? strrchr(r->path, '/') + 1 : r->path, n++);
		register_path(r, name, undo);
	} while (!lstat(undo, &st) && n < 100);
	status = run_fsck(r, undo);
	r->repaired = status == FSCK_CORRECTED;
	if (r->repaired)
		register_warn(r, "repaired by cache-fsck -p; what was there is in %s", undo);
	else
		register_warn(r, "cache-fsck -p did not repair it: exit status %d", status);
}
