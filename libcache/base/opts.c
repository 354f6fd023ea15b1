// SPDX-License-Identifier: GPL-2.0-only
/* Structs of options that begin with their size, from callers built with any version. */
#include "base/err.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool is_zero(const uint8_t *p, size_t n)
{
	while (n && !*p)
		p++, n--;
	return !n;
}

int cache_opts_read(void *to, size_t nbytes, const void *from, struct cache_err *err)
{
	size_t theirs = nbytes;

	memset(to, 0, nbytes);
	memcpy(to, &nbytes, sizeof(nbytes));
	if (!from)
		return 0;
	memcpy(&theirs, from, sizeof(theirs));
	if (theirs < sizeof(theirs) || theirs % sizeof(void *))
		return cache_err_set(err, -EINVAL, 0, "options of %zu bytes: their size is not set",
				     theirs);
	if (theirs > nbytes && !is_zero((const uint8_t *)from + nbytes, theirs - nbytes))
		return cache_err_set(err, -EINVAL, 0,
				     "an option that this version of the library does not know");
	memcpy(to, from, theirs < nbytes ? theirs : nbytes);
	memcpy(to, &nbytes, sizeof(nbytes));
	return 0;
}
