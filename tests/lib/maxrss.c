// SPDX-License-Identifier: GPL-2.0-only
/* maxrss LIMIT COMMAND [ARG...]: runs it, says how many KiB of memory it had at most, and
 * fails when that is more than LIMIT or the command ended with more than LEFT (1). */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEFT	1	/* errors corrected */

int main(int argc, char **argv)
{
	struct rusage u;
	int status;
	pid_t pid;
	long limit;

	if (argc < 3)
		return 2;
	limit = atol(argv[1]);
	pid = fork();
	if (!pid) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &u) != pid)
		return 2;
	printf("%ld KiB at most, %ld allowed\n", u.ru_maxrss, limit);
	return !WIFEXITED(status) || WEXITSTATUS(status) > LEFT || u.ru_maxrss > limit;
}
