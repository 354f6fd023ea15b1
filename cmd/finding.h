/* SPDX-License-Identifier: GPL-2.0-only */
/* A finding in JSON: the same names in every applet. */
#ifndef CMD_FINDING_H
#define CMD_FINDING_H

#include <libcache/findings.h>
#include "report/report.h"

/* code, number, severity, verdict, remedy, text and the fields of the text, into the
 * object that is open. */
void cmd_report_finding(struct cache_report *r, const struct cache_finding *f);

#endif
