/* SPDX-License-Identifier: GPL-2.0-only */
/* The name of a file that is not there; a test makes it, and unlinks it. */
#ifndef TESTS_LIB_NEW_FILE_H
#define TESTS_LIB_NEW_FILE_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test.h"

static char file[] = "/tmp/test.XXXXXX";

static const char *new_file(void)
{
	int fd;

	strcpy(file, "/tmp/test.XXXXXX");
	fd = mkstemp(file);
	CHECK(fd >= 0);
	close(fd);
	unlink(file);
	return file;
}

#endif
