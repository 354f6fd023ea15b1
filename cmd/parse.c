// SPDX-License-Identifier: GPL-2.0-only
/* The start of a process: descriptors, locale, the command line and its errors. */
#include "common.h"

#include "base/types.h"

#include <libcache/version.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void cmd_start(void)
{
	static const int mode[] = { O_WRONLY, O_RDONLY, O_RDONLY };

	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", mode[fd]) < 0 &&
		    open("/", O_RDONLY) < 0)
			_exit(EXIT_FAILED);
	setlocale(LC_CTYPE, "");
}

enum { OPT_BYTES = 0x4000, OPT_LIST };

static const struct argp_option common_options[] = {
	{ "quiet", 'q', NULL, 0, "say nothing but errors", -2 },
	{ "verbose", 'v', NULL, 0, "say more; repeat for still more", -2 },
	{ "json", 'J', NULL, 0, "one JSON document instead of text", -2 },
	{ "bytes", OPT_BYTES, NULL, 0, "exact bytes in text, no units", -2 },
	{ "list-options", OPT_LIST, NULL, OPTION_HIDDEN, NULL, -2 },
	{ NULL, 'h', NULL, OPTION_HIDDEN, NULL, -2 },
	{ }
};

/* One per line, for completions: "--long" or "-s", and "=" when it takes a value. */
static void list_options(const struct argp *argp)
{
	const struct argp_option *o = argp->options;

	for (; o && (o->name || o->key || o->doc); o++) {
		if (o->flags & (OPTION_HIDDEN | OPTION_DOC))
			continue;
		if (o->name)
			printf("--%s%s\n", o->name, o->arg ? "=" : "");
		if (o->key > ' ' && o->key < 127)
			printf("-%c\n", o->key);
	}
	for (const struct argp_child *ch = argp->children; ch && ch->argp; ch++)
		list_options(ch->argp);
}

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
	struct cmd *c = state->input;

	switch (key) {
	case 'q':
		c->quiet = true;
		return 0;
	case 'v':
		c->verbose++;
		return 0;
	case 'J':
		c->json = true;
		return 0;
	case OPT_BYTES:
		c->bytes = true;
		return 0;
	case OPT_LIST:
		list_options(state->root_argp);
		exit(EXIT_DONE);
	case 'h':
		argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp common_argp = { common_options, parse_common };

static error_t parse_top(int key, char *arg, struct argp_state *state)
{
	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	state->child_inputs[0] = state->input;	/* struct cmd is its first member */
	state->child_inputs[1] = state->input;
	return 0;
}

static void print_version(FILE *out, struct argp_state *state)
{
	fprintf(out, "%s (cache-tools) %s\n", state->name, cache_version(NULL));
}

/*
 * Error messages of getopt and argp. Both write to stderr and end the process: meanwhile stderr
 * is a memory buffer, so that the user's text reaches a terminal escaped, and a JSON document
 * contains the error like any other.
 */
static struct {
	struct cmd *c;
	FILE *real;		/* stderr; NULL: nothing is redirected */
	char *text;
	size_t nbytes;
} usage;

/* The first line, without the program name. */
static void report_usage_error(struct cmd *c, const char *text)
{
	size_t name = strlen(c->name);
	char *line = strndup(text, strcspn(text, "\n"));
	const char *words = line ? line : "out of memory";

	if (!strncmp(words, c->name, name) && !strncmp(words + name, ": ", 2))
		words += name + 2;
	cache_report_error(cmd_report(c), NULL, -EINVAL, 0, words);
	cmd_end(c, EXIT_USAGE);
	free(line);
}

static void end_usage_words(void)
{
	if (!usage.real)
		return;
	fclose(stderr);
	stderr = usage.real;
	usage.real = NULL;
	for (char *line = usage.text, *next; line && *line; line = next) {
		size_t n = strcspn(line, "\n");

		next = line + n + (line[n] == '\n');
		cmd_put(stderr, "%.*s", (int)n, line);
		fputc('\n', stderr);
	}
	if (usage.c->json && usage.text && *usage.text)
		report_usage_error(usage.c, usage.text);
	free(usage.text);
	usage.text = NULL;
}

/* Within argp the process ends here: what --help and --version printed has to arrive. */
static void end_in_argp(void)
{
	struct cmd *c = usage.real ? usage.c : NULL;
	int status;

	end_usage_words();
	if (!c || c->json)	/* a document has been checked */
		return;
	status = cmd_end(c, EXIT_DONE);
	if (status != EXIT_DONE)
		_exit(status);
}

static void keep_usage_words(struct cmd *c)
{
	FILE *kept = open_memstream(&usage.text, &usage.nbytes);

	if (!kept)
		return;
	usage.c = c;
	usage.real = stderr;
	stderr = kept;
	atexit(end_in_argp);
}

static bool takes_value(const struct argp_option *o, int key)
{
	for (; o->name || o->key || o->doc; o++)
		if (o->key == key)
			return o->arg;
	return false;
}

/* Whether --json is among the options: an error may occur before it is parsed. */
static bool has_json(const struct argp_option *options, int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		const char *o = argv[i];

		if (!strncmp(o, "--j", 3) && !strncmp(o, "--json", strlen(o)))
			return true;
		if (*o != '-' || o[1] == '-')
			continue;
		while (*++o && !takes_value(options, *o))
			if (*o == 'J')
				return true;
	}
	return false;
}

void cmd_parse(struct cmd *c, const struct argp *argp, int argc, char **argv,
	       unsigned flags)
{
	struct argp applet = *argp;
	const struct argp_child children[] = {
		{ &applet }, { &common_argp }, { }
	};
	const struct argp root = {
		.parser = parse_top, .children = children,
		.args_doc = argp->args_doc, .doc = argp->doc,
		.help_filter = argp->help_filter,
	};

	applet.args_doc = applet.doc = NULL;
	c->name = argv[0];
	c->json = has_json(argp->options, argc, argv);
	argp_program_version_hook = print_version;
	argp_err_exit_status = c->usage_status;
	keep_usage_words(c);
	if (argp_parse(&root, argc, argv, flags, NULL, c))
		exit(c->usage_status);
	end_usage_words();
}

uint64_t cmd_arg_bytes(const struct argp_state *state, const char *what, const char *arg)
{
	uint64_t v = 0;

	if (cache_bytes_parse(arg, &v))
		argp_error(state, "%s is \"%s\", expected a size such as 512k, 8MiB or 16s",
			   what, arg);
	return v;
}

uint64_t cmd_arg_number(const struct argp_state *state, const char *what, const char *arg)
{
	uint64_t v = 0;

	if (cache_number_parse(arg, &v))
		argp_error(state, "%s is \"%s\", expected a number", what, arg);
	return v;
}

uint64_t cmd_arg_count(const struct argp_state *state, const char *what, const char *arg)
{
	static const char units[] = "kmgtpKMGTP";
	const char *unit = *arg ? strchr(units, arg[strlen(arg) - 1]) : NULL;
	uint64_t n;

	return unit && !cache_bytes_parse(arg, &n) ? n : cmd_arg_number(state, what, arg);
}

int cmd_sectors_parse(const char *arg, uint64_t *sectors)
{
	uint64_t nbytes;

	if (!cache_number_parse(arg, sectors))
		return 0;
	if (cache_bytes_parse(arg, &nbytes) || nbytes % CACHE_SECTOR_BYTES)
		return -EINVAL;
	*sectors = nbytes / CACHE_SECTOR_BYTES;
	return 0;
}

int cmd_arg_fd(const struct argp_state *state, const char *arg)
{
	uint64_t fd;
	int mode;

	if (cache_number_parse(arg, &fd) || fd > INT_MAX)
		argp_error(state, "file descriptor is \"%s\", expected a number", arg);
	if (!fd)
		return 0;
	mode = fcntl((int)fd, F_GETFL);
	if (mode < 0 || (mode & O_ACCMODE) == O_RDONLY)
		argp_error(state, "file descriptor %s is not open for writing", arg);
	return (int)fd;
}

unsigned cmd_arg_name(const struct argp_state *state, const char *what, const char *arg,
		      const char *(*name)(unsigned), unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(arg, name(i)))
			return i;
	argp_error(state, "unknown %s '%s'", what, arg);
	return 0;
}
