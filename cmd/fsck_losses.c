// SPDX-License-Identifier: GPL-2.0-only
#include "fsck_losses.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "fsck_show.h"
#include "host/ids.h"
#include "new_file.h"

/* One range as shown: in sectors of the bcache device, which has no data offset. */
struct shown {
	char uuid[CACHE_UUID_TEXT_BYTES];
	const char *path;		/* NULL: not given */
	uint64_t start, sectors;	/* 0: to the end of the device */
	bool certain;
	const struct cache_repair_loss *loss;
};

static const char *path_of(struct fsck_losses *l, const uint8_t uuid[16])
{
	if (!memcmp(l->asked_uuid, uuid, sizeof(l->asked_uuid)))
		return l->asked_path;
	memcpy(l->asked_uuid, uuid, sizeof(l->asked_uuid));
	l->asked_path = NULL;
	for (unsigned i = 0; i < l->n && !l->asked_path; i++) {
		struct cache_sb sb;

		if (l->devs[i] && !cache_sb_read(l->devs[i], &sb, NULL) && cache_sb_is_bdev(&sb) &&
		    !memcmp(sb.uuid, uuid, sizeof(sb.uuid)))
			l->asked_path = l->paths[i];
	}
	return l->asked_path;
}

static struct shown shown_of(struct fsck_losses *l, const struct cache_repair_loss *loss)
{
	uint64_t start = cache_max_u64(loss->start, loss->data_start);
	struct shown s = { .loss = loss, .start = start - loss->data_start,
			   .certain = loss->certain && !loss->kept };

	/* a range that ends before the data begins keeps its sector numbers */
	if (loss->end <= start)
		s.start = loss->start;
	if (loss->end <= start)
		s.sectors = loss->end - loss->start;
	else if (loss->end != UINT64_MAX)
		s.sectors = loss->end - start;
	cache_uuid_format(loss->uuid, s.uuid);
	if (!cache_uuid_is_zero(loss->uuid))
		s.path = path_of(l, loss->uuid);
	return s;
}

/* The name of the device; without a uuid only its slot is known. */
static void name_of(const struct shown *s, char *buf, size_t nbytes)
{
	if (cache_uuid_is_zero(s->loss->uuid))
		snprintf(buf, nbytes, "device %" PRIu64, s->loss->inode);
	else if (s->path)
		snprintf(buf, nbytes, "%s (%s)", s->uuid, s->path);
	else
		snprintf(buf, nbytes, "%s", s->uuid);
}

static const char *verb_of(const struct shown *s, bool done)
{
	if (!s->certain)
		return "may be lost";
	return done ? "lost" : "would be lost";
}

static void text_range(const struct fsck_losses *l, unsigned dev, const struct shown *s, bool done)
{
	char name[512], size[CACHE_HUMAN_BYTES] = "";
	struct cache_report *out = cmd_report(l->cmd);
	const char *why = cache_loss_text(s->loss->code);

	name_of(s, name, sizeof(name));
	fsck_show_sectors(l->cmd, s->sectors, size);
	if (s->sectors)
		cache_report_line(out, "%s: %s: %s, sectors %" PRIu64 " to %" PRIu64 " (%s): %s",
				  l->paths[dev], verb_of(s, done), name, s->start,
				  s->start + s->sectors, size, why);
	else
		cache_report_line(out, "%s: %s: %s, sectors %" PRIu64 " to the end: %s",
				  l->paths[dev], verb_of(s, done), name, s->start, why);
}

void fsck_losses_text(struct fsck_losses *l, unsigned dev, bool done)
{
	uint64_t sum[2] = { 0 }, ranges[2] = { 0 };
	char lost[CACHE_HUMAN_BYTES], doubt[CACHE_HUMAN_BYTES];

	cache_losses_merge(&l->all);
	for (size_t i = 0; i < l->all.n; i++) {
		struct shown s;

		if (l->all.list[i].dev != dev)
			continue;
		s = shown_of(l, &l->all.list[i].loss);
		sum[s.certain] += s.sectors;
		ranges[s.certain]++;
		text_range(l, dev, &s, done);
	}
	if (!ranges[0] && !ranges[1])
		return;
	fsck_show_sectors(l->cmd, sum[true], lost);
	fsck_show_sectors(l->cmd, sum[false], doubt);
	cache_report_line(cmd_report(l->cmd), "%s: %s of dirty data %s in %" PRIu64 " ranges, %s in "
			  "doubt in %" PRIu64 " ranges%s", l->paths[dev], lost,
			  done ? "lost" : "would be lost", ranges[true], doubt, ranges[false],
			  l->all.failed ? "; out of memory: some ranges are not listed" : "");
}

static void json_range(struct fsck_losses *l, const struct shown *s)
{
	static const struct cache_field
		uuid = { "device_uuid", NULL }, inode = { "inode", NULL }, path = { "path", NULL },
		start = { "start_sector", NULL }, sectors = { "sectors", NULL },
		dirty = { "dirty", NULL }, certain = { "certain", NULL }, code = { "code", NULL },
		reason = { "reason", NULL };
	struct cache_report *r = cmd_report(l->cmd);

	cache_report_object(r, NULL);
	if (cache_uuid_is_zero(s->loss->uuid))
		cache_report_null(r, &uuid);
	else
		cache_report_str(r, &uuid, s->uuid);
	cache_report_u64(r, &inode, s->loss->inode);
	if (s->path)
		cache_report_str(r, &path, s->path);
	else
		cache_report_null(r, &path);
	cache_report_u64(r, &start, s->start);
	if (s->sectors)
		cache_report_u64(r, &sectors, s->sectors);
	else
		cache_report_null(r, &sectors);
	cache_report_bool(r, &dirty, true);
	cache_report_bool(r, &certain, s->certain);
	cache_report_str(r, &code, cache_loss_code_name(s->loss->code));
	cache_report_str(r, &reason, cache_loss_text(s->loss->code));
	cache_report_end(r);
}

void fsck_losses_json(struct fsck_losses *l)
{
	cache_losses_merge(&l->all);
	cache_report_array(cmd_report(l->cmd), "losses");
	for (size_t i = 0; i < l->all.n; i++) {
		const struct shown s = shown_of(l, &l->all.list[i].loss);

		json_range(l, &s);
	}
	cache_report_end(cmd_report(l->cmd));
}

#define TSV_NAMES "device_uuid\tinode\tpath\tstart_sector\tsectors\tdirty\tcertain\tcode\treason\n"

int fsck_losses_open(struct fsck_losses *l, const char *name)
{
	l->name = name;
	if (!name)
		return 0;
	l->file = cmd_list_open(l->cmd, name, TSV_NAMES);
	return l->file ? 0 : EXIT_FAILED;
}

static void tsv_range(const struct fsck_losses *l, const struct shown *s)
{
	char sectors[24] = "-";

	if (s->sectors)
		snprintf(sectors, sizeof(sectors), "%" PRIu64, s->sectors);
	fprintf(l->file, "%s\t%" PRIu64 "\t%s\t%" PRIu64 "\t%s\tyes\t%s\t%s\t%s\n",
		cache_uuid_is_zero(s->loss->uuid) ? "-" : s->uuid, s->loss->inode,
		s->path ? s->path : "-", s->start, sectors, s->certain ? "yes" : "no",
		cache_loss_code_name(s->loss->code), cache_loss_text(s->loss->code));
}

int fsck_losses_close(struct fsck_losses *l)
{
	bool failed;

	if (!l->file)
		return 0;
	cache_losses_merge(&l->all);
	fputs(TSV_NAMES, l->file);
	for (size_t i = 0; i < l->all.n; i++) {
		const struct shown s = shown_of(l, &l->all.list[i].loss);

		tsv_range(l, &s);
	}
	failed = fflush(l->file) || ferror(l->file) || (fsync(fileno(l->file)) && errno != EINVAL &&
							errno != EROFS);
	failed |= fclose(l->file);
	l->file = NULL;
	return failed ? cmd_fail(l->cmd, l->name, "cannot write: %s", strerror(errno)) : 0;
}
