# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Runs a plan, one line per device that is written:
#
#	NAME CACHE DEVICE SEED [KEY=VALUE]...
#
# CACHE: disk of the cache, or - when a line before named it. DEVICE: disk of the
# backing device, or "flash" for a volume without one, or - for none. Keys:
#	mode=writeback|...|keep	blocks=16000	span=1 (longest write)	batch=64 (per flush)
#	acked= total=	check these first; a wrong block fails the script
#	reads=0		random reads before the writes		both=0	and beside them
#	from=0 writes=0	write number and count			last=detach|gc
# What it says goes to ttyS1, undisturbed by the kernel. Variables: END=cut|stop (default
# stop), CUT_MS=time until the cut (default: when all have finished), MOMENTS=N: at so many
# moments of its writes, or of that time, the first of them when half is over, it says
# "=== MOMENT NAME N ===".

volume_of() {
	find "$(set_of $1)/" -maxdepth 1 -name 'volume*'
}

dev_of() {
	case $2 in
	flash)	basename "$(readlink -f "$(volume_of $1)/..")" ;;
	*)	basename "$(readlink -f /sys/block/$2/bcache/dev)" ;;
	esac
}

# start NAME CACHE DEVICE
start() {
	if [ $2 != - ]; then
		register $2 || { echo "=== REFUSED $1"; exit 1; }
		wait_for /sys/block/$2/bcache/set || exit 1
		tune_set "$(set_of $2)"
	fi
	case $3 in
	-) ;;
	flash)
		[ -n "$(volume_of $2)" ] || echo 8M > "$(set_of $2)/flash_vol_create"
		sleep 1 ;;
	*)
		register $3
		wait_for /sys/block/$3/bcache/dev ;;
	esac
}

# write_some NAME FROM COUNT BATCH HOW...: half of it, and then at each moment a part of the rest
write_some() {
	name=$1 from=$2 left=$3 batch=$4; shift 4
	some=$((left / 2)) n=1
	while [ $n -le ${MOMENTS:-0} ] && [ $some -gt 0 ]; do
		./guest write $* $from $some $batch
		echo "=== MOMENT $name $n ==="
		from=$((from + some)) left=$((left - some))
		some=$((left / (MOMENTS - n + 1))) n=$((n + 1))
	done
	[ $left = 0 ] || ./guest write $* $from $left $batch
}

# run_line NAME CACHE DEVICE SEED KEY=VALUE...
run_line() {
	name=$1 cache=$2 disk=$3 seed=$4
	mode=writeback blocks=16000 span=1 batch=64 acked= total= reads=0 both=0
	from=0 writes=0 last=
	shift 4
	for v; do eval "$v"; done
	[ $disk = - ] && return 0
	dev=$(dev_of $cache $disk)
	tune_dev $dev $mode
	how="/dev/$dev $seed $blocks $span"
	if [ -n "$acked" ]; then
		./guest check $how $acked $total || { echo "=== WRONG $name"; : > wrong; }
	fi
	[ $reads = 0 ] || ./guest read $how $reads 0
	nth=1
	while [ $both = 1 ]; do
		./guest read $how 1000 $nth > /dev/null
		nth=$((nth + 1))
	done &
	beside=$!
	if [ $cache != - ] && [ -z "$CUT_MS" ]; then
		write_some $name $from $writes $batch $how
	elif [ $writes != 0 ]; then
		./guest write $how $from $writes $batch
	fi
	kill $beside 2> /dev/null
	case $last in
	detach)
		echo 1 > /sys/block/$dev/bcache/writeback_running
		echo 1 > /sys/block/$dev/bcache/detach ;;
	gc)	echo 1 > "$(set_of $cache)/internal/trigger_gc" ;;
	esac
}

exec > /dev/ttyS1
while read -r name cache disk _; do
	start $name $cache $disk
done < plan
kids=
while read -r line; do
	run_line $line &
	kids="$kids $!"
done < plan
if [ -n "$CUT_MS" ]; then
	usleep $((CUT_MS * 500))
	while read -r name cache _; do
		[ -z "$MOMENTS" ] || [ $cache = - ] || echo "=== MOMENT $name 1 ==="
	done < plan
	usleep $((CUT_MS * 500))
	power_cut
fi
wait $kids
sleep 2
# the console may lag behind when the power is cut
dmesg | grep 'bcache: '
while read -r name cache _; do
	[ $cache = - ] && continue
	echo "=== WORDS $name"
	words $cache
	echo "=== END WORDS"
done < plan
[ "$END" = cut ] && power_cut
stop_all && [ ! -e wrong ]
