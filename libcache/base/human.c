// SPDX-License-Identifier: GPL-2.0-only
#include "base/human.h"
#include "base/types.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char units[] = "kmgtp";

/* Shift of the unit that @s spells, or -1 when it spells none. */
static int unit_shift(const char *s)
{
	const char *u;

	if (!*s)
		return 0;
	if (!strcmp(s, "s"))
		return CACHE_SECTOR_SHIFT;
	/* whatever the locale considers the capital letter of i */
	u = strchr(units, *s | 0x20);
	if (!u || (s[1] && ((s[1] | 0x20) != 'i' || (s[2] | 0x20) != 'b' || s[3])))
		return -1;
	return 10 * (int)(u - units + 1);
}

/* The digits after the point, in bytes of a unit of 1 << @shift, bit by bit. */
static int parse_fraction(const char **s, int shift, uint64_t *bytes)
{
	uint64_t scale = 1, digits = 0;

	for (; isdigit((unsigned char)**s); ++*s) {
		if (scale > UINT64_MAX / 10)
			return -ERANGE;
		scale *= 10;
		digits = digits * 10 + (unsigned)(**s - '0');
	}
	*bytes = 0;
	while (shift--) {
		bool bit = digits >= scale - digits;	/* twice as much may be too much */

		digits = bit ? digits - (scale - digits) : 2 * digits;
		*bytes = *bytes << 1 | bit;
	}
	return digits ? -EINVAL : 0;
}

static int parse_digits(const char *text, int base, uint64_t *number, const char **end)
{
	char *stop;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	*number = strtoull(text, &stop, base);
	*end = stop;
	return errno ? -errno : 0;
}

int cache_number_parse(const char *text, uint64_t *number)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *end;
	uint64_t v;
	int ret = parse_digits(text, hex ? 16 : 10, &v, &end);

	if (ret || *end)
		return ret ? ret : -EINVAL;
	*number = v;
	return 0;
}

int cache_bytes_parse(const char *text, uint64_t *bytes)
{
	uint64_t whole, part = 0;
	const char *end, *unit;
	int shift, ret;

	ret = parse_digits(text, 10, &whole, &end);
	if (ret)
		return ret;
	unit = *end == '.' ? end + 1 + strspn(end + 1, "0123456789") : end;
	shift = unit_shift(unit);
	if (shift < 0 || (*end == '.' && (unit == end + 1 || !shift)))
		return -EINVAL;
	if (*end == '.' && (end++, ret = parse_fraction(&end, shift, &part)))
		return ret;
	if (whole > (UINT64_MAX >> shift))
		return -ERANGE;
	*bytes = (whole << shift) + part;	/* part is below one unit */
	return 0;
}

char *cache_bytes_show(char buf[CACHE_HUMAN_BYTES], uint64_t bytes)
{
	static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	unsigned u = 0, tenth;
	uint64_t unit;

	while (u < 6 && bytes >> (10 * u) >= 1024)
		u++;
	unit = (uint64_t)1 << (10 * u);
	tenth = (unsigned)(bytes % unit * 10 / unit);	/* below 10 * 2^60 */
	if (!u)
		snprintf(buf, CACHE_HUMAN_BYTES, "%" PRIu64 " B", bytes);
	else
		snprintf(buf, CACHE_HUMAN_BYTES, "%" PRIu64 ".%u %s", bytes / unit,
			 tenth, names[u]);
	return buf;
}

char *cache_ns_show(char buf[CACHE_HUMAN_BYTES], uint64_t ns)
{
	uint64_t s = ns / 1000000000;

	if (ns < 1000)
		snprintf(buf, CACHE_HUMAN_BYTES, "%" PRIu64 " ns", ns);
	else if (ns < 1000000)
		snprintf(buf, CACHE_HUMAN_BYTES, "%.1f us", (double)ns / 1e3);
	else if (ns < 1000000000)
		snprintf(buf, CACHE_HUMAN_BYTES, "%.1f ms", (double)ns / 1e6);
	else if (s < 60)
		snprintf(buf, CACHE_HUMAN_BYTES, "%.2f s", (double)ns / 1e9);
	else if (s < 3600)
		snprintf(buf, CACHE_HUMAN_BYTES, "%u:%02u", (unsigned)(s / 60),
			 (unsigned)(s % 60));
	else
		snprintf(buf, CACHE_HUMAN_BYTES, "%" PRIu64 ":%02u:%02u", s / 3600,
			 (unsigned)(s / 60 % 60), (unsigned)(s % 60));
	return buf;
}
