# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# The sysfs of a running cache set, as text: vda is its cache, vdb and vdc its backing devices, vdd
# one without a cache. vde, if it is there, is an archive with our program, which then looks at
# the same set, and with the commands of README. What is said goes to ttyS1, undisturbed by the kernel.

# record: files as "F PATH" and lines behind "|", links as "L PATH TARGET", paths below /sys
record() {
	{
		find /sys/fs/bcache
		for d in /sys/block/vd[a-d] /sys/block/bcache*; do
			echo "$d"
			d=$(readlink -f "$d")
			for f in $d/size $d/stat $d/dev $d/bcache; do
				echo "$f"
			done
			find "$(readlink -f $d/bcache)"
		done
	} | sort -u | while read -r f; do
		if [ -h "$f" ]; then
			echo "L ${f#/sys/} $(readlink "$f")"
		elif [ -f "$f" ] && cat "$f" > text 2> /dev/null; then
			echo "F ${f#/sys/}"
			sed 's/^/|/' text
		fi
	done
}

exec > /dev/ttyS1
for d in vda vdb vdc vdd; do
	register $d
done
wait_for /sys/block/vda/bcache/set || exit 1
set=$(set_of vda)
tune_set "$set"
for d in vdb vdc; do
	wait_for /sys/block/$d/bcache/dev || exit 1
done
[ -e /sys/block/vdd/bcache/running ] && echo 1 > /sys/block/vdd/bcache/running
b=$(basename "$(readlink -f /sys/block/vdb/bcache/dev)")
c=$(basename "$(readlink -f /sys/block/vdc/bcache/dev)")
tune_dev $b writeback
tune_dev $c writethrough
echo home > /sys/block/vdb/bcache/label
echo 8M > $set/flash_vol_create
./guest write /dev/$b 1 4000 1 0 2000 64 > /dev/null
./guest write /dev/$c 2 4000 1 0 600 64 > /dev/null
./guest read /dev/$b 1 4000 1 500 0 > /dev/null
./guest read /dev/$c 2 4000 1 500 0 > /dev/null
sync
echo 1 > /sys/block/vdb/bcache/writeback_running
# the driver adds up hits and misses every 23 seconds
sleep 26
./guest read /dev/$b 1 4000 1 100 1 > /dev/null
echo "=== SYSFS"
record
echo "=== END SYSFS"
[ -e /dev/vde ] || { stop_all; exit; }

# Our own program, on the same set, live; then while the devices of the set go one by one.
tar -x -f /dev/vde -C / || exit 1
export PATH=$PATH:/tools
for how in "" "-J --priorities" --prometheus "--devices -J"; do
	echo "=== LIVE $how"
	cache-status $how || echo "=== WRONG cache-status $how: $?"
	echo "=== END LIVE"
done
cd /readme || exit 1
while read -r command; do
	echo "=== LIVE README $command"
	sh -c "$command" || echo "=== WRONG README: $command: $?"
	echo "=== END LIVE"
done < commands
for f in *.*; do
	echo "=== LIVE FILE $f"
	base64 < $f
	echo "=== END LIVE"
done
cd /work || exit 1
cache-status /dev/$b > out || echo "=== WRONG: $b is not found"
cache-status --watch 1 --count 8 > watched 2>&1 &
watching=$!
: > going
: > looked
while [ -e going ]; do
	cache-status -J --priorities > out 2>&1 || echo "=== WRONG while it goes: $(head -c 200 out)"
	echo x >> looked
done &
looking=$!
# a start of the program takes a second or two here
for _ in $(seq 600); do
	grep -q 'bdev0 .*vdb' watched && [ "$(wc -l < looked)" -ge 2 ] && break
	usleep 100000
done
echo 1 > /sys/block/vdc/bcache/detach
sleep 4
stop_all || echo "=== WRONG: it does not stop"
rm going
wait $looking $watching
grep -q 'bdev0.*vdb' watched || echo "=== WRONG: --watch said: $(head -c 300 watched)"
echo "=== LOOKED $(wc -l < looked) times while it went"
echo "=== LAST $(cache-status)"
