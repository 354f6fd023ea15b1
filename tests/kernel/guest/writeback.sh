# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Starts one set after the other, written back without a kernel; a line of the plan each:
#
#	NAME CACHE|- DEVICE SEED KEY=VALUE...		as in crashed.sh; -: without its cache
#
# Says what the kernel counts as dirty, and checks every acknowledged block. DEVICE may be
# "flash": the volume of the set.

one() {
	name=$1 cache=$2 disk=$3 seed=$4
	blocks=16000 span=1 acked= total=
	shift 4
	for v; do eval "$v"; done
	echo "=== STATE $name"
	[ $cache = - ] || register $cache || { echo "=== REFUSED $name"; return; }
	if [ $disk = flash ]; then
		dev=$(basename "$(readlink -f "$(set_of $cache)"/volume*/..)")
		[ -e /dev/$dev ] || { echo "=== NO VOLUME $name"; return; }
	else
		register $disk
		wait_for /sys/block/$disk/bcache/dev || return
		dev=$(basename "$(readlink -f /sys/block/$disk/bcache/dev)")
		echo "state $name $(cat /sys/block/$dev/bcache/state)"
		echo "dirty $name $(cat /sys/block/$dev/bcache/dirty_data)"
	fi
	[ $cache = - ] || tune_set "$(set_of $cache)"
	./guest check /dev/$dev $seed $blocks $span $acked ${total:-$acked} || echo "=== WRONG $name"
}

dmesg -n 1
while read -r line; do
	one $line
	stop_all || exit 1
	sleep 1		# its folder is gone a moment before the set is
done < plan
