// SPDX-License-Identifier: GPL-2.0-only
#include "cache_serve.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAIT_NS	(10 * 1000 * 1000)

static void nap(void)
{
	const struct timespec t = { 0, WAIT_NS };

	nanosleep(&t, NULL);
}

static int take_given_socket(struct cmd *c, struct nbdkit *n)
{
	struct stat st;

	if (!*n->socket_given || strlen(n->socket_given) >= sizeof(n->socket))
		return cmd_fail(c, n->socket_given, "the path of a socket has 1 to %zu characters",
				sizeof(n->socket) - 1);
	if (!lstat(n->socket_given, &st))
		return cmd_fail(c, n->socket_given, "is there already: another file, or a server that uses it");
	snprintf(n->socket, sizeof(n->socket), "%s", n->socket_given);
	return 0;
}

int nbdkit_choose_socket(struct cmd *c, struct nbdkit *n)
{
	const char *run = getenv("XDG_RUNTIME_DIR");

	if (n->socket_given && take_given_socket(c, n))
		return EXIT_FAILED;
	if (!run || run[0] != '/' || strlen(run) > 50)
		run = "/tmp";
	snprintf(n->folder, sizeof(n->folder), "%s/cache-serve.XXXXXX", run);
	if (!mkdtemp(n->folder)) {
		n->folder[0] = '\0';
		return cmd_fail(c, run, "cannot make a folder for the socket: %s", strerror(errno));
	}
	if (!n->socket_given)
		snprintf(n->socket, sizeof(n->socket), "%s/nbd", n->folder);
	snprintf(n->pid_file, sizeof(n->pid_file), "%s/pid", n->folder);
	return 0;
}

#ifndef CACHE_PLUGIN_FOLDER
#define CACHE_PLUGIN_FOLDER	"../lib/nbdkit/plugins"
#endif

/* That of this build, or that installed with us; else the one that nbdkit knows by its name. */
static const char *find_plugin(char *buf, size_t nbytes)
{
	static const char *const folders[] = { "..", CACHE_PLUGIN_FOLDER };
	char exe[2048];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	exe[n > 0 ? n : 0] = '\0';
	slash = strrchr(exe, '/');
	if (slash)
		*slash = '\0';
	for (unsigned i = 0; i < 2 && slash; i++) {
		snprintf(buf, nbytes, "%s/%s/nbdkit-cache-tools-plugin.so", exe, folders[i]);
		if (!access(buf, R_OK))
			return buf;
	}
	return "cache-tools";
}

static char *assign(const char *key, const char *value)
{
	char *text = NULL;

	if (value && asprintf(&text, "%s=%s", key, value) < 0)
		text = NULL;
	return text;
}

static void exec_nbdkit(const struct nbdkit *n)
{
	char plugin[4096];
	char *argv[20], *word[3];
	unsigned argc = 0;

	argv[argc++] = "nbdkit";
	argv[argc++] = "--foreground";
	argv[argc++] = "--exit-with-parent";
	argv[argc++] = "--newstyle";
	argv[argc++] = "--unix";
	argv[argc++] = (char *)n->socket;
	/* written when it takes connections */
	argv[argc++] = "--pidfile";
	argv[argc++] = (char *)n->pid_file;
	if (n->overlay)
		argv[argc++] = "--filter=cow";
	else
		argv[argc++] = "--readonly";
	argv[argc++] = (char *)find_plugin(plugin, sizeof(plugin));
	word[0] = assign("cache", n->cache);
	word[1] = assign("backing", n->backing);
	word[2] = assign("volume", n->backing ? NULL : n->volume);
	for (unsigned i = 0; i < 3; i++)
		if (word[i])
			argv[argc++] = word[i];
	/* it was checked, or damage was accepted */
	argv[argc++] = n->force ? "force=true" : "checked=true";
	argv[argc] = NULL;
	execvp(argv[0], argv);
	_exit(errno == ENOENT ? 127 : 126);
}

/* The disposition that a program expects to begin with. */
static void default_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };

	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_DFL);
}

static int ended_early(struct cmd *c, struct nbdkit *n, int status)
{
	n->pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return cmd_fail(c, NULL, "nbdkit is not installed");
	return cmd_fail(c, NULL, "nbdkit ended with status %d", WIFEXITED(status) ?
			WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

int nbdkit_start(struct cmd *c, struct nbdkit *n)
{
	int status;

	n->pid = fork();
	if (n->pid < 0) {
		n->pid = 0;
		return cmd_fail(c, NULL, "cannot start nbdkit: %s", strerror(errno));
	}
	if (!n->pid) {
		/* it says errors on stderr; what we print is the result */
		dup2(STDERR_FILENO, STDOUT_FILENO);
		default_signals();
		exec_nbdkit(n);
	}
	while (access(n->pid_file, F_OK)) {
		if (waitpid(n->pid, &status, WNOHANG) == n->pid)
			return ended_early(c, n, status);
		if (cmd_cancelled())
			return cmd_fail(c, NULL, "cancelled");
		nap();
	}
	return 0;
}

int nbdkit_command(struct cmd *c, const struct nbdkit *n, char **argv)
{
	char uri[160];
	int status;
	pid_t pid;

	snprintf(uri, sizeof(uri), "nbd+unix:///?socket=%s", n->socket);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		default_signals();
		setenv("uri", uri, 1);
		setenv("unixsocket", n->socket, 1);
		execvp(argv[0], argv);
		cmd_fail(c, argv[0], "cannot be run: %s", strerror(errno));
		_exit(127);
	}
	if (pid < 0)
		return cmd_fail(c, argv[0], "cannot be run: %s", strerror(errno));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_FAILED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int nbdkit_wait(struct cmd *c, struct nbdkit *n)
{
	int status;

	while (!cmd_cancelled()) {
		if (waitpid(n->pid, &status, WNOHANG) == n->pid) {
			/* Ctrl-C goes to both of us */
			return cmd_cancelled() ? 0 : ended_early(c, n, status);
		}
		nap();
	}
	return 0;
}

void nbdkit_stop(struct nbdkit *n)
{
	if (n->pid > 0) {
		kill(n->pid, SIGTERM);
		while (waitpid(n->pid, NULL, 0) < 0 && errno == EINTR)
			;
		n->pid = 0;
		unlink(n->socket);
	}
	if (n->folder[0]) {
		unlink(n->pid_file);
		rmdir(n->folder);
	}
}
