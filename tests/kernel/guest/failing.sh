# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# A backing device whose cache fails, and what becomes of it; the plan is one line:
#
#	NAME CACHE DEVICE SEED BLOCK SET KEY=VALUE...	as in crashed.sh: blocks span acked
#
# Variable DO:
#	fail	a read of BLOCK fails in the cache; the kernel lets go of the set
#	alone	the backing device runs without its cache
#	attach	the backing device, which is in no set, is attached to SET; every block is read

exec > /dev/ttyS1
read -r name cache back seed block uuid load < plan
blocks=16000 span=1 acked=
for v in $load; do eval "$v"; done

both() {
	register $cache
	register $back
	wait_for /sys/block/$cache/bcache/set && wait_for /sys/block/$back/bcache/dev || exit 1
	set=$(set_of $cache)
	tune_set $set
	dev=$(basename "$(readlink -f /sys/block/$back/bcache/dev)")
}

case $DO in
fail)
	both
	tune_dev $dev keep
	echo "was $(cat /sys/block/$dev/bcache/state)"
	echo 1 > $set/io_error_limit
	! dd if=/dev/$dev of=/dev/null bs=4k skip=$block count=1 iflag=direct 2> /dev/null ||
		echo "=== WRONG: block $block is read"
	for _ in $(seq 100); do
		[ -d $set ] || break
		usleep 100000
	done
	[ ! -d $set ] || echo "=== WRONG: the set goes on"
	sleep 1
	exit ;;
alone)
	register $back
	wait_for /sys/block/$back/bcache/running || exit 1
	echo 1 > /sys/block/$back/bcache/running
	wait_for /sys/block/$back/bcache/dev || exit 1 ;;
attach)
	both
	echo $uuid > /sys/block/$dev/bcache/attach
	sleep 1
	tune_dev $dev keep
	echo "now $(cat /sys/block/$dev/bcache/state)"
	./guest check /dev/$dev $seed $blocks $span $acked $acked ;;
esac
stop_all
