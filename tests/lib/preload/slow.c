// SPDX-License-Identifier: GPL-2.0-only
/*
 * LD_PRELOADed: reads at sector FIRST and behind it, up to LAST, wait for a minute, as those of a
 * dying disk. TEST_SLOW=FIRST[-LAST]
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ssize_t pread64(int fd, void *buf, size_t nbytes, off_t at);
int io_uring_queue_init(unsigned entries, void *ring, unsigned flags);

/* Reads that do not come through here would not wait. */
int io_uring_queue_init(unsigned entries, void *ring, unsigned flags)
{
	return -ENOSYS;
}

ssize_t pread64(int fd, void *buf, size_t nbytes, off_t at)
{
	static ssize_t (*real)(int, void *, size_t, off_t);
	const char *env = getenv("TEST_SLOW"), *last = env ? strchr(env, '-') : NULL;

	if (!real)
		real = (ssize_t (*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, "pread64");
	if (env && at / 512 >= atoll(env) && (!last || at / 512 <= atoll(last + 1)))
		sleep(60);
	return real(fd, buf, nbytes, at);
}
