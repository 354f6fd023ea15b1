// SPDX-License-Identifier: GPL-2.0-only
/* Selects the applet: by the name of the program, or by the first argument. */
#include "applet.h"
#include "common.h"
#include "nearest.h"

#include <libcache/version.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct applet applets[] = {
#define APPLET(id, name, flags, summary) { name, id##_main, flags, summary },
#define ALIAS(id, name, flags, summary) { name, id##_main, (flags) | APPLET_ALIAS, summary },
#define HELPER ALIAS
#include "applets.def"
#undef APPLET
#undef ALIAS
#undef HELPER
	{ NULL }
};

const struct applet *applet_list(unsigned *count)
{
	*count = sizeof(applets) / sizeof(applets[0]) - 1;
	return applets;
}

const struct applet *applet_find(const char *name)
{
	for (const struct applet *a = applets; a->name; a++)
		if (!strcmp(a->name, name))
			return a;
	return NULL;
}

/* What was printed has to arrive. */
static int end(void)
{
	return cmd_end(&(struct cmd){ .name = "cache-tools", .usage_status = EXIT_USAGE },
		       EXIT_DONE);
}

static int print_list(void)
{
	fputs("Usage: cache-tools APPLET [ARG...]\n"
	      "Format, inspect, check and repair bcache devices.\n\n", stdout);
	for (const struct applet *a = applets; a->name; a++)
		if (!(a->flags & APPLET_ALIAS))
			printf("  %-20s %s\n", a->name, a->summary);
	puts("\nEach applet also answers to its own name, and to --help.");
	return end();
}

static int unknown(const char *name)
{
	const char *near = nearest_applet(name);

	cmd_put(stderr, "cache-tools: no applet is called \"%s\"", name);
	if (near)
		fprintf(stderr, "; did you mean %s?", near);
	fputs("\nTry 'cache-tools --help' for the list.\n", stderr);
	return EXIT_USAGE;
}

/* A program that writes to a device ends at a safe point, not at a closed pipe. */
static int run(const struct applet *a, int argc, char **argv)
{
	argv[0] = (char *)a->name;
	if (a->flags & APPLET_WRITES)
		signal(SIGPIPE, SIG_IGN);
	return a->main(argc, argv);
}

/* For completions: all names, or the options of one applet. */
static int complete(const char *name)
{
	char *argv[] = { (char *)name, "--list-options", NULL };
	const struct applet *a = name ? applet_find(name) : NULL;

	if (a)
		return a->main(2, argv);
	for (a = applets; a->name && !name; a++)
		puts(a->name);
	return name ? EXIT_USAGE : EXIT_DONE;
}

int main(int argc, char **argv)
{
	const char *slash = argc ? strrchr(argv[0], '/') : NULL;
	const char *name = slash ? slash + 1 : argc ? argv[0] : "";
	const struct applet *a = applet_find(name);

	cmd_start();
	if (a)
		return run(a, argc, argv);
	name = argc > 1 ? argv[1] : "";
	a = applet_find(name);
	if (a)
		return run(a, argc - 1, argv + 1);
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "-?"))
		return print_list();
	if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
		printf("cache-tools (cache-tools) %s\n", cache_version(NULL));
		return end();
	}
	if (!strcmp(name, "--complete"))
		return argc > 3 ? complete_values(argv[3]) : complete(argv[2]);
	if (!*name)
		return print_list();
	return unknown(name);
}
