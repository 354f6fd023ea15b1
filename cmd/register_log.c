// SPDX-License-Identifier: GPL-2.0-only
#include "bcache_register.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define NOTE_BYTES	16384

const char *register_path(const struct registration *r, const char *path, char buf[PATH_MAX])
{
	snprintf(buf, PATH_MAX, "%s%s", r->root, path);
	return buf;
}

bool register_write(const char *path, int flags, const char *line)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | flags, 0644);
	bool done = fd >= 0 && write(fd, line, strlen(line)) == (ssize_t)strlen(line);
	int error = errno;

	if (fd >= 0)
		close(fd);
	errno = error;
	return done;
}

/* The name of the file that remembers something of a device: what was said, or its refusal. */
static const char *note_path(const struct registration *r, const char *what, char buf[PATH_MAX])
{
	char name[64];
	struct stat st;

	if (stat(r->path, &st))
		return NULL;
	snprintf(name, sizeof(name), "/run/cache-tools/%s-%u:%u", what,
		 major(S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev),
		 minor(S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev));
	return register_path(r, name, buf);
}

/* Whether the file has this line; if not, it is added. */
static bool said_before(const struct registration *r, const char *line)
{
	char path[PATH_MAX], dir[PATH_MAX], old[NOTE_BYTES + 1];
	const char *name = note_path(r, "said", path);
	int fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t n = fd >= 0 ? read(fd, old, NOTE_BYTES) : 0;

	if (fd >= 0)
		close(fd);
	old[n > 0 ? n : 0] = '\0';
	if (strstr(old, line))
		return true;
	mkdir(register_path(r, "/run/cache-tools", dir), 0755);
	if (name && n < NOTE_BYTES)
		register_write(name, O_CREAT | O_APPEND | O_NOFOLLOW, line);
	return false;
}

/* A line of the kernel's log: nothing in it may end it early. */
static void log_to_kernel(const struct registration *r, int level, const char *text)
{
	char path[PATH_MAX], line[900];
	size_t end;

	if (!r->kmsg)
		return;
	snprintf(line, sizeof(line) - 1, "<%d>bcache-register: %s: %s", level, r->path, text);
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = '?';
	end = strlen(line);
	line[end] = '\n';
	line[end + 1] = '\0';
	if (!said_before(r, line))
		register_write(register_path(r, "/dev/kmsg", path), O_APPEND, line);
}

void register_warn(struct registration *r, const char *fmt, ...)
{
	char text[800];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	cmd_warn(&r->cmd, r->path, "%s", text);
	log_to_kernel(r, 4, text);
}

int register_fail(struct registration *r, const char *fmt, ...)
{
	char text[800];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_to_kernel(r, 3, text);
	/* in JSON a refusal is the result */
	return r->refused && r->cmd.json ? EXIT_FAILED : cmd_fail(&r->cmd, r->path, "%s", text);
}

void register_forget(const struct registration *r)
{
	char path[PATH_MAX];
	const char *note = r->kmsg ? note_path(r, "said", path) : NULL;

	if (note)
		unlink(note);
}

void register_remember(const struct registration *r)
{
	char path[PATH_MAX], dir[PATH_MAX], line[sizeof(r->found.text) + 16];
	const char *note = r->dry_run ? NULL : note_path(r, "refused", path);

	if (!note)
		return;
	unlink(note);
	if (!r->refused)
		return;
	mkdir(register_path(r, "/run/cache-tools", dir), 0755);
	snprintf(line, sizeof(line), "%d %s", r->found.verdict, r->found.text);
	register_write(note, O_CREAT | O_EXCL | O_NOFOLLOW, line);
}

bool register_recall(struct registration *r)
{
	char path[PATH_MAX], line[sizeof(r->found.text) + 16];
	const char *note = note_path(r, "refused", path);
	int fd = note ? open(note, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1, text = 0, verdict;
	ssize_t n = fd >= 0 ? read(fd, line, sizeof(line) - 1) : -1;

	if (fd >= 0)
		close(fd);
	line[n > 0 ? n : 0] = '\0';
	if (sscanf(line, "%d %n", &verdict, &text) != 1 || !text ||
	    verdict < CACHE_VERDICT_STARTS || verdict > CACHE_VERDICT_PANICS)
		return false;
	r->found.verdict = verdict;
	snprintf(r->found.text, sizeof(r->found.text), "%s", line + text);
	return true;
}
