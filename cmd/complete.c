// SPDX-License-Identifier: GPL-2.0-only
/* What may stand behind an option, and names of devices: for completions. */
#include "applet.h"

#include "host/ids.h"
#include "host/probe.h"

#include <stdio.h>
#include <string.h>

static const struct { const char *option, *values; } values[] = {
	{ "--allocator", "inline\nthread" },
	{ "--cache-mode", "writethrough\nwriteback\nwritearound\nnone" },
	{ "--cache-replacement-policy", "lru\nfifo\nrandom" },
	{ "--commit", "none\nmemory" },
	{ "--policy", "lru\nfifo\nrandom" },
	{ "--reserve", "none\nbtree\nprio\nmovinggc" },
	{ "--workload", "clean\naged\nwriteback" },
};

static int print_uuid(void *ctx, struct cache_dev *dev)
{
	char uuid[CACHE_UUID_TEXT_BYTES];
	struct cache_sb sb;

	if (cache_probe_super(dev, &sb))
		printf("%s\n", cache_uuid_format(sb.uuid, uuid));
	return 0;
}

static int print_label(void *ctx, struct cache_dev *dev)
{
	struct cache_sb sb;

	/* a label with a blank is not one word */
	if (cache_probe_super(dev, &sb) && sb.label[0] &&
	    !strpbrk((const char *)sb.label, " \t\n\\'\"$`"))
		printf("%s\n", (const char *)sb.label);
	return 0;
}

int complete_values(const char *option)
{
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		if (!strcmp(option, values[i].option))
			puts(values[i].values);
	if (!strcmp(option, "UUID"))
		cache_probe_each(print_uuid, NULL);
	else if (!strcmp(option, "LABEL"))
		cache_probe_each(print_label, NULL);
	return EXIT_DONE;
}
