/* SPDX-License-Identifier: GPL-2.0-only */
/* What main.c needs of an applet: one row of applets.def. */
#ifndef CMD_APPLET_H
#define CMD_APPLET_H

#include "exit.h"

enum applet_flags {
	APPLET_WRITES	= 1 << 0,	/* may change a device */
	APPLET_ALIAS	= 1 << 1,	/* a name scripts already use, not listed by itself */
};

struct applet {
	const char *name;		/* also the name of its link, man page, completion */
	int (*main)(int argc, char **argv);	/* returns the exit status */
	unsigned flags;			/* enum applet_flags */
	const char *summary;		/* one line, lower case */
};

#define APPLET(id, name, flags, summary) int id##_main(int argc, char **argv);
#define HELPER(id, name, flags, summary) APPLET(id, name, flags, summary)
#define ALIAS(id, name, flags, summary)
#include "applets.def"
#undef APPLET
#undef HELPER
#undef ALIAS

/*
 * Prints what may stand behind an option, a line each: the value, TAB, what it means; UUID and
 * LABEL: those of the devices here.
 */
int complete_values(const char *option);

const struct applet *applet_find(const char *name);
const struct applet *applet_list(unsigned *count);

#endif
