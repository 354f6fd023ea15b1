/* SPDX-License-Identifier: GPL-2.0-only */
/* Complete transfers to and from files other than devices: undo files, header backups. */
#ifndef LIBCACHE_FD_IO_H
#define LIBCACHE_FD_IO_H

#include <stddef.h>
#include <sys/types.h>

/* Writes all of it at the file position; 0 or a negative errno. */
int cache_fd_write(int fd, const void *buf, size_t nbytes);
/* The same at a given offset. */
int cache_fd_write_at(int fd, const void *buf, size_t nbytes, off_t at);

/* 1 all was read, 0 the file ends before, or a negative errno. */
int cache_fd_read(int fd, void *buf, size_t nbytes, off_t at);

/* The name of a new file is durable when its directory is. 0 or a negative errno. */
int cache_fd_sync_folder(const char *file);

#endif
