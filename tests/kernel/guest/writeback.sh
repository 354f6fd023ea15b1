# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Starts one set after the other, written back without a kernel; a line of the plan each:
#
#	NAME CACHE|- DEVICE SEED KEY=VALUE...		as in crashed.sh; -: without its cache
#
# Says what the kernel counts as dirty, and checks every acknowledged block.

one() {
	name=$1 cache=$2 disk=$3 seed=$4
	blocks=16000 span=1 acked= total=
	shift 4
	for v; do eval "$v"; done
	echo "=== STATE $name"
	[ $cache = - ] || register $cache || { echo "=== REFUSED $name"; return; }
	register $disk
	wait_for /sys/block/$disk/bcache/dev || return
	dev=$(basename "$(readlink -f /sys/block/$disk/bcache/dev)")
	[ $cache = - ] || tune_set "$(set_of $cache)"
	echo "state $name $(cat /sys/block/$dev/bcache/state)"
	echo "dirty $name $(cat /sys/block/$dev/bcache/dirty_data)"
	./guest check /dev/$dev $seed $blocks $span $acked ${total:-$acked} || echo "=== WRONG $name"
}

dmesg -n 1
while read -r line; do
	one $line
	stop_all || exit 1
done < plan
