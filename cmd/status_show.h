/* SPDX-License-Identifier: GPL-2.0-only */
/* What cache-status prints: tables for people, the whole of it as JSON, growth over time. */
#ifndef CMD_STATUS_SHOW_H
#define CMD_STATUS_SHOW_H

#include "common.h"
#include "status/status.h"

/* In the document or text at hand; in JSON as "cache_sets" and "without_set". */
void status_show(struct cmd *c, const struct cache_status *s, bool priorities);

/* What happened between two readings, per second. */
void status_show_growth(struct cmd *c, const struct cache_status *from,
			const struct cache_status *to);

#endif
