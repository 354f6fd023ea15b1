/* SPDX-License-Identifier: GPL-2.0-only */
/* Running nbdkit with our plugin. */
#ifndef CMD_CACHE_SERVE_H
#define CMD_CACHE_SERVE_H

#include "common.h"

#include <sys/types.h>

struct nbdkit {
	const char *cache, *backing;	/* paths; @backing NULL: a flash volume */
	const char *volume;		/* its UUID */
	bool force, overlay;
	const char *socket_given;	/* --socket; NULL: one of our own */
	char socket[108];		/* as a socket's address holds it */
	char folder[80];		/* of our own socket, and of: */
	char pid_file[96];
	pid_t pid;
};

/* Chooses the socket. 0, or an exit status after an error was printed. */
int nbdkit_choose_socket(struct cmd *c, struct nbdkit *n);

/* Starts it and waits until it takes connections. 0, or an exit status after an error. */
int nbdkit_start(struct cmd *c, struct nbdkit *n);

/* Runs @argv with $uri and $unixsocket set. Returns its exit status, 128 + N for a signal. */
int nbdkit_command(struct cmd *c, const struct nbdkit *n, char **argv);

/* Waits until it ends or we are cancelled. 0, or an exit status after an error. */
int nbdkit_wait(struct cmd *c, struct nbdkit *n);

/* Ends it, and removes what it left. */
void nbdkit_stop(struct nbdkit *n);

#endif
