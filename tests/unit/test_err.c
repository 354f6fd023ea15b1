// SPDX-License-Identifier: GPL-2.0-only
/* The line for a person: the first cause, with what the callers know in front of it. */
#include <errno.h>

#include "base/err.h"
#include "test.h"

TEST(callers_put_what_they_know_in_front_of_the_cause)
{
	struct cache_err err = { 0 };

	CHECK_EQ(cache_err_set(&err, -EBADMSG, 8, "checksum is %d", 1), -EBADMSG);
	CHECK_EQ(cache_err_prefix(&err, -EBADMSG, "bucket %d", 2), -EBADMSG);
	CHECK_EQ(cache_err_prefix(&err, -EIO, "set"), -EIO);
	CHECK_STR(err.text, "set: bucket 2: checksum is 1");
	CHECK_EQ(err.code, -EBADMSG);
	CHECK_EQ(err.sector, 8);
}

TEST(without_a_cause_the_code_has_its_own_words)
{
	struct cache_err err = { 0 };

	CHECK_STR(cache_err_text(&err, -ENOSPC), strerror(ENOSPC));
	CHECK_STR(cache_err_text(NULL, -ENOSPC), strerror(ENOSPC));
	CHECK_EQ(cache_err_prefix(&err, -ENOSPC, "bucket 2"), -ENOSPC);
	CHECK_EQ(err.code, -ENOSPC);
	CHECK(!strncmp(err.text, "bucket 2: ", 10));
	CHECK_STR(err.text + 10, strerror(ENOSPC));
	CHECK_STR(cache_err_text(&err, -EIO), err.text);
}

TEST(without_a_struct_for_the_text_the_code_is_returned)
{
	CHECK_EQ(cache_err_set(NULL, -EIO, 0, "lost"), -EIO);
	CHECK_EQ(cache_err_prefix(NULL, -EIO, "bucket"), -EIO);
}

/* Around the end of the line, where what is added or what was there is cut off. */
TEST(a_line_too_long_is_cut_off_and_ends)
{
	static char xs[2 * CACHE_ERR_TEXT_BYTES];

	for (unsigned n = CACHE_ERR_TEXT_BYTES - 6; n < CACHE_ERR_TEXT_BYTES + 6; n++) {
		struct cache_err err = { 0 };

		memset(xs, 'x', n);
		xs[n] = 0;
		cache_err_set(&err, -EIO, 0, "cause");
		cache_err_prefix(&err, -EIO, "%s", xs);
		CHECK(strlen(err.text) < sizeof(err.text));
		CHECK(!strncmp(err.text, xs, strlen(xs) < sizeof(err.text) ? strlen(xs) :
			       sizeof(err.text) - 1));
		memset(&err, 0, sizeof(err));
		cache_err_set(&err, -EIO, 0, "%s", xs);
		CHECK(strlen(err.text) < sizeof(err.text));
		cache_err_prefix(&err, -EIO, "bucket");
		CHECK(!strncmp(err.text, "bucket: xxx", 11));
		CHECK(strlen(err.text) < sizeof(err.text));
	}
}

TEST_MAIN()
