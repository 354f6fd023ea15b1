// SPDX-License-Identifier: GPL-2.0-only
/* cache-fsck -t: where the time of a check went, and how long the driver's next start will take. */
#include "fsck_show.h"

static double seconds(uint64_t ns)
{
	return ns * 1e-9;
}

/* Of the whole run, which may have checked twice. */
static double bytes_per_second(const struct fsck_show *s, const struct cache_fsck_result *res)
{
	return s->seconds > 0 ? res->summary.read_bytes / s->seconds : 0;
}

static bool has_times(const struct cache_fsck_result *res)
{
	return res->has_summary && res->times.start_ns;
}

static void text_device(const struct fsck_show *s, unsigned i)
{
	const struct cache_fsck_result *res = fsck_final_result(s, i);
	const struct cache_fsck_times *t = &res->times;
	struct cache_report *out = cmd_report(s->cmd);

	if (!has_times(res))
		return;
	cache_report_line(out, "%s: read %.3f s, checksum %.3f s, merge %.3f s, marks %.3f s, "
			  "extents %.3f s; %.2f GB/s", s->paths[i], seconds(t->read_ns),
			  seconds(t->checksum_ns), seconds(t->merge_ns), seconds(t->mark_ns),
			  seconds(t->extents_ns), bytes_per_second(s, res) * 1e-9);
	cache_report_line(out, "%s: the kernel's next start takes about %.1f s on this machine, of "
			  "which checksums %.1f s", s->paths[i], seconds(t->start_ns),
			  seconds(t->start_checksum_ns));
}

void fsck_show_times(const struct fsck_show *s)
{
	cache_report_line(cmd_report(s->cmd), "checked in %.3f s, threads: %u", s->seconds,
			  s->threads);
	for (unsigned i = 0; i < s->n; i++)
		text_device(s, i);
}

void fsck_json_times(const struct fsck_show *s, const struct cache_fsck_result *res)
{
	struct cache_report *out = cmd_report(s->cmd);
	const struct cache_fsck_times *t = &res->times;
	const struct { const char *key; double v; } numbers[] = {
		{ "read_seconds", seconds(t->read_ns) },
		{ "checksum_seconds", seconds(t->checksum_ns) },
		{ "merge_seconds", seconds(t->merge_ns) },
		{ "mark_seconds", seconds(t->mark_ns) },
		{ "extent_seconds", seconds(t->extents_ns) },
		{ "bytes_per_second", bytes_per_second(s, res) },
		{ "start_seconds", seconds(t->start_ns) },
		{ "start_checksum_seconds", seconds(t->start_checksum_ns) },
	};

	if (!s->timed || !has_times(res))
		return;
	cache_report_object(out, "timing");
	cache_report_u64(out, &(struct cache_field){ "threads", NULL, CACHE_UNIT_COUNT }, s->threads);
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		cache_report_real(out, &(struct cache_field){ numbers[i].key, NULL, CACHE_UNIT_COUNT },
				  numbers[i].v);
	cache_report_end(out);
}
