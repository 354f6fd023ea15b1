// SPDX-License-Identifier: GPL-2.0-only
#include "finding.h"

#include "host/ids.h"

#include <stdio.h>
#include <string.h>

/*
 * One name has one type: a number that is a string in the document, because it is a full word
 * or counts up by one for ever, says so in its name.
 */
static const char *key_of(const struct cache_finding_field *v, char *buf, size_t nbytes)
{
	if (v->kind == CACHE_FIELD_HEX)
		snprintf(buf, nbytes, "%s_word", v->name);
	else if (v->kind == CACHE_FIELD_SEQ && strcmp(v->name, "seq"))
		snprintf(buf, nbytes, "%s_seq", v->name);
	else
		return v->name;
	return buf;
}

static void report_fields(struct cache_report *r, const struct cache_finding *f)
{
	struct cache_finding_field v;
	char uuid[CACHE_UUID_TEXT_BYTES], key[64];

	for (unsigned i = 0; cache_finding_field(f, i, &v); i++) {
		struct cache_field field = { key_of(&v, key, sizeof(key)), NULL, CACHE_UNIT_COUNT };

		switch (v.kind) {
		case CACHE_FIELD_HEX:
		case CACHE_FIELD_SEQ:
			field.unit = v.kind == CACHE_FIELD_SEQ ? CACHE_UNIT_SEQ : CACHE_UNIT_WORD;
			__attribute__((fallthrough));
		case CACHE_FIELD_NUMBER:
			cache_report_u64(r, &field, v.number);
			break;
		case CACHE_FIELD_WORD:
			cache_report_str(r, &field, v.word ? v.word : "");
			break;
		case CACHE_FIELD_UUID:
			cache_report_str(r, &field, cache_uuid_format(v.uuid, uuid));
			break;
		}
	}
}

void cmd_report_finding(struct cache_report *r, const struct cache_finding *f)
{
	static const struct cache_field
		code = { "code", NULL, CACHE_UNIT_TEXT },
		number = { "number", NULL, CACHE_UNIT_COUNT },
		severity = { "severity", NULL, CACHE_UNIT_TEXT },
		verdict = { "verdict", NULL, CACHE_UNIT_TEXT },
		remedy = { "remedy", NULL, CACHE_UNIT_TEXT },
		text = { "text", NULL, CACHE_UNIT_TEXT };
	const struct cache_problem_info *info = cache_problem_info(f->code);
	char line[512];

	cache_finding_text(f, line, sizeof(line));
	cache_report_str(r, &code, info->code);
	cache_report_u64(r, &number, info->number);
	cache_report_str(r, &severity, cache_severity_name(info->severity));
	cache_report_str(r, &verdict, cache_verdict_name(info->verdict));
	cache_report_str(r, &remedy, cache_remedy_name(info->remedy));
	cache_report_str(r, &text, line);
	report_fields(r, f);
}
