# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Words of the guest scripts.

sets=/sys/fs/bcache

# A cut takes with it whatever the host was not yet given.
power_cut() {
	echo "=== POWER CUT"
	echo b > /proc/sysrq-trigger
	sleep 60
}

register() {
	echo "/dev/$1" > $sets/register
}

# wait_for FILE: devices appear a moment after the register came back.
wait_for() {
	for _ in $(seq 600); do
		[ -e "$1" ] && return 0
		usleep 100000
	done
	echo "=== NO $1"
	return 1
}

# The set that a cache disk belongs to.
set_of() {
	readlink -f /sys/block/$1/bcache/set
}

# tune SET: all of its I/O is cacheable.
tune_set() {
	echo 0 > $1/congested_read_threshold_us
	echo 0 > $1/congested_write_threshold_us
}

# tune_dev bcacheN MODE|keep: nothing bypasses, and dirty data stays dirty. (An idle set
# is written back whatever writeback_percent is, and that is not in the journal.)
tune_dev() {
	echo 0 > /sys/block/$1/bcache/sequential_cutoff
	[ -e /sys/block/$1/bcache/cache_mode ] || return 0
	[ "$2" = keep ] || echo $2 > /sys/block/$1/bcache/cache_mode
	echo 100 > /sys/block/$1/bcache/writeback_percent
	echo 0 > /sys/block/$1/bcache/writeback_running
}

# words DISK: what the kernel says of the set of this cache disk.
words() {
	set=$(set_of $1)
	for d in $set/bdev*; do
		[ -e $d/dirty_data ] && echo "${d##*/} $(cat $d/state)" \
			"dirty=$(cat $d/dirty_data) label=$(cat $d/label)" \
			"mode=$(sed 's/.*\[\(.*\)\].*/\1/' $d/cache_mode)"
	done
	cat $set/cache0/priority_stats
	for f in tree_depth btree_cache_size cache_available_percent average_key_size \
	    block_size bucket_size internal/cache_read_races internal/btree_nodes internal/btree_used_percent \
	    cache0/written cache0/btree_written cache0/metadata_written \
	    cache0/nbuckets cache0/cache_replacement_policy; do
		[ -e $set/$f ] && echo "$f=$(cat $set/$f)"
	done
}

# Lets go of everything in order.
stop_all() {
	for b in /sys/block/bcache*; do
		[ -d $b/bcache ] && echo 1 > $b/bcache/stop
	done
	for b in /sys/block/vd*/bcache; do	# still waiting for its set
		[ -e $b/running ] && [ ! -e $b/dev ] && echo 1 > $b/stop
	done
	for s in $sets/*-*; do
		[ -d $s ] && echo 1 > $s/stop
	done
	for _ in $(seq 600); do
		set -- $sets/*-*
		[ -d "$1" ] || return 0
		usleep 100000
	done
	echo "=== STOP HANGS"
	return 1
}
