// SPDX-License-Identifier: GPL-2.0-only
/*
 * LD_PRELOADed: at its end the process says on descriptor 9 what it could still do; with
 * TEST_OLD_KERNEL set, the calls that confine a process are not there.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <dlfcn.h>

#define NR_LANDLOCK_CREATE_RULESET	444

int prctl(int option, ...)
{
	static int (*real)(int, unsigned long, unsigned long, unsigned long, unsigned long);
	unsigned long arg[4];
	va_list ap;

	va_start(ap, option);
	for (unsigned i = 0; i < 4; i++)
		arg[i] = va_arg(ap, unsigned long);
	va_end(ap);
	if (getenv("TEST_OLD_KERNEL") && (option == PR_SET_SECCOMP || option == PR_SET_NO_NEW_PRIVS)) {
		errno = EINVAL;
		return -1;
	}
	if (!real)
		real = (int (*)(int, unsigned long, unsigned long, unsigned long,
				unsigned long))dlsym(RTLD_NEXT, "prctl");
	return real(option, arg[0], arg[1], arg[2], arg[3]);
}

static const char *result(long ret)
{
	if (ret >= 0)
		return "done";
	return errno == EACCES ? "EACCES" : errno == EPERM ? "EPERM" :
	       errno == ENOENT ? "ENOENT" : strerror(errno);
}

__attribute__((destructor)) static void try_everything(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct cap[_LINUX_CAPABILITY_U32S_3] = { 0 };
	char *argv[] = { NULL };

	if (fcntl(9, F_GETFD) < 0)
		return;
	dprintf(9, "landlock %s\n",
		syscall(NR_LANDLOCK_CREATE_RULESET, NULL, 0, 1) > 0 ? "yes" : "no");
	dprintf(9, "read %s\n", result(open("/dev/null", O_RDONLY)));
	dprintf(9, "write %s\n", result(open("/dev/null", O_WRONLY)));
	dprintf(9, "make %s\n", result(open("/tmp", O_TMPFILE | O_WRONLY, 0600)));
	dprintf(9, "socket %s\n", result(socket(AF_UNIX, SOCK_STREAM, 0)));
	dprintf(9, "exec %s\n", result(execv("/nonexistent", argv)));
	syscall(SYS_capget, &head, cap);
	dprintf(9, "capabilities %s\n", cap[0].effective | cap[0].permitted | cap[1].effective |
		cap[1].permitted ? "some" : "none");
}
