/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CMD_NEAREST_H
#define CMD_NEAREST_H

/* The applet whose name is closest to what was typed; NULL when none is close. */
const char *nearest_applet(const char *name);

#endif
