// SPDX-License-Identifier: GPL-2.0-only
/*
 * Any bytes, taken for each structure in turn by its first byte: superblock, btree
 * node, key lists, sizes and numbers that a person typed.
 */
#include <stdlib.h>
#include <string.h>

#include "disk/jset_codec.h"
#include "disk/btree.h"
#include "base/human.h"
#include "set/set.h"
#include "format/super.h"
#include "target.h"

static const struct cache_sink ignore_findings = { .report = cache_sink_ignore };

static void super(const uint8_t *data, size_t size)
{
	uint8_t buf[CACHE_SB_BYTES] = { 0 };
	struct cache_sb sb;

	memcpy(buf, data, size < sizeof(buf) ? size : sizeof(buf));
	cache_sb_decode(buf, &sb);
	cache_sb_check(&sb, 1 << 20, 512, &ignore_findings, NULL);
	memcpy(sb.magic, cache_sb_magic, sizeof(sb.magic));
	if (!cache_sb_is_usable(&sb, 1 << 20) || cache_sb_is_bdev(&sb))
		return;
	if (!cache_prio_buckets(&sb) || !cache_nr_uuids(&sb))
		abort();
}

static void node(const uint8_t *data, size_t size)
{
	struct cache_sb sb = { .block_sectors = 1 << (data[1] & 3), .bucket_sectors = 64,
			       .nbuckets = 1024, .first_bucket = 1, .nr_in_set = 1 };
	struct cache_btree_node n = { .level = data[2] & 1, .bucket = 5 };
	char *buf = calloc(64, 512);

	memcpy(buf, data, size < 64 * 512 ? size : 64 * 512);
	n.key = cache_bkey_make(1, 1 << 20, 64, false);
	cache_bkey_set_ptrs(&n.key, 1);
	n.key.ptr[0] = cache_ptr_make(0, 320, 3);
	cache_btree_node_parse(&sb, buf, &n, &ignore_findings, NULL);
	cache_btree_node_fini(&n);
	free(buf);
}

static void keys(const uint8_t *data, size_t size)
{
	struct cache_keys list = { 0 };
	unsigned level = data[1] & 1;

	for (size_t i = 2; i + 8 <= size; i += 8) {
		struct cache_bkey k = cache_bkey_make(data[i] & 3, 256 + data[i + 1] +
						      data[i + 2] * 16, 1 + data[i + 3],
						      data[i + 4] & 1);

		cache_bkey_set_ptrs(&k, data[i + 5] & 1);
		k.ptr[0] = cache_ptr_make(0, 4096 + data[i + 6] * 8, data[i + 7]);
		if (cache_keys_push(&list, &k))
			break;
	}
	if (!cache_keys_settle(&list, level) && !cache_keys_are_sorted(&list, level))
		abort();
	cache_keys_fini(&list);
}

static void words(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	uint64_t v;

	cache_bytes_parse(text, &v);
	cache_number_parse(text, &v);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const kinds[])(const uint8_t *, size_t) = { super, node, keys, words };

	if (size >= 4)
		kinds[data[0] & 3](data, size);
	return 0;
}
