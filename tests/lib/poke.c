// SPDX-License-Identifier: GPL-2.0-only
/*
 * poke FILE WHAT=VALUE...: damage an image by name, never by a byte offset.
 *
 * Each item finds its structure as the library would, changes it, and computes its
 * checksum again; with "raw:" in front the checksum is left as it was. Items are
 * done in order, each on what the ones before it left.
 *
 *	sb.FIELD				sb.nbuckets=128 sb.sync=0 raw:sb.label=x
 *	journal[SEQ|newest|oldest|atN].FIELD	.seq .root.gen .prio[0] =zero
 *	journal[SEQ].key[I].FIELD		.inode .size .bucket .gen
 *	journal.append=KEYS .fill=N .extents=N .copy[SEQ]=INDEX .wipe=1
 *	prio[MEMBER].FIELD prio.gen[BUCKET] prio.prio[BUCKET]
 *	uuid[SLOT].FIELD uuid.table=zero|garbage
 *	NODE.set[S].FIELD NODE.key[S][I].FIELD	NODE is root, leaf[N], interior[N], node[BUCKET]
 *	NODE.key[S][I]=drop|dup NODE.add[S]=KEYS NODE.append=KEYS NODE.create=KEYS
 *	NODE.after_end=1 NODE.recsum=1 NODE=zero
 *	start=N					a formatted device becomes one that has run
 *	extents=N extents[INODES]=N		the tree becomes one of that many
 *	scattered=N scattered[INODES]=N		the same, in buckets in no order
 *	dirty=N dirty[INODES]=N			in order again, and all dirty
 *	mixed[INODES][DIRTY:STALE]=N		in no order, with these shares in percent
 *	overlap=PERCENT				that share of leaves gets a second set
 *	where=BUCKET				prints its first sector and their number
 *
 * KEYS are {field=value,...};{...}, where like=N begins with a key that is there.
 * A value may be a number, +N or -N, or a bucket's name: free dirty0 clean0 leaf0
 * interior0 root uuid prio0 journal0.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "poke/poke.h"

void poke_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("poke: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(2);
}

void poke_unknown(const struct poke *p)
{
	poke_fail("%s has no such part or field", p->seg[0].name);
}

static void poke_where(struct poke *p)
{
	const struct cache_sb *sb = &p->set->sb;

	printf("%llu %llu\n", (unsigned long long)
	       cache_bucket_sector(sb, poke_index(p, p->value, sb->nbuckets)),
	       (unsigned long long)sb->bucket_sectors);
}

static const struct {
	const char *name;
	enum cache_load load;
	void (*poke)(struct poke *p);
} targets[] = {
	{ "sb",	      CACHE_LOAD_SUPER, poke_super },
	{ "journal",  CACHE_LOAD_MARKS, poke_journal },
	{ "prio",     CACHE_LOAD_MARKS, poke_prio },
	{ "uuid",     CACHE_LOAD_MARKS, poke_uuid },
	{ "root",     CACHE_LOAD_MARKS, poke_node },
	{ "leaf",     CACHE_LOAD_MARKS, poke_node },
	{ "interior", CACHE_LOAD_MARKS, poke_node },
	{ "node",     CACHE_LOAD_MARKS, poke_node },
	{ "start",    CACHE_LOAD_SUPER, poke_start },
	{ "extents",  CACHE_LOAD_MARKS, poke_extents },
	{ "scattered", CACHE_LOAD_MARKS, poke_scattered },
	{ "dirty", CACHE_LOAD_MARKS, poke_dirty },
	{ "mixed", CACHE_LOAD_MARKS, poke_mixed },
	{ "overlap", CACHE_LOAD_MARKS, poke_overlap },
	{ "where",    CACHE_LOAD_MARKS, poke_where },
};

/* Takes "name[index][index]" from @s; returns what follows. */
static const char *parse_seg(const char *s, struct poke_seg *seg)
{
	size_t n = strcspn(s, ".[=");

	if (!n || n >= sizeof(seg->name))
		poke_fail("expected a name at \"%s\"", s);
	memcpy(seg->name, s, n);
	for (s += n; *s == '[' && seg->nindex < 2; s += n + 2) {
		n = strcspn(s + 1, "]");
		if (!n || n >= sizeof(seg->index[0]) || s[n + 1] != ']')
			poke_fail("expected an index at \"%s\"", s);
		memcpy(seg->index[seg->nindex++], s + 1, n);
	}
	return s;
}

static void parse_item(const char *item, struct poke *p)
{
	const char *s = item;

	memset(p, 0, sizeof(*p));
	if (!strncmp(s, "raw:", 4)) {
		p->raw = true;
		s += 4;
	}
	do {
		if (p->nsegs == POKE_SEGS_MAX)
			poke_fail("too many parts in \"%s\"", item);
		s = parse_seg(s, &p->seg[p->nsegs++]);
	} while (*s == '.' && s++);
	if (*s != '=')
		poke_fail("expected WHAT=VALUE, got \"%s\"", item);
	p->value = s + 1;
}

static void poke_item(const char *file, const char *item)
{
	const struct cache_sink ignore = { cache_sink_ignore, NULL };
	struct cache_err err = { 0 };
	struct cache_dev *dev;
	struct poke p;
	size_t i;

	parse_item(item, &p);
	for (i = 0; i < sizeof(targets) / sizeof(*targets); i++)
		if (!strcmp(p.seg[0].name, targets[i].name))
			break;
	if (i == sizeof(targets) / sizeof(*targets))
		poke_fail("no target \"%s\"", p.seg[0].name);
	if (cache_dev_open(file, CACHE_DEV_WRITE, &dev, &err) ||
	    cache_set_load(dev, targets[i].load, &ignore, &p.set, &err))
		poke_fail("%s: %s", file, err.text);
	if (targets[i].load > p.set->loaded)
		poke_fail("%s: too damaged for %s", file, item);
	targets[i].poke(&p);
	cache_set_close(p.set);
	cache_dev_close(dev);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		poke_fail("usage: poke FILE WHAT=VALUE...");
	for (int i = 2; i < argc; i++)
		poke_item(argv[1], argv[i]);
	return 0;
}
