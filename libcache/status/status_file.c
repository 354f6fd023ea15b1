// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of sysfs, or of a copy of it. The value of a file that is absent, is no regular file,
 * cannot be read or vanishes while it is read is not known.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/human.h"
#include "base/types.h"
#include "status/status_file.h"

#define FILE_BYTES	4096	/* sysfs never shows more than a page */

/* All of a file, terminated; false when it is not known. */
static bool read_file(int folder, const char *name, char buf[FILE_BYTES + 1])
{
	int fd = openat(folder, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	ssize_t n = -1;

	if (fd < 0)
		return false;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		do
			n = read(fd, buf, FILE_BYTES);
		while (n < 0 && errno == EINTR);
	close(fd);
	if (n < 0)
		return false;
	buf[n] = '\0';
	return true;
}

/* The value behind "label:" at the start of a line of @text, cut out of it; NULL without one. */
static char *find_line(char *text, const char *label)
{
	size_t n = strlen(label);

	for (char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (!strncmp(line, label, n) && line[n] == ':') {
			line += n + 1;
			line[strcspn(line, "\n")] = '\0';
			return line;
		}
	return NULL;
}

static void read_number(int folder, const struct cache_status_def *def, char *buf, bool have,
			bool *known, double *v)
{
	char copy[FILE_BYTES + 1];
	char *text = buf;
	double number;

	if (!have)
		return;
	if (def->line) {
		memcpy(copy, buf, sizeof(copy));
		text = find_line(copy, def->line);
	}
	if (text && cache_status_number(text, &number)) {
		*known = true;
		*v = number * def->scale;
	}
}

/* A file that has several numbers is read once: the rows of values.def keep them together. */
void cache_status_read_numbers(int folder, enum cache_status_scope scope, bool priorities,
			       struct cache_status_numbers *n)
{
	char buf[FILE_BYTES + 1] = "";
	const char *last = "";
	bool have = false;

	for (unsigned v = 0; v < CACHE_STATUS_NVALUES; v++) {
		const struct cache_status_def *def = cache_status_def(v);

		if (def->scope != scope || !*def->file || (!priorities && !strcmp(def->file, "priority_stats")))
			continue;
		if (strcmp(def->file, last))
			have = read_file(folder, def->file, buf);
		last = def->file;
		read_number(folder, def, buf, have, &n->known[v], &n->v[v]);
	}
}

void cache_status_read_windows(int folder, struct cache_status_numbers *window)
{
	char name[32];
	int fd;

	for (unsigned w = 0; w < CACHE_STATUS_NWINDOWS; w++) {
		snprintf(name, sizeof(name), "stats_%s", cache_status_window_name(w));
		fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			continue;
		cache_status_read_numbers(fd, CACHE_STATUS_WINDOW, false, &window[w]);
		close(fd);
	}
}

static void copy_text(char to[CACHE_STATUS_NAME_BYTES], const char *from, size_t n)
{
	if (n >= CACHE_STATUS_NAME_BYTES)
		n = CACHE_STATUS_NAME_BYTES - 1;
	memcpy(to, from, n);
	to[n] = '\0';
}

/* The first line of a file. */
static void read_text(int folder, const char *name, char to[CACHE_STATUS_NAME_BYTES])
{
	char buf[FILE_BYTES + 1];

	if (read_file(folder, name, buf))
		copy_text(to, buf, strcspn(buf, "\n"));
}

/* Of a line such as "lru [fifo] random" the chosen word, and all of it. */
static void read_choice(int folder, const char *name, char to[CACHE_STATUS_NAME_BYTES],
			char all[CACHE_STATUS_NAME_BYTES])
{
	char line[CACHE_STATUS_NAME_BYTES] = "", *word = line;

	read_text(folder, name, line);
	if (!line[0])
		return;
	memcpy(all, line, sizeof(line));
	if (strchr(line, '[') && strchr(line, ']'))
		word = strchr(line, '[') + 1;
	copy_text(to, word, strcspn(word, "]"));
}

/* The @up'th last part of where link @name leads: of ".../vdb/bcache" 1 is "vdb". */
static void read_link(int at, const char *name, unsigned up, char to[CACHE_STATUS_NAME_BYTES])
{
	char target[PATH_MAX], *slash = NULL;
	ssize_t n = readlinkat(at, name, target, sizeof(target) - 1);

	if (n <= 0)
		return;
	target[n] = '\0';
	while (up-- && (slash = strrchr(target, '/')))
		*slash = '\0';
	slash = strrchr(target, '/');
	if (slash)
		copy_text(to, slash + 1, strlen(slash + 1));
}

static bool any_known(const struct cache_status_device *d)
{
	for (unsigned v = 0; v < CACHE_STATUS_NVALUES; v++)
		if (d->n.known[v])
			return true;
	return d->state[0] || d->cache_mode[0] || d->policy[0] || d->size_sectors;
}

bool cache_status_read_device(int at, const char *name, enum cache_status_scope scope,
			      bool priorities, struct cache_status_device *d)
{
	char text[CACHE_STATUS_NAME_BYTES] = "";
	double bytes;
	int folder = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (folder < 0)
		return false;
	cache_status_read_numbers(folder, scope, priorities, &d->n);
	cache_status_read_windows(folder, d->window);
	read_text(folder, "label", d->label);
	read_text(folder, "state", d->state);
	read_choice(folder, "cache_mode", d->cache_mode, d->choices);
	read_choice(folder, "cache_replacement_policy", d->policy, d->choices);
	read_text(folder, "backing_dev_uuid", d->uuid);
	read_link(folder, "dev", 0, d->bcache);
	if (!strncmp(d->name, "volume", 6)) {	/* its folder is below that of its bcacheN */
		read_link(at, name, 1, d->bcache);
		read_text(folder, "size", text);
		if (cache_status_number(text, &bytes) && bytes >= 0)
			d->size_sectors = bytes / CACHE_SECTOR_BYTES;
	} else {
		read_link(at, name, 1, d->device);
		if (!d->device[0])	/* a copy without links */
			read_text(folder, "backing_dev_name", d->device);
		read_text(folder, "../size", text);
		if (cache_number_parse(text, &d->size_sectors))
			d->size_sectors = 0;
	}
	close(folder);
	return any_known(d);
}

int cache_status_by_name(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

void cache_status_free_names(char **names, size_t n)
{
	for (size_t i = 0; names && i < n; i++)
		free(names[i]);
	free(names);
}
