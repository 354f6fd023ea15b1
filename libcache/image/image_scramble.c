// SPDX-License-Identifier: GPL-2.0-only
#include "image/image_scramble.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/bits.h"
#include "base/checked.h"
#include "base/crc64.h"
#include "base/rng.h"
#include "disk/jset_codec.h"
#include "format/bset_codec.h"
#include "format/correct.h"
#include "set/set.h"

/* Blocks by which extents move at most. */
#define SHIFT_BLOCKS	(UINT64_C(1) << 20)

struct uuid_pair {
	uint8_t was[16], is[16];
};

struct cache_scramble {
	const struct cache_sb *sb;
	struct cache_rng rng;
	uint64_t shift;			/* sectors */
	uint64_t flip;			/* of every magic */
	uint64_t uuid_sector;		/* where the table lies; 0: not known */
	uint64_t uuid_bytes;
	size_t entry_bytes;		/* of the table: old or new layout */
	uint64_t *interior;		/* one bit per bucket; NULL: no tree was read */
	uint64_t *flash;		/* one bit per slot of the uuid table; NULL: none was read */
	uint64_t nslots;
	struct uuid_pair *pair;
	size_t npairs, capacity;
};

/* The three structures that begin with a checksum and the set's magic. */
enum kind { KIND_NONE, KIND_JSET, KIND_PRIO, KIND_BSET };

static const uint64_t kind_magic[] = {
	[KIND_JSET] = CACHE_JSET_MAGIC, [KIND_PRIO] = CACHE_PSET_MAGIC,
	[KIND_BSET] = CACHE_BSET_MAGIC,
};

/* The same new UUID for the same old one; all zero and the tombstone stay. */
static int map_uuid(struct cache_scramble *s, uint8_t uuid[16])
{
	static const uint8_t zero[16];
	struct uuid_pair p;
	void *grown;

	if (!memcmp(uuid, zero, 16) || !memcmp(uuid, cache_uuid_tombstone, 16))
		return 0;
	for (size_t i = 0; i < s->npairs; i++)
		if (!memcmp(s->pair[i].was, uuid, 16)) {
			memcpy(uuid, s->pair[i].is, 16);
			return 0;
		}
	grown = cache_array_grow(s->pair, s->npairs, &s->capacity, sizeof(*s->pair));
	if (!grown)
		return -ENOMEM;
	s->pair = grown;
	memcpy(p.was, uuid, 16);
	for (unsigned i = 0; i < 2; i++) {
		cache_le64 word = cache_le64_of(cache_rng_u64(&s->rng));

		memcpy(p.is + 8 * i, &word, 8);
	}
	p.is[6] = (p.is[6] & 0x0f) | 0x40;	/* version 4, random */
	p.is[8] = (p.is[8] & 0x3f) | 0x80;
	s->pair[s->npairs++] = p;
	memcpy(uuid, p.is, 16);
	return 0;
}

static void map_text(uint8_t *text, size_t nbytes)
{
	for (size_t i = 0; i < nbytes; i++)
		if (text[i])
			text[i] = 'x';
}

static uint64_t word_at(const void *at)
{
	cache_le64 word;

	memcpy(&word, at, sizeof(word));
	return cache_le64_get(word);
}

static void put_word(void *at, uint64_t value)
{
	cache_le64 word = cache_le64_of(value);

	memcpy(at, &word, sizeof(word));
}

/* Bytes without a known meaning: zeros stay zeros, since a check distinguishes them. */
static void map_unknown(struct cache_scramble *s, char *bytes, size_t nbytes)
{
	for (size_t i = 0; i + 8 <= nbytes; i += 8)
		if (word_at(bytes + i))
			put_word(bytes + i, cache_rng_u64(&s->rng) | 1);
}

/*
 * A block that is no structure, but for two words that a check may know all the same: the seq
 * of the node before it, and a magic with its bytes in the order of another machine.
 */
static void map_block(struct cache_scramble *s, char *block, size_t nbytes, uint64_t node_seq)
{
	uint64_t swapped = __builtin_bswap64(word_at(block + 8)), seq = word_at(block + 16);
	bool is_swapped = false;

	for (enum kind k = KIND_JSET; k <= KIND_BSET; k++)
		is_swapped |= swapped == (cache_sb_set_magic(s->sb) ^ kind_magic[k]);
	map_unknown(s, block, nbytes);
	if (is_swapped)
		put_word(block + 8, __builtin_bswap64(swapped ^ s->flip));
	if (seq == node_seq)
		put_word(block + 16, seq);
}

static unsigned wrong_bytes(uint64_t a, uint64_t b)
{
	unsigned n = 0;

	for (uint64_t d = a ^ b; d; d >>= 8)
		n += !!(d & 0xff);
	return n;
}

static enum kind kind_at(const struct cache_scramble *s, const char *at)
{
	uint64_t magic = word_at(at + 8) ^ cache_sb_set_magic(s->sb);

	for (enum kind k = KIND_JSET; k <= KIND_BSET; k++)
		if (wrong_bytes(magic, kind_magic[k]) <= 2)
			return k;
	return KIND_NONE;
}

/* A key of which @words are left; positions that mean no extent stay. */
static void shift_key(const struct cache_scramble *s, char *at, const struct cache_bkey *k,
		      bool interior)
{
	uint64_t end, inode = cache_key_inode(k);
	/* the superblock of a backing device is there, which no extent covers */
	uint64_t first = inode < s->nslots && cache_bit(s->flash, inode) ? 0 :
			 CACHE_BDEV_DATA_START_SECTORS;

	if (inode == CACHE_KEY_INODE_MAX || cache_bkey_is_freeing(k) ||
	    (!interior && (cache_key_size(k) > k->low || cache_key_start(k) < first)) ||
	    !cache_add_ok(k->low, s->shift, &end) || end >= CACHE_KEY_OFFSET_MAX)
		return;
	put_word(at + 8, end);
}

static void shift_keys(const struct cache_scramble *s, char *at, uint64_t nwords, bool interior)
{
	while (nwords) {
		struct cache_bkey k;
		unsigned used = cache_bkey_decode((const cache_le64 *)at, nwords, &k);

		if (!used)
			return;
		shift_key(s, at, &k, interior);
		at += 8 * used;
		nwords -= used;
	}
}

/* A structure of @nbytes, all there: what is in it, with the error that its checksum has. */
static void scramble_entry(const struct cache_scramble *s, char *at, enum kind kind,
			   uint64_t nbytes, bool interior)
{
	const uint64_t header = kind == KIND_JSET ? CACHE_JSET_HEADER_BYTES : CACHE_BSET_HEADER_BYTES;
	uint64_t before = cache_crc64(at + 8, nbytes - 8);

	put_word(at + 8, word_at(at + 8) ^ s->flip);
	if (kind != KIND_PRIO)
		shift_keys(s, at + header, (nbytes - header) / 8, interior);
	/* a checksum is linear, whatever it was seeded with */
	put_word(at, word_at(at) ^ before ^ cache_crc64(at + 8, nbytes - 8));
}

static uint64_t entry_bytes(const struct cache_scramble *s, const char *at, enum kind kind)
{
	switch (kind) {
	case KIND_JSET:
		return cache_jset_bytes((const void *)at);
	case KIND_BSET:
		return cache_bset_bytes((const void *)at);
	default:
		return cache_meta_bucket_bytes(s->sb);
	}
}

/*
 * A single wrong byte is corrected first and made wrong again at the end: the length or a key
 * may be what is wrong, and a reader that corrects it must find what we make of the right one.
 */
static bool find_wrong_byte(const char *at, enum kind kind, uint64_t max, uint64_t seed,
			    char *copy, size_t *where, uint8_t *flip)
{
	const uint32_t header = kind == KIND_JSET ? CACHE_JSET_HEADER_BYTES : CACHE_BSET_HEADER_BYTES;
	bool seeded = kind == KIND_BSET &&
		      cache_le32_get(((const struct cache_bset_disk *)at)->version);

	memcpy(copy, at, max);
	if (max < header || !cache_correct_entry(copy, header, max, seeded ? &seed : NULL, NULL))
		return false;
	for (size_t i = 0; i < max; i++)
		if (copy[i] != at[i]) {
			*where = i;
			*flip = copy[i] ^ at[i];
			return true;
		}
	return false;
}

struct place {
	bool interior;
	uint64_t node_seq;	/* of the first set in the bucket; 0: there was none */
	char *copy;		/* as large as what is scrambled */
};

/* Return: bytes that were dealt with. */
static uint64_t scramble_at(struct cache_scramble *s, char *at, uint64_t max,
			    struct place *p)
{
	const uint64_t block = s->sb->block_sectors * (uint64_t)CACHE_SECTOR_BYTES;
	enum kind kind = max >= CACHE_JSET_HEADER_BYTES ? kind_at(s, at) : KIND_NONE;
	uint64_t nbytes, whole, limit = kind == KIND_JSET ? cache_min_u64(max, CACHE_JSET_MAX_BYTES) : max;
	size_t where = 0;
	uint8_t flip = 0;

	if (kind == KIND_NONE) {
		map_block(s, at, cache_min_u64(block, max), p->node_seq);
		return block;
	}
	if (kind == KIND_BSET && !p->node_seq)
		p->node_seq = word_at(at + offsetof(struct cache_bset_disk, seq));
	/* which gen seeded a node's checksum is not known here: byte errors of these stay bits */
	if (kind == KIND_JSET && find_wrong_byte(at, kind, limit, 0, p->copy, &where, &flip))
		at[where] ^= flip;
	nbytes = entry_bytes(s, at, kind);
	if (nbytes > limit) {
		put_word(at + 8, word_at(at + 8) ^ s->flip);
		shift_keys(s, at + CACHE_BSET_HEADER_BYTES, (limit - CACHE_BSET_HEADER_BYTES) / 8,
			   p->interior);
		return max;
	}
	scramble_entry(s, at, kind, nbytes, p->interior);
	at[where] ^= flip;
	whole = cache_min_u64(cache_div_up(nbytes, block) * block, max);
	memset(at + nbytes, 0, whole - nbytes);
	return whole;
}

static int scramble_uuid_table(struct cache_scramble *s, char *table, uint64_t nbytes)
{
	int ret = 0;

	for (uint64_t at = 0; at + s->entry_bytes <= nbytes && !ret; at += s->entry_bytes) {
		struct cache_uuid_disk *e = (void *)(table + at);
		uint64_t sectors;

		ret = map_uuid(s, e->uuid);
		map_text(e->label, sizeof(e->label));
		if (s->entry_bytes < sizeof(*e))
			continue;
		map_text(e->pad, sizeof(e->pad));
		/* extents of a flash volume move, so its end does too */
		if (cache_le32_get(e->flags) & CACHE_UUID_FLASH_ONLY &&
		    cache_add_ok(cache_le64_get(e->sectors), s->shift, &sectors))
			e->sectors = cache_le64_of(sectors);
	}
	return ret;
}

int cache_scramble_bucket(struct cache_scramble *s, uint64_t bucket, void *buf, uint64_t nsectors)
{
	uint64_t nbytes = nsectors * CACHE_SECTOR_BYTES, start = cache_bucket_sector(s->sb, bucket);
	struct place p = { .interior = s->interior && bucket < s->sb->nbuckets &&
				       cache_bit(s->interior, bucket) };

	/* a damaged entry may name a bucket of something else */
	if (s->uuid_sector && s->uuid_sector >= start && kind_at(s, buf) == KIND_NONE &&
	    s->uuid_sector + s->uuid_bytes / CACHE_SECTOR_BYTES <= start + nsectors)
		return scramble_uuid_table(s, (char *)buf + (s->uuid_sector - start) *
						CACHE_SECTOR_BYTES, s->uuid_bytes);
	p.copy = malloc(cache_min_u64(nbytes, CACHE_JSET_MAX_BYTES) + 1);
	if (!p.copy)
		return -ENOMEM;
	for (uint64_t at = 0; at < nbytes;)
		at += scramble_at(s, (char *)buf + at, nbytes - at, &p);
	free(p.copy);
	return 0;
}

int cache_scramble_super(struct cache_scramble *s, void *buf)
{
	struct cache_sb_disk *d = buf;
	uint64_t before = cache_sb_csum(buf);
	int ret = map_uuid(s, d->uuid);

	if (!ret)
		ret = map_uuid(s, d->set_uuid);
	map_text(d->label, sizeof(d->label));
	d->csum = cache_le64_of(cache_le64_get(d->csum) ^ before ^ cache_sb_csum(buf));
	/* behind the structure a backup or another program's bytes may lie */
	map_unknown(s, (char *)(d + 1), CACHE_SB_BYTES - sizeof(*d));
	return ret;
}

static int note_level(void *ctx, const struct cache_btree_node *n)
{
	struct cache_scramble *s = ctx;

	if (n->level && n->bucket < s->sb->nbuckets)
		cache_bit_set(s->interior, n->bucket);
	return 0;
}

static int learn_slots(struct cache_scramble *s, const struct cache_uuids *u)
{
	s->flash = cache_bits_new(u->n);
	if (!s->flash)
		return -ENOMEM;
	s->nslots = u->n;
	for (uint32_t i = 0; i < u->n; i++)
		if (cache_uuid_state(&u->slot[i]) == CACHE_SLOT_FLASH)
			cache_bit_set(s->flash, i);
	return 0;
}

static int learn(struct cache_scramble *s, struct cache_dev *dev)
{
	static const struct cache_sink silent = { cache_sink_ignore, NULL };
	struct cache_set *set = NULL;
	int ret = cache_set_load(dev, CACHE_LOAD_GENS, &silent, &set, NULL);

	if (ret)
		return ret == -ENOMEM ? ret : 0;
	if (set->has_journal) {
		const struct cache_jset *newest = &set->journal.newest;

		s->entry_bytes = newest->pos.version ? sizeof(struct cache_uuid_disk) :
						       sizeof(struct cache_uuid_v0_disk);
		if (!cache_btree_ptr_invalid(s->sb, &newest->uuid_bucket)) {
			s->uuid_sector = cache_ptr_sector(newest->uuid_bucket.ptr[0]);
			s->uuid_bytes = cache_key_size(&newest->uuid_bucket) *
					(uint64_t)CACHE_SECTOR_BYTES;
		}
	}
	if (set->loaded >= CACHE_LOAD_PRIOS)
		ret = learn_slots(s, &set->uuids);
	if (!ret && set->loaded >= CACHE_LOAD_GENS) {
		s->interior = cache_bits_new(s->sb->nbuckets);
		ret = s->interior ? cache_set_each_node(set, note_level, s, &silent, NULL) : -ENOMEM;
	}
	cache_set_close(set);
	return ret == -ENOMEM ? ret : 0;
}

int cache_scramble_new(struct cache_dev *dev, const struct cache_sb *sb, uint64_t seed,
		       struct cache_scramble **sp, struct cache_err *err)
{
	struct cache_scramble *s = calloc(1, sizeof(*s));
	uint8_t set_uuid[16];
	int ret = s ? 0 : -ENOMEM;

	if (!ret) {
		s->sb = sb;
		cache_rng_init(&s->rng, seed);
		s->shift = (1 + cache_rng_below(&s->rng, SHIFT_BLOCKS)) *
			   (sb->block_sectors ? sb->block_sectors : 1);
		memcpy(set_uuid, sb->set_uuid, sizeof(set_uuid));
		ret = map_uuid(s, set_uuid);
		s->flip = word_at(sb->set_uuid) ^ word_at(set_uuid);
	}
	if (!ret && !cache_sb_is_bdev(sb))
		ret = learn(s, dev);
	if (ret) {
		cache_scramble_free(s);
		return cache_err_set(err, ret, 0, "no memory to scramble");
	}
	*sp = s;
	return 0;
}

void cache_scramble_free(struct cache_scramble *s)
{
	if (!s)
		return;
	free(s->interior);
	free(s->flash);
	free(s->pair);
	free(s);
}
