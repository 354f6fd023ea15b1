// SPDX-License-Identifier: GPL-2.0-only
/* Which of the running sets somebody means. */
#include "status_pick.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* What a name is compared with. */
struct name {
	const char *uuid, *label;	/* NULL: cannot be one */
	char device[NAME_MAX + 1];	/* "vdb", "bcache0"; empty: is none */
};

/* "vdb", "/dev/vdb" and a link to it are the device vdb; another file of that name is not. */
static void resolve(const char *typed, struct name *name)
{
	char path[PATH_MAX];
	const char *device = typed;

	*name = (struct name){ NULL };
	if (!strncmp(typed, "LABEL=", 6)) {
		name->label = typed + 6;
		return;
	}
	name->uuid = !strncmp(typed, "UUID=", 5) ? typed + 5 : typed;
	if (strchr(typed, '/')) {
		if (realpath(typed, path))
			device = path;
		if (strncmp(device, "/dev/", 5))
			return;
		device = strrchr(device, '/') + 1;
	}
	snprintf(name->device, sizeof(name->device), "%.*s", (int)sizeof(name->device) - 1, device);
}

static bool is_device(const struct name *name, const struct cache_status_device *d)
{
	if (*name->device &&
	    (!strcmp(name->device, d->device) || !strcmp(name->device, d->bcache)))
		return true;
	if (name->label && *name->label && !strcmp(name->label, d->label))
		return true;
	return name->uuid && *name->uuid && !strcasecmp(name->uuid, d->uuid);
}

static bool has_device(const struct name *name, const struct cache_status_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (is_device(name, &l->d[i]))
			return true;
	return false;
}

static bool is_set(const struct name *name, const struct cache_status_set *s)
{
	return (name->uuid && *s->uuid && !strcasecmp(name->uuid, s->uuid)) ||
	       has_device(name, &s->caches) || has_device(name, &s->backing) ||
	       has_device(name, &s->volumes);
}

static bool is_any(const struct name *name, const struct cache_status *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (is_set(name, &s->set[i]))
			return true;
	return has_device(name, &s->without.backing);
}

static bool is_wanted(const struct name *name, unsigned n, const struct cache_status_set *s)
{
	for (unsigned i = 0; i < n; i++)
		if (is_set(&name[i], s))
			return true;
	return false;
}

/* Devices without a set are kept one by one. */
static void keep_lone(const struct name *name, unsigned n, struct cache_status_list *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++)
		for (unsigned k = 0; k < n; k++)
			if (is_device(&name[k], &l->d[i])) {
				l->d[kept++] = l->d[i];
				break;
			}
	l->n = kept;
}

static void keep_sets(const struct name *name, unsigned n, struct cache_status *s)
{
	for (size_t i = s->n; i-- > 0;)
		if (!is_wanted(name, n, &s->set[i]))
			cache_status_drop(s, i);
}

int status_pick(struct cmd *c, struct cache_status *s, char **names, unsigned n)
{
	struct name *name;

	if (!n)
		return 0;
	name = calloc(n, sizeof(*name));
	if (!name) {
		cmd_error(c, NULL, -ENOMEM, NULL);
		return -1;
	}
	for (unsigned i = 0; i < n; i++) {
		resolve(names[i], &name[i]);
		if (is_any(&name[i], s))
			continue;
		cmd_fail(c, names[i], "no running cache set has it");
		free(name);
		return -1;
	}
	keep_sets(name, n, s);
	keep_lone(name, n, &s->without.backing);
	free(name);
	return 0;
}
