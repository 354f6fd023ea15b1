# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Our own program inside the guest: what the kernel holds it does not write to; what the
# kernel let go of it does, and the kernel takes it again. vda is a cache, vdb its backing
# device, vdc an archive with the program and its libraries, vdd a cache with damage that
# the kernel does not see.

sum() {
	dd if=/dev/$1 bs=64k count=64 2> /dev/null | md5sum | cut -d' ' -f1
}

# refused WHAT COMMAND...: fails, says who holds it, and the disk is as it was
refused() {
	what=$1; shift
	eval "disk=\${$#}"
	disk=${disk#/dev/}
	before=$(sum $disk)
	if "$@" > out 2>&1; then
		echo "=== WRONG $what: was done"
	elif ! grep -q 'registered as' out; then
		echo "=== WRONG $what: does not say why: $(head -1 out)"
	elif [ "$(sum $disk)" != "$before" ]; then
		echo "=== WRONG $what: wrote"
	else
		echo "refused $what: $(tail -1 out)"
	fi
}

# works WHAT COMMAND...
works() {
	what=$1; shift
	"$@" > out 2>&1 && echo "works $what" || echo "=== WRONG $what: $(tail -1 out)"
}

tar -x -f /dev/vdc -C / || exit 1
export PATH=$PATH:/tools
register vda
wait_for /sys/block/vda/bcache/set || exit 1
register vdb
wait_for /sys/block/vdb/bcache/dev || exit 1
register vdd
wait_for /sys/block/vdd/bcache/set || exit 1
for d in vda vdb; do
	refused "make-cache $d" make-cache -C /dev/$d
	refused "make-cache --force $d" make-cache --force -C /dev/$d
done
refused "cache-fsck -y" cache-fsck -y /dev/vdd
refused "cache-alloc --commit" cache-alloc -c 10 --commit /dev/vda
refused "cache-undo" cache-undo /tools/undo /dev/vda
works "cache-super-show" cache-super-show /dev/vda
stop_all || exit 1
for _ in $(seq 100); do
	ls -d /sys/block/vd*/bcache > /dev/null 2>&1 || break
	usleep 100000
done
works "cache-fsck -n" cache-fsck -n /dev/vda
works "cache-alloc --commit" cache-alloc -c 10 --commit /dev/vda
cache-fsck -y /dev/vdd > out 2>&1
[ $? = 1 ] && echo "works cache-fsck -y" || echo "=== WRONG cache-fsck -y: $(tail -n 1 out)"
for d in vda vdd; do
	register $d
	wait_for /sys/block/$d/bcache/set || echo "=== WRONG: $d does not start any more"
done
stop_all
