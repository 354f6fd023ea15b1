// SPDX-License-Identifier: GPL-2.0-only
/*
 * LD_PRELOADed: reads that touch sectors TEST_EIO=FIRST,COUNT fail, as on a bad disk; with
 * TEST_EIO_TIMES=N only the first N of them.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

ssize_t pread(int fd, void *buf, size_t nbytes, off_t at);
ssize_t pread64(int fd, void *buf, size_t nbytes, off_t at);
int io_uring_queue_init(unsigned entries, void *ring, unsigned flags);

static bool is_bad(off_t at, size_t nbytes)
{
	const char *env = getenv("TEST_EIO"), *times = getenv("TEST_EIO_TIMES");
	unsigned long long first, count;
	static long failed;

	return env && sscanf(env, "%llu,%llu", &first, &count) == 2 &&
	       (unsigned long long)at < (first + count) * 512 && at + nbytes > first * 512 &&
	       (!times || failed++ < atol(times));
}

/* Reads that do not come through here would not fail. */
int io_uring_queue_init(unsigned entries, void *ring, unsigned flags)
{
	return -ENOSYS;
}

ssize_t pread64(int fd, void *buf, size_t nbytes, off_t at)
{
	static ssize_t (*real)(int, void *, size_t, off_t);

	if (!real)
		real = (ssize_t (*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, "pread64");
	if (is_bad(at, nbytes)) {
		errno = EIO;
		return -1;
	}
	return real(fd, buf, nbytes, at);
}

ssize_t pread(int fd, void *buf, size_t nbytes, off_t at)
{
	return pread64(fd, buf, nbytes, at);
}
