// SPDX-License-Identifier: GPL-2.0-only
/* What stands right of the =, and fields of structures by their names. */
#include <stdlib.h>
#include <string.h>

#include "host/ids.h"
#include "poke.h"

static bool plain_number(const char *text, uint64_t *v)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	*v = strtoull(text, &end, 0);
	return !*end;
}

/* NAME, NAME+N or NAME-N of a bucket */
static bool named_number(const struct poke *p, const char *text, uint64_t *v)
{
	size_t n = strcspn(text, "+-");
	uint64_t delta = 0;
	char name[32];

	if (!n || n >= sizeof(name) || (text[n] && !plain_number(text + n + 1, &delta)))
		return false;
	memcpy(name, text, n);
	name[n] = '\0';
	if (!poke_bucket(p, name, v))
		return false;
	*v += text[n] == '-' ? -delta : delta;
	return true;
}

uint64_t poke_number(const struct poke *p, const char *text, uint64_t old)
{
	uint64_t v;

	if (!strcmp(text, "flip"))
		return old ^ 1;
	if (!strcmp(text, "swap"))
		return __builtin_bswap64(old);
	if ((*text == '+' || *text == '-') && plain_number(text + 1, &v))
		return *text == '-' ? old - v : old + v;
	if (!plain_number(text, &v) && !named_number(p, text, &v))
		poke_fail("\"%s\" is neither a number nor the name of a bucket", text);
	return v;
}

uint64_t poke_index(const struct poke *p, const char *text, uint64_t count)
{
	uint64_t v = strcmp(text, "last") ? poke_number(p, text, 0) : count - 1;

	if (v >= count)
		poke_fail("index %s, there are %llu", text, (unsigned long long)count);
	return v;
}

static bool word_value(const char *words, const char *text, uint64_t *v)
{
	size_t len = strlen(text);

	for (*v = 0; words && *words; (*v)++) {
		size_t n = strcspn(words, " ");

		if (n == len && !strncmp(words, text, n))
			return true;
		words += n + (words[n] == ' ');
	}
	return false;
}

static void set_number(const struct poke *p, uint8_t *at, const struct poke_field *f)
{
	uint64_t mask = f->nbits && f->nbits < 64 ? (UINT64_C(1) << f->nbits) - 1 : ~UINT64_C(0);
	uint64_t word = 0, v;

	for (unsigned i = 0; i < f->nbytes; i++)
		word |= (uint64_t)at[i] << 8 * i;
	if (!word_value(f->words, p->value, &v))
		v = poke_number(p, p->value, word >> f->shift & mask);
	word = (word & ~(mask << f->shift)) | (v & mask) << f->shift;
	for (unsigned i = 0; i < f->nbytes; i++)
		at[i] = word >> 8 * i;
}

static void set_uuid(const struct poke *p, uint8_t *at)
{
	if (!strcmp(p->value, "zero"))
		memset(at, 0, CACHE_UUID_BYTES);
	else if (!strcmp(p->value, "tombstone"))
		memcpy(at, cache_uuid_tombstone, CACHE_UUID_BYTES);
	else if (!strcmp(p->value, "flip"))
		at[0] ^= 1;
	else if (cache_uuid_parse(p->value, at))
		poke_fail("\"%s\" is not a uuid", p->value);
}

static void set_text(const struct poke *p, uint8_t *at, size_t nbytes)
{
	size_t n = strlen(p->value);

	memset(at, 0, nbytes);
	memcpy(at, p->value, n < nbytes ? n : nbytes);
}

void poke_set(const struct poke *p, void *base, const struct poke_field *fields,
	      unsigned nfields, unsigned seg)
{
	const struct poke_seg *s = &p->seg[seg];
	const struct poke_field *f = fields;
	uint8_t *at;

	if (seg >= p->nsegs)
		poke_unknown(p);
	while (f < fields + nfields && strcmp(f->name, s->name))
		f++;
	if (f == fields + nfields || s->nindex != !!f->count)
		poke_unknown(p);
	at = (uint8_t *)base + f->offset;
	if (f->count)
		at += f->nbytes * poke_index(p, s->index[0], f->count);
	if (f->kind == POKE_KEY) {
		const struct poke_seg *k = &p->seg[seg + 1];

		if (seg + 2 != p->nsegs)
			poke_unknown(p);
		poke_set_key(p, (void *)at, k->name, k->nindex ? k->index[0] : NULL, p->value);
	} else if (seg + 1 != p->nsegs) {
		poke_unknown(p);
	} else if (f->kind == POKE_UUID) {
		set_uuid(p, at);
	} else if (f->kind == POKE_TEXT) {
		set_text(p, at, f->nbytes);
	} else {
		set_number(p, at, f);
	}
}
