// SPDX-License-Identifier: GPL-2.0-only
/* The prio chain: the prio_set of format 2.1, and chains that are whole or not. */
#include "disk.h"

#include <errno.h>

TEST(the_prio_set_of_the_spec_has_the_known_checksum)
{
	struct cache_sb sb = disk_sb(2048, 1024, 16);
	uint32_t nbytes = cache_meta_bucket_bytes(&sb);
	struct cache_prio_set_disk *b = calloc(1, nbytes);
	struct cache_bucket_disk *e = (void *)(b + 1);

	CHECK_EQ(nbytes, 524288);
	b->magic = cache_le64_of(cache_sb_set_magic(&sb) ^ CACHE_PSET_MAGIC);
	CHECK_EQ(cache_le64_get(b->magic), 0x4076c47ba4115eb1);
	b->seq = cache_le64_of(1);
	e[17].prio = cache_le16_of(32768);
	e[17].gen = 1;
	CHECK_EQ(cache_crc64((char *)b + 8, nbytes - 8), 0x9c1c7eafc92973cb);
	free(b);
}

/* 3000 buckets of 4 KiB: 1352 a prio_set, three members */
#define NBUCKETS	3000
#define PER		1352

static uint16_t prio[NBUCKETS];
static uint8_t gen[NBUCKETS];

static struct disk chain_disk(void)
{
	struct disk d = disk_new(NBUCKETS, 8, 8);

	for (unsigned b = 0; b < NBUCKETS; b++) {
		prio[b] = b * 7;
		gen[b] = b * 3;
	}
	put_prio_set(&d, 100, 5, 200, 0, prio, gen);
	put_prio_set(&d, 200, 5, 300, PER, prio, gen);
	put_prio_set(&d, 300, 5, 100, 2 * PER, prio, gen);	/* its link is undefined */
	return d;
}

static struct cache_prios read_chain(struct disk *d, uint64_t head, struct findings *h)
{
	struct cache_sink sink = findings_sink(h);
	struct cache_prios p;

	CHECK_EQ(cache_prio_read(d->dev, &d->sb, head, &p, &sink, NULL), 0);
	return p;
}

static void done(struct disk *d, struct cache_prios *p)
{
	cache_prio_fini(p);
	cache_dev_close(d->dev);
}

static int strict(struct disk *d, uint64_t head)
{
	struct cache_err err = { 0 };
	struct cache_prios p;
	int ret = cache_prio_read(d->dev, &d->sb, head, &p, NULL, &err);

	CHECK_EQ(err.code, ret);
	cache_prio_fini(&p);
	return ret;
}

TEST(a_chain_of_three_gives_every_bucket_and_ends_by_count)
{
	struct disk d = chain_disk();
	struct findings h;
	struct cache_prios p = read_chain(&d, 100, &h);

	CHECK_EQ(h.n, 0);
	CHECK_EQ(p.nmembers, 3);
	CHECK_EQ(p.nfollowed, 3);
	CHECK_EQ(p.chain[2], 300);
	CHECK_EQ(p.seq, 5);
	CHECK_MEM(p.prio, prio, sizeof(prio));
	CHECK_MEM(p.gen, gen, sizeof(gen));
	CHECK_EQ(strict(&d, 100), 0);
	done(&d, &p);
}

TEST(a_damaged_member_is_reported_and_the_others_are_still_read)
{
	struct disk d = chain_disk();
	struct cache_prios p;
	struct findings h;

	disk_flip(&d, 200 * 8, 1000);
	CHECK_EQ(strict(&d, 100), -EBADMSG);
	p = read_chain(&d, 100, &h);
	CHECK_EQ(findings_count(&h, CACHE_P_PRIO_CSUM), 1);
	CHECK_EQ(h.n, 1);
	CHECK_EQ(p.nfollowed, 3);
	CHECK(cache_prio_is_known(&d.sb, &p, PER - 1));
	CHECK(!cache_prio_is_known(&d.sb, &p, PER));
	CHECK_EQ(p.gen[PER], 0);
	CHECK_EQ(p.gen[2 * PER], gen[2 * PER]);
	done(&d, &p);
}

TEST(a_damaged_head_says_nothing_against_the_others)
{
	struct disk d = chain_disk();
	struct cache_prios p;
	struct findings h;

	disk_flip(&d, 100 * 8, 1000);
	p = read_chain(&d, 100, &h);
	CHECK_EQ(findings_count(&h, CACHE_P_PRIO_CSUM), 1);
	CHECK_EQ(findings_count(&h, CACHE_P_PRIO_SEQ), 0);
	CHECK(cache_prio_is_known(&d.sb, &p, 2 * PER));
	done(&d, &p);
}

TEST(a_wrong_magic_is_reported_before_the_checksum)
{
	struct disk d = chain_disk();
	struct cache_prios p;
	struct findings h;

	disk_flip(&d, 100 * 8, 8);
	CHECK_EQ(strict(&d, 100), -EBADMSG);
	p = read_chain(&d, 100, &h);
	CHECK_EQ(findings_count(&h, CACHE_P_PRIO_MAGIC), 1);
	done(&d, &p);
}

TEST(a_chain_that_returns_to_itself_ends)
{
	struct disk d = chain_disk();
	struct cache_prios p;
	struct findings h;

	put_prio_set(&d, 200, 5, 100, PER, prio, gen);
	CHECK_EQ(strict(&d, 100), -EUCLEAN);
	p = read_chain(&d, 100, &h);
	CHECK_EQ(findings_count(&h, CACHE_P_PRIO_LOOP), 1);
	CHECK_EQ(p.nfollowed, 2);
	done(&d, &p);
}

TEST(a_link_past_the_device_ends_the_chain)
{
	struct disk d = chain_disk();
	struct cache_prios p;
	struct findings h;

	put_prio_set(&d, 200, 5, UINT64_MAX, PER, prio, gen);
	CHECK_EQ(strict(&d, 100), -ERANGE);
	p = read_chain(&d, 100, &h);
	CHECK_EQ(findings_count(&h, CACHE_P_PRIO_RANGE), 1);
	CHECK_EQ(p.nfollowed, 2);
	done(&d, &p);
}

TEST(members_of_two_generations_are_told_apart)
{
	struct disk d = chain_disk();
	struct cache_prios p;
	struct findings h;

	put_prio_set(&d, 300, 4, 0, 2 * PER, prio, gen);
	CHECK_EQ(strict(&d, 100), -EUCLEAN);
	p = read_chain(&d, 100, &h);
	CHECK_EQ(findings_count(&h, CACHE_P_PRIO_SEQ), 1);
	done(&d, &p);
}

TEST(a_head_in_the_journal_is_reported)
{
	struct disk d = chain_disk();
	struct cache_prios p;
	struct findings h;

	put_prio_set(&d, 5, 5, 200, 0, prio, gen);
	p = read_chain(&d, 5, &h);
	CHECK_EQ(findings_count(&h, CACHE_P_PRIO_RESERVED), 1);
	CHECK_EQ(p.nfollowed, 3);
	done(&d, &p);
}

TEST_MAIN()
