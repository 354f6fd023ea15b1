# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Starts one clone after the other, each with its backing device; a line of the plan each:
#
#	NAME CACHE DEVICE SEED KEY=VALUE...		as in crashed.sh
#
# Says what is attached and dirty, counts the cache hits of a read of every block, checks
# every acknowledged one, and lets the kernel write to the clone.

# hits bcacheN BEFORE: the driver adds up its counters every 22 seconds.
hits() {
	for _ in $(seq 50); do
		n=$(cat /sys/block/$1/bcache/stats_total/cache_hits)
		[ "$n" -lt $(($2 + 100)) ] || break
		sleep 1
	done
	echo "$n"
}

one() {
	name=$1 cache=$2 disk=$3 seed=$4
	blocks=16000 span=1 acked= total=
	shift 4
	for v; do eval "$v"; done
	echo "=== STATE $name"
	register $cache || { echo "=== REFUSED $name: $(dmesg | grep bcache | tail -n 2 | tr '\n' ' ')"; return; }
	register $disk
	wait_for /sys/block/$disk/bcache/dev || return
	dev=$(basename "$(readlink -f /sys/block/$disk/bcache/dev)")
	tune_set "$(set_of $cache)"
	tune_dev $dev keep
	echo "state $name $(cat /sys/block/$dev/bcache/state)"
	echo "dirty $name $(cat /sys/block/$dev/bcache/dirty_data)"
	before=$(cat /sys/block/$dev/bcache/stats_total/cache_hits)
	# block by block, and first: a read that misses would fill the cache
	dd if=/dev/$dev of=/dev/null bs=4k count=$blocks iflag=direct 2> /dev/null || echo "=== NO READ $name"
	echo "hits $name $before $(hits $dev $before)"
	./guest check /dev/$dev $seed $blocks $span $acked ${total:-$acked} || echo "=== WRONG $name"
	# what it writes now goes to the clone's own journal and buckets
	dd if=/dev/$dev of=/block bs=4k count=1 2> /dev/null
	dd if=/block of=/dev/$dev bs=4k count=1 oflag=direct 2> /dev/null || echo "=== NO WRITE $name"
}

dmesg -n 1
while read -r line; do
	one $line
	stop_all || exit 1
	sleep 1		# its folder is gone a moment before the set is
done < plan
