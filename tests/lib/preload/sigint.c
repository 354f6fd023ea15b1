// SPDX-License-Identifier: GPL-2.0-only
/*
 * LD_PRELOADed: Ctrl-C is pressed right before write or flush number TEST_SIGINT of the
 * process, counted from 1; the file TEST_SIGINT_SENT then exists.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

ssize_t pwrite(int fd, const void *buf, size_t nbytes, off_t at);
ssize_t pwrite64(int fd, const void *buf, size_t nbytes, off_t at);

/* A shell starts what is in the background with SIGINT ignored, and tests with it. */
__attribute__((constructor)) static void on_finding(void)
{
	signal(SIGINT, SIG_DFL);
}

static void count(void)
{
	const char *which = getenv("TEST_SIGINT"), *sent = getenv("TEST_SIGINT_SENT");
	static long calls;

	if (!which || ++calls != atol(which))
		return;
	if (sent)
		close(open(sent, O_WRONLY | O_CREAT, 0600));
	raise(SIGINT);
}

ssize_t pwrite64(int fd, const void *buf, size_t nbytes, off_t at)
{
	static ssize_t (*real)(int, const void *, size_t, off_t);

	if (!real)
		real = (ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite64");
	count();
	return real(fd, buf, nbytes, at);
}

ssize_t pwrite(int fd, const void *buf, size_t nbytes, off_t at)
{
	return pwrite64(fd, buf, nbytes, at);
}

int fdatasync(int fd)
{
	static int (*real)(int);

	if (!real)
		real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
	count();
	return real(fd);
}
