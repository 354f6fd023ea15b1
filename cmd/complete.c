// SPDX-License-Identifier: GPL-2.0-only
/* Possible values of options, and names of devices, for completions. */
#include "applet.h"

#include "host/ids.h"
#include "host/probe.h"

#include <stdio.h>
#include <string.h>

/* Values, each with a TAB and what it means behind it. */
static const struct { const char *option, *values; } values[] = {
	{ "--allocator", "inline\tin the thread that asks\nthread\tin a thread of its own" },
	{ "--cache-mode", "writethrough\twrites go to both devices\n"
			  "writeback\twrites go to the cache first\n"
			  "writearound\twrites go to the backing device\n"
			  "none\tnothing is cached" },
	{ "--cache-replacement-policy", "lru\tthe bucket used longest ago\n"
					"fifo\tthe bucket filled longest ago\n"
					"random\tany bucket" },
	{ "--commit", "none\tgens are not written\nmemory\tgens are written to memory" },
	{ "--policy", "lru\tthe bucket used longest ago\nfifo\tthe bucket filled longest ago\n"
		      "random\tany bucket" },
	{ "--reserve", "none\tfor data\nbtree\tfor btree nodes\nprio\tfor prio_sets\n"
		       "movinggc\tfor the moving garbage collector" },
	{ "--workload", "clean\tclean data\naged\ta cache that has run for long\n"
			"writeback\tdirty data" },
};

static int print_uuid(void *ctx, struct cache_dev *dev)
{
	char uuid[CACHE_UUID_TEXT_BYTES];
	struct cache_sb sb;

	if (cache_probe_super(dev, &sb))
		printf("%s\t%s\n", cache_uuid_format(sb.uuid, uuid), cache_dev_name(dev));
	return 0;
}

static int print_label(void *ctx, struct cache_dev *dev)
{
	struct cache_sb sb;

	/* a label with a blank is not one word */
	if (cache_probe_super(dev, &sb) && sb.label[0] &&
	    !strpbrk((const char *)sb.label, " \t\n\\'\"$`"))
		printf("%s\t%s\n", (const char *)sb.label, cache_dev_name(dev));
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
