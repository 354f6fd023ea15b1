// SPDX-License-Identifier: GPL-2.0-only
#include "report/report.h"
#include "base/err.h"
#include "deny.h"
#include "test.h"

#include <errno.h>
#include <json-c/json.h>
#include <locale.h>

static const struct cache_field cols[] = {
	{ "bucket", "Bucket", CACHE_UNIT_COUNT },
	{ "size_sectors", "Size", CACHE_UNIT_SECTORS },
	{ "mark", "Mark", CACHE_UNIT_TEXT },
	{ "hidden", NULL, CACHE_UNIT_TEXT },
};
static const struct cache_field seq = { "seq", "Seq", CACHE_UNIT_WORD };
static const struct cache_field chain = { "chain", "Chain", CACHE_UNIT_COUNT };
static const struct cache_field label = { "label", "Label", CACHE_UNIT_TEXT };
static const struct cache_field size = { "size_bytes", "Size", CACHE_UNIT_BYTES };
static const struct cache_field ratio = { "ratio", "Ratio", CACHE_UNIT_COUNT };

static char *doc;
static size_t doc_len;
static FILE *out;

static struct cache_report *start(unsigned flags)
{
	free(doc);
	doc = NULL;
	out = open_memstream(&doc, &doc_len);
	return cache_report_open(out, flags);
}

static int finish(struct cache_report *r)
{
	int ret = cache_report_close(r);

	fclose(out);
	return ret;
}

static void write_all(struct cache_report *r, unsigned rows, unsigned tflags)
{
	cache_report_object(r, "prio");
	cache_report_u64(r, &seq, 0x1234);
	cache_report_list(r, &chain);
	cache_report_u64(r, &chain, 7);
	cache_report_u64(r, &chain, 8);
	cache_report_end(r);
	cache_report_end(r);
	cache_report_table(r, "rows", cols, 4, tflags);
	for (unsigned i = 0; i < rows; i++) {
		cache_report_row(r);
		cache_report_u64(r, NULL, i);
		cache_report_u64(r, NULL, 16);
		cache_report_str(r, NULL, "clean");
		cache_report_bool(r, NULL, true);
		cache_report_end(r);
	}
	cache_report_end(r);
}

static struct json_object *at(struct json_object *o, const char *key)
{
	return json_object_object_get(o, key);
}

TEST(json_is_one_document_with_schema_first)
{
	struct cache_report *r = start(CACHE_REPORT_JSON);
	struct json_object *o, *row;

	write_all(r, 3, 0);
	CHECK_EQ(finish(r), 0);
	CHECK(!strncmp(doc, "{\n  \"schema\": 1,", 16));
	o = json_tokener_parse(doc);
	CHECK(o != NULL);
	CHECK_STR(json_object_get_string(at(at(o, "prio"), "seq")), "0x1234");
	CHECK_EQ(json_object_array_length(at(at(o, "prio"), "chain")), 2);
	CHECK_EQ(json_object_array_length(at(o, "rows")), 3);
	row = json_object_array_get_idx(at(o, "rows"), 2);
	CHECK_EQ(json_object_get_int(at(row, "bucket")), 2);
	CHECK_EQ(json_object_get_int(at(row, "size_sectors")), 16);
	CHECK(json_object_get_boolean(at(row, "hidden")));
	json_object_put(o);
}

TEST(text_aligns_a_table_and_leaves_out_json_only_fields)
{
	struct cache_report *r = start(0);

	write_all(r, 2, 0);
	CHECK_EQ(finish(r), 0);
	CHECK_STR(doc, "Seq:                    0x1234\n"
		       "Chain:                  7 8\n"
		       "Bucket    Size Mark\n"
		       "     0 8.0 KiB clean\n"
		       "     1 8.0 KiB clean\n");
}

TEST(tab_rows_carry_plain_numbers)
{
	struct cache_report *r = start(0);

	cache_report_table(r, "rows", cols, 4, CACHE_TABLE_TABS);
	cache_report_row(r);
	cache_report_u64(r, NULL, 1);
	cache_report_u64(r, NULL, 16);
	cache_report_null(r, NULL);
	cache_report_null(r, NULL);
	cache_report_end(r);
	CHECK_EQ(finish(r), 0);
	CHECK_STR(doc, "1\t16\t-\n");
}

TEST(a_long_text_table_has_one_heading_and_every_row)
{
	struct cache_report *r = start(0);
	unsigned lines = 0, headings = 0;

	cache_report_table(r, "rows", cols, 3, 0);
	for (unsigned i = 0; i < 3000; i++) {
		cache_report_row(r);
		cache_report_u64(r, NULL, i);
		cache_report_u64(r, NULL, i);
		cache_report_str(r, NULL, "free");
		cache_report_end(r);
	}
	cache_report_end(r);
	CHECK_EQ(finish(r), 0);
	for (char *s = doc; *s; s = strchr(s, '\n') + 1) {
		lines++;
		headings += !strncmp(s, "Bucket", 6);
	}
	CHECK_EQ(lines, 3001);
	CHECK_EQ(headings, 1);
}

TEST(exact_gives_bytes_and_otherwise_people_get_units)
{
	struct cache_report *r = start(CACHE_REPORT_EXACT);

	cache_report_u64(r, &size, 16 << 20);
	CHECK_EQ(finish(r), 0);
	CHECK_STR(doc, "Size:                   16777216\n");
	r = start(0);
	cache_report_u64(r, &size, 16 << 20);
	CHECK_EQ(finish(r), 0);
	CHECK_STR(doc, "Size:                   16.0 MiB\n");
}

TEST(a_hostile_label_reaches_neither_terminal_nor_json_raw)
{
	static const char evil[] = "a\x1b[2J\"\\\xff\xc0\xaf\xc2\x9b\xe2\x82\xac";
	struct cache_report *r;
	struct json_object *o;

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		SKIP("no C.UTF-8");
	r = start(0);
	cache_report_str(r, &label, evil);
	CHECK_EQ(finish(r), 0);
	CHECK_STR(doc, "Label:                  a\\x1b[2J\"\\\\xff\\xc0\\xaf\\xc2\\x9b\xe2\x82\xac\n");
	r = start(CACHE_REPORT_JSON);
	cache_report_str(r, &label, evil);
	CHECK_EQ(finish(r), 0);
	o = json_tokener_parse(doc);
	CHECK(o != NULL);
	CHECK_STR(json_object_get_string(at(o, "label")),
		  "a\x1b[2J\"\\\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xc2\x9b\xe2\x82\xac");
	json_object_put(o);
	/* elsewhere the terminal may take the bytes of a character for something else */
	setlocale(LC_CTYPE, "C");
	r = start(0);
	cache_report_str(r, &label, "\xe2\x82\xac");
	cache_report_line(r, "%s", "\xe2\x82\xac\n");
	CHECK_EQ(finish(r), 0);
	CHECK_STR(doc, "Label:                  \\xe2\\x82\\xac\n\\xe2\\x82\\xac\\x0a\n");
}

TEST(a_table_ends_whatever_a_cell_holds)
{
	static const char *const cells[] = { "donn\xc3\xa9" "es", "\xe6\x97\xa5", "\xcd\xb8", "\xff", "" };
	static const char *const locales[] = { "C", "C.UTF-8" };

	for (unsigned l = 0; l < 2; l++) {
		struct cache_report *r;

		if (!setlocale(LC_CTYPE, locales[l]))
			continue;
		r = start(0);
		cache_report_table(r, "rows", &label, 1, 0);
		for (unsigned i = 0; i < sizeof(cells) / sizeof(*cells); i++) {
			cache_report_row(r);
			cache_report_str(r, NULL, cells[i]);
			cache_report_end(r);
		}
		cache_report_end(r);
		CHECK_EQ(finish(r), 0);
		CHECK(!l == !!strstr(doc, "donn\\xc3\\xa9" "es"));
	}
	setlocale(LC_CTYPE, "C");
}

TEST(an_error_closes_what_is_open_and_comes_once)
{
	struct cache_report *r = start(CACHE_REPORT_JSON);
	struct json_object *o;

	cache_report_table(r, "rows", cols, 4, 0);
	cache_report_row(r);
	cache_report_u64(r, NULL, 1);
	cache_report_error(r, "x.set", -EBADMSG, 8, "checksum is \"wrong\"");
	cache_report_error(r, "y.set", -EIO, 0, "later");
	CHECK_EQ(finish(r), 0);
	o = json_tokener_parse(doc);
	CHECK(o != NULL);
	CHECK_STR(json_object_get_string(at(at(o, "error"), "code")), "EBADMSG");
	CHECK_STR(json_object_get_string(at(at(o, "error"), "device")), "x.set");
	CHECK_EQ(json_object_get_int(at(at(o, "error"), "sector")), 8);
	CHECK(!strstr(doc, "later"));
	json_object_put(o);
}

TEST(a_number_that_is_none_is_null)
{
	struct cache_report *r = start(CACHE_REPORT_JSON);

	cache_report_real(r, &ratio, 1.0 / 0.0);
	cache_report_real(r, &size, 2.5);
	CHECK_EQ(finish(r), 0);
	CHECK(strstr(doc, "\"ratio\": null"));
	CHECK(strstr(doc, "\"size_bytes\": 2.5"));
}

TEST(unbalanced_calls_are_the_callers_mistake)
{
	struct cache_report *r = start(CACHE_REPORT_JSON);

	cache_report_end(r);
	CHECK_EQ(finish(r), -EINVAL);

	r = start(0);
	cache_report_table(r, "rows", cols, 1, 0);
	cache_report_row(r);
	cache_report_u64(r, NULL, 1);
	cache_report_u64(r, NULL, 2);
	CHECK_EQ(finish(r), -EINVAL);

	r = start(CACHE_REPORT_JSON);
	for (unsigned i = 0; i <= CACHE_REPORT_DEPTH; i++)
		cache_report_object(r, "deep");
	CHECK_EQ(finish(r), -EINVAL);
}

TEST(a_full_disk_is_noticed)
{
	FILE *full = fopen("/dev/full", "w");
	struct cache_report *r;

	if (!full)
		SKIP("no /dev/full");
	r = cache_report_open(full, CACHE_REPORT_JSON);
	write_all(r, 100, 0);
	CHECK_EQ(cache_report_close(r), -ENOSPC);
	fclose(full);
}

static int report_denied(FILE *to, unsigned flags, long n, bool *reached)
{
	struct cache_report *r;
	int ret;

	deny_in = n;
	r = cache_report_open(to, flags);
	if (r)
		write_all(r, 3, 0);
	ret = r ? cache_report_close(r) : -ENOMEM;
	*reached = deny_in < 0;
	deny_in = -1;
	return ret;
}

TEST(whichever_allocation_fails_it_is_no_memory)
{
	static char buffer[65536];
	FILE *to = fopen("/dev/null", "w");

	if (!deny_works())
		SKIP("a sanitizer or valgrind has malloc");
	setvbuf(to, buffer, _IOFBF, sizeof(buffer));
	for (unsigned flags = 0; flags <= CACHE_REPORT_JSON; flags++) {
		bool reached = true;

		for (long n = 0; reached; n++) {
			int ret = report_denied(to, flags, n, &reached);

			/* libsmartcols does without some of what it asks for */
			if (ret != (reached ? -ENOMEM : 0) && (ret || flags))
				TEST_FAIL("allocation %ld failed and the answer was %d", n, ret);
			CHECK(n < 10000);
		}
	}
	fclose(to);
}

/* A mistake of the caller is kept until the end, and nothing more is printed. */
TEST(a_table_in_a_table_and_a_row_outside_of_one_are_mistakes)
{
	for (unsigned json = 0; json < 2; json++) {
		struct cache_report *r = start(json ? CACHE_REPORT_JSON : 0);

		cache_report_table(r, "rows", cols, 4, 0);
		cache_report_table(r, "more", cols, 4, 0);
		cache_report_row(r);
		CHECK_EQ(finish(r), -EINVAL);
		r = start(json ? CACHE_REPORT_JSON : 0);
		cache_report_row(r);
		cache_report_table(r, "rows", cols, 4, 0);
		CHECK_EQ(finish(r), -EINVAL);
	}
}

TEST_MAIN()
