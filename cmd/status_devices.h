/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CMD_STATUS_DEVICES_H
#define CMD_STATUS_DEVICES_H

#include "common.h"
#include "status/status.h"

/*
 * What sysfs does not show: what is free of the journal's ring and the gens, as they are on the cache
 * devices, which are read and not locked while the driver writes to them. Of a device that cannot
 * be opened, or that changed so much meanwhile that it cannot be understood, they stay unknown,
 * and the former is a warning. @folder: where the devices are.
 */
void status_read_devices(struct cmd *c, const char *folder, struct cache_status *s);

#endif
