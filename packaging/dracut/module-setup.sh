#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Module of dracut: what a root file system on bcache needs to start.

# called by dracut
check() {
	local fs
	if [[ $hostonly ]] || [[ $mount_needs ]]; then
		# shellcheck disable=SC2154 # of dracut
		for fs in "${host_fs_types[@]}"; do
			[[ $fs == bcache ]] && return 0
		done
		return 255
	fi
	return 0
}

depends() {
	return 0
}

installkernel() {
	instmods bcache
}

install() {
	local name
	inst_binary /usr/sbin/cache-tools
	for name in probe-bcache bcache-register bcache-export-cached bcache-keep-symlinks; do
		ln_r /usr/sbin/cache-tools "${udevdir:-/lib/udev}/$name"
	done
	for name in cache-fsck cache-super-show cache-undo; do
		ln_r /usr/sbin/cache-tools "/usr/sbin/$name"
	done
	inst_rules 69-bcache.rules
	inst_simple /etc/default/cache-tools
}
