/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel of this machine. */
#ifndef LIBCACHE_HOST_KERNEL_H
#define LIBCACHE_HOST_KERNEL_H

#include <stdbool.h>

/*
 * The release of the running kernel, as uname -r has it, if it is Linux and has the bcache
 * driver, loaded, built in, or as a module that can be loaded. Return: true with @release
 * filled and terminated; false otherwise, and when that cannot be determined. Thread safe.
 */
bool cache_kernel_with_bcache(char release[65]);

#endif
