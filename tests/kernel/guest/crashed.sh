# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Starts one set after the other, all of them states of the same one, each beside the same
# backing device, to which next to nothing is written; a line of the plan each:
#
#	NAME CACHE DEVICE SEED KEY=VALUE...		as in workload.sh: blocks span acked total
#
# Says what the kernel counts as dirty, and checks every acknowledged block; what was cut
# off while it wrote, up to total, may be there as well.

one() {
	name=$1 cache=$2 disk=$3 seed=$4
	blocks=16000 span=1 acked= total=
	shift 4
	for v; do eval "$v"; done
	echo "=== STATE $name"
	# Writing back begins with the attaching: slowly, so that little comes home.
	register $disk
	wait_for /sys/block/$disk/bcache/writeback_rate || return
	echo 1 > /sys/block/$disk/bcache/writeback_rate
	register $cache || { echo "=== REFUSED $name"; return; }
	wait_for /sys/block/$disk/bcache/dev || return
	tune_set "$(set_of $cache)"
	dev=$(basename "$(readlink -f /sys/block/$disk/bcache/dev)")
	tune_dev $dev keep
	echo "dirty $name $(cat /sys/block/$dev/bcache/dirty_data)"
	./guest check /dev/$dev $seed $blocks $span $acked ${total:-$acked} || echo "=== WRONG $name"
}

# A backing device goes a moment after its set.
all_gone() {
	stop_all || return 1
	for _ in $(seq 100); do
		ls -d /sys/block/vd*/bcache > /dev/null 2>&1 || return 0
		usleep 100000
	done
	echo "=== STOP HANGS"
	return 1
}

# A line of the kernel's in the middle of ours would spoil it.
dmesg -n 1
while read -r line; do
	one $line
	all_gone || exit 1
done < plan
