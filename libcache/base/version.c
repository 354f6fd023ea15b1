// SPDX-License-Identifier: GPL-2.0-only
#include <libcache/version.h>

#include <stddef.h>

#define WORD_OF(n)	#n
#define WORD(n)		WORD_OF(n)

const char *cache_version(unsigned *number)
{
	if (number)
		*number = CACHE_VERSION;
	return WORD(CACHE_VERSION_MAJOR) "." WORD(CACHE_VERSION_MINOR) "."
	       WORD(CACHE_VERSION_PATCH);
}
