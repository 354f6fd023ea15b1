// SPDX-License-Identifier: GPL-2.0-only
/* The message about a failure: the first cause is kept, context is put in front of it. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int cache_err_set(struct cache_err *err, int code, uint64_t sector,
		  const char *fmt, ...)
{
	va_list ap;

	if (!err || err->code)
		return code;

	err->code = code;
	err->sector = sector;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}

int cache_err_prefix(struct cache_err *err, int code, const char *fmt, ...)
{
	char old[CACHE_ERR_TEXT_BYTES];
	va_list ap;
	int len;

	if (!err)
		return code;

	snprintf(old, sizeof(old), "%s", cache_err_text(err, code));
	va_start(ap, fmt);
	len = vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	if (len >= 0 && (size_t)len < sizeof(err->text)) {
		int left = (int)(sizeof(err->text) - len) - 3;

		snprintf(err->text + len, sizeof(err->text) - len, ": %.*s",
			 left > 0 ? left : 0, old);
	}
	if (!err->code)
		err->code = code;
	return code;
}

const char *cache_err_text(const struct cache_err *err, int code)
{
	return err && err->code ? err->text : strerror(-code);
}
