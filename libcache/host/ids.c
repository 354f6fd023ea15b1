// SPDX-License-Identifier: GPL-2.0-only
/* The only file that uses libuuid. */
#include "host/ids.h"

#include <errno.h>
#include <string.h>
#include <uuid.h>

void cache_uuid_generate(uint8_t uuid[CACHE_UUID_BYTES])
{
	uuid_generate_random(uuid);
}

int cache_uuid_parse(const char *text, uint8_t uuid[CACHE_UUID_BYTES])
{
	uuid_t parsed;

	if (uuid_parse(text, parsed))
		return -EINVAL;
	memcpy(uuid, parsed, sizeof(parsed));
	return 0;
}

const char *cache_uuid_format(const uint8_t uuid[CACHE_UUID_BYTES],
			      char text[CACHE_UUID_TEXT_BYTES])
{
	uuid_unparse_lower(uuid, text);
	return text;
}

bool cache_uuid_is_zero(const uint8_t uuid[CACHE_UUID_BYTES])
{
	return uuid_is_null(uuid);
}
