/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of make-cache share: the options, and how they are shown. */
#ifndef CMD_MAKE_CACHE_H
#define CMD_MAKE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "common.h"
#include "host/ids.h"
#include <libcache/format.h>
#include "host/probe.h"

/* A device of the command line, in addition to its entry in m.devs. */
struct make_target {
	const char *name;		/* as typed */
	char *path;			/* as resolved */
	struct cache_signature *sig;	/* what is on it now */
	unsigned nsig;
	struct make_dirty {		/* data that exists only in the cache on that device */
		char uuid[CACHE_UUID_TEXT_BYTES];
		char label[64];
		uint64_t sectors;
	} *dirty;
	unsigned ndirty;
	int dirty_unknown;		/* not 0: there may be more */
};

struct make {
	struct cmd cmd;
	struct cache_mkcache m;
	struct make_target *targets;
	int mode;			/* 'C', 'B'; 0: not given yet */
	bool has_uuid;			/* a -U was given before its device */
	uint8_t uuid[CACHE_UUID_BYTES];
	bool peer;			/* called as make-bcache */
	bool force, wipe_bcache, dry_run;
	const char *undo;		/* -z; NULL: none */
	int progress_fd;
	struct cmd_progress progress;
};

/* From now on progress is that of device @i. */
void make_progress_begin(struct make *mk, unsigned i);

/* On stderr: what would be overwritten, and whether that is allowed; 0 or an exit status */
int make_ask(struct make *mk);

/* On stdout: what was made, or with -n would be */
void make_show(struct make *mk);

#endif
