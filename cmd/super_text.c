// SPDX-License-Identifier: GPL-2.0-only
#include "super_text.h"
#include "exit.h"

#include "host/ids.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

enum { PEER_INVALID = 2, PEER_EXPERIMENTAL = 3 };

static bool is_version_known(const struct cache_sb *sb, bool peer)
{
	return cache_sb_is_bdev(sb) || sb->version == CACHE_SB_VERSION_CDEV ||
	       sb->version == CACHE_SB_VERSION_CDEV_WITH_UUID ||
	       (sb->version == CACHE_SB_VERSION_CDEV_WITH_FEATURES && !peer);
}

const char *super_type(const struct cache_sb *sb)
{
	return !is_version_known(sb, false) ? "unknown" :
	       cache_sb_is_bdev(sb) ? "backing" : "cache";
}

/* Letters, digits and .-_ unchanged, the rest as %hex. */
static void print_label(const uint8_t *label)
{
	fputs("dev.label\t\t", stdout);
	if (!*label)
		fputs("(empty)", stdout);
	for (; *label; label++) {
		if (*label < 0x80 && (isalnum(*label) || strchr(".-_", *label)))
			putchar(*label);
		else
			printf("%%%x", (signed char)*label);
	}
	putchar('\n');
}

static void print_uuid(const char *label, const uint8_t *uuid)
{
	char text[CACHE_UUID_TEXT_BYTES];

	printf("%s\t\t%s\n", label, cache_uuid_format(uuid, text));
}

/* The four lines that give a verdict; how many of them hold. */
static bool print_head(const struct cache_sb *sb, bool peer, bool force)
{
	if (!has_our_magic(sb)) {
		puts("sb.magic\t\tbad magic");
		return false;
	}
	printf("sb.magic\t\tok\nsb.first_sector\t\t%" PRIu64, sb->offset_sector);
	if (sb->offset_sector != CACHE_SB_SECTOR) {
		printf(" [expected %us]\n", CACHE_SB_SECTOR);
		if (peer)
			return false;
	} else {
		puts(" [match]");
	}
	printf("sb.csum\t\t\t%" PRIX64, sb->csum_stored);
	if (!is_csum_right(sb)) {
		printf(" [expected %" PRIX64 "]\n", sb->csum_computed);
		if (!force)
			return false;
	} else {
		puts(" [match]");
	}
	printf("sb.version\t\t%" PRIu64 " [%s%s]\n", sb->version,
	       !is_version_known(sb, peer) ? "unknown" : super_type(sb),
	       !is_version_known(sb, peer) ? "" : " device");
	return true;
}

static void print_device(const struct cache_sb *sb)
{
	putchar('\n');
	print_label(sb->label);
	print_uuid("dev.uuid", sb->uuid);
	printf("dev.sectors_per_block\t%" PRIu32 "\n", sb->block_sectors);
	printf("dev.sectors_per_bucket\t%" PRIu64 "\n", sb->bucket_sectors);
}

static void print_cache(const struct cache_sb *sb)
{
	unsigned replacement = cache_sb_replacement(sb);

	printf("dev.cache.first_sector\t%" PRIu64 "\n", sb->bucket_sectors * sb->first_bucket);
	printf("dev.cache.cache_sectors\t%" PRIu64 "\n",
	       sb->bucket_sectors * (sb->nbuckets - sb->first_bucket));
	printf("dev.cache.total_sectors\t%" PRIu64 "\n", sb->bucket_sectors * sb->nbuckets);
	printf("dev.cache.ordered\t%s\n", cache_sb_is_synced(sb) ? "yes" : "no");
	printf("dev.cache.discard\t%s\n", sb->flags & CACHE_SB_DISCARD ? "yes" : "no");
	printf("dev.cache.pos\t\t%u\n", sb->nr_this_dev);
	printf("dev.cache.replacement\t%u", replacement);
	if (replacement <= CACHE_RANDOM)
		printf(" [%s]", cache_replacement_name(replacement));
	putchar('\n');
}

static void print_backing(const struct cache_sb *sb)
{
	static const char *const modes[] = {
		"writethrough", "writeback", "writearound", "no caching"
	};
	static const char *const states[] = { "detached", "clean", "dirty", "inconsistent" };
	unsigned mode = cache_sb_bdev_mode(sb), state = cache_sb_bdev_state(sb);

	printf("dev.data.first_sector\t%" PRIu64 "\n",
	       sb->version == CACHE_SB_VERSION_BDEV ? CACHE_BDEV_DATA_START_SECTORS :
	       sb->data_offset_sectors);
	printf("dev.data.cache_mode\t%u", mode);
	if (mode <= CACHE_MODE_NONE)
		printf(" [%s]", modes[mode]);
	printf("\ndev.data.cache_state\t%u [%s]\n", state, states[state]);
}

static void print_tail(const struct cache_sb *sb)
{
	putchar('\n');
	print_uuid("cset.uuid", sb->set_uuid);
}

/* Lines that bcache-super-show does not have; later lines go after these. */
static void print_more(const struct cache_sb *sb)
{
	printf("\nsb.flags\t\t0x%" PRIx64 "\nsb.seq\t\t\t%" PRIu64 "\n", sb->flags, sb->seq);
	printf("sb.feature_compat\t0x%" PRIx64 "\nsb.feature_incompat\t0x%" PRIx64
	       "\nsb.feature_ro_compat\t0x%" PRIx64 "\n", sb->feature_compat,
	       sb->feature_incompat, sb->feature_ro_compat);
	printf("sb.last_mount\t\t%" PRIu32 "\n", sb->last_mount);
	if (cache_sb_is_bdev(sb))
		return;
	printf("dev.cache.buckets\t%" PRIu64 "\ndev.cache.first_bucket\t%u\n", sb->nbuckets,
	       sb->first_bucket);
	printf("dev.cache.set_size\t%u\n", sb->nr_in_set);
	printf("dev.cache.journal\t%u", sb->njournal);
	if (sb->njournal && sb->njournal <= CACHE_SB_JOURNAL_BUCKETS)
		printf(" [buckets %" PRIu64 " to %" PRIu64 "]", sb->journal_bucket[0],
		       sb->journal_bucket[sb->njournal - 1]);
	putchar('\n');
}

void super_print(const struct cache_sb *sb, bool all)
{
	print_head(sb, false, true);
	print_device(sb);
	if (cache_sb_is_bdev(sb))
		print_backing(sb);
	else
		print_cache(sb);
	print_tail(sb);
	if (all)
		print_more(sb);
}

/* After print_head(): the other lines of bcache-super-show, and its exit status. */
static int peer_rest(const struct cache_sb *sb)
{
	if (!is_version_known(sb, true))
		return EXIT_DONE;
	print_device(sb);
	if (cache_sb_is_bdev(sb)) {
		if (sb->version != CACHE_SB_VERSION_BDEV &&
		    (sb->njournal == 1 || sb->journal_bucket[0])) {
			fputs("Possible experimental format detected, bailing\n", stderr);
			return PEER_EXPERIMENTAL;
		}
		print_backing(sb);
	} else {
		print_cache(sb);
	}
	print_tail(sb);
	return EXIT_DONE;
}

int super_print_peer(const struct cache_sb *sb, bool force)
{
	if (print_head(sb, true, force))
		return peer_rest(sb);
	fputs(!has_our_magic(sb) ? "Invalid superblock (bad magic)\n" :
	      sb->offset_sector != CACHE_SB_SECTOR ? "Invalid superblock (bad sector)\n" :
	      "Corrupt superblock (bad csum)\n", stderr);
	return PEER_INVALID;
}
