// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a process that only looks gives up once its devices are open, so that a hostile image that
 * exploits a defect in it can do little more: files by path (landlock), capabilities, and system
 * calls that start programs, open sockets or reach other processes (seccomp). Each is tried, and
 * where the kernel does not have it, nothing is said. What is open stays usable.
 */
#include "common.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Sanitizers open files and trace their own process when it ends. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAVE_SANITIZER true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAVE_SANITIZER true
#endif
#endif
#ifndef HAVE_SANITIZER
#define HAVE_SANITIZER false
#endif

/* Numbers that are the same on every architecture; headers may be older than the kernel. */
#define NR_LANDLOCK_CREATE_RULESET	444
#define NR_LANDLOCK_RESTRICT_SELF	446
#define LANDLOCK_VERSION		(1u << 0)

/* Rights of each version of landlock: all of version 1, then rename, truncate, ioctl. */
static uint64_t file_rights(long version)
{
	uint64_t rights = (UINT64_C(1) << 13) - 1;

	if (version >= 2)
		rights |= UINT64_C(1) << 13;
	if (version >= 3)
		rights |= UINT64_C(1) << 14;
	if (version >= 5)
		rights |= UINT64_C(1) << 15;
	return rights;
}

/* No rule is added: no path can be opened, made or removed any more. */
static void drop_files(void)
{
	long version = syscall(NR_LANDLOCK_CREATE_RULESET, NULL, 0, LANDLOCK_VERSION);
	uint64_t handled = file_rights(version);
	long fd;

	if (version < 1)
		return;
	fd = syscall(NR_LANDLOCK_CREATE_RULESET, &handled, sizeof(handled), 0);
	if (fd < 0)
		return;
	syscall(NR_LANDLOCK_RESTRICT_SELF, fd, 0);
	close((int)fd);
}

static void drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	syscall(SYS_capset, &head, none);
}

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define THIS_ARCH AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define THIS_ARCH AUDIT_ARCH_PPC64LE
#elif defined(__s390x__)
#define THIS_ARCH AUDIT_ARCH_S390X
#endif

#ifdef THIS_ARCH
static const unsigned forbidden[] = {
	SYS_execve, SYS_execveat, SYS_socket, SYS_socketpair, SYS_ptrace, SYS_process_vm_readv,
	SYS_process_vm_writev, SYS_unshare, SYS_setns, SYS_bpf, SYS_userfaultfd,
	SYS_perf_event_open, SYS_add_key, SYS_request_key, SYS_keyctl, SYS_open_by_handle_at,
};
#define NFORBIDDEN	(sizeof(forbidden) / sizeof(*forbidden))

/* Forbidden calls fail with EPERM, as do those of x32, which have other numbers. */
static void drop_calls(void)
{
	struct sock_filter f[4 + 1 + NFORBIDDEN + 2], *p = f;
	struct sock_fprog prog = { .filter = f };
	unsigned left = NFORBIDDEN;

	*p++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					    offsetof(struct seccomp_data, arch));
	*p++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 0,
					    NFORBIDDEN + 3);
	*p++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					    offsetof(struct seccomp_data, nr));
	*p++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000,
					    NFORBIDDEN + 1, 0);
	for (unsigned i = 0; i < NFORBIDDEN; i++, left--)
		*p++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, forbidden[i],
						    left, 0);
	*p++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	*p++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	prog.len = (unsigned short)(p - f);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}
#else
static void drop_calls(void)
{
}
#endif

void cmd_confine(void)
{
	const char *env = getenv("CACHE_TOOLS_UNCONFINED");

	if (HAVE_SANITIZER || (env && *env))
		return;
	tzset();	/* reads a file */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return;
	drop_files();
	drop_capabilities();
	drop_calls();
}
