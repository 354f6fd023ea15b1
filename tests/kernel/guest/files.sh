# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# File systems that the kernel makes and fills; a line of the plan each:
#
#	NAME CACHE|- DISK TYPE END		END: unmounted, or mounted: the log stays
#
# -: the disk has the file system itself. Variable TOOLS: a disk with an archive of what makes
# file systems, and of modules. DO=make: on writeback devices, then the power is cut. DO=look: they
# are mounted. Says of each file "sum NAME SHA256  PATH".

unpack() {
	tar -C / -xf /dev/$TOOLS
	[ ! -e /more/order ] || while read -r m; do
		insmod /more/$m.ko
	done < /more/order
}

# fill DIR FROM TO
fill() {
	mkdir -p $1/a/b $1/c
	for i in $(seq $2 $3); do
		seq $i $((i * 40)) > $1/a/b/$i
		ln $1/a/b/$i $1/c/link$i
		[ $((i % 5)) != 0 ] || rm $1/a/b/$i
		[ $((i % 7)) != 0 ] || mv $1/c/link$i $1/a/moved$i
	done
	dd if=/dev/urandom of=$1/random$2 bs=64k count=40 2> /dev/null
	sync
}

sums() {
	(cd $2 && find . -type f | sort | xargs sha256sum) | sed "s/^/sum $1 /"
}

make() {
	name=$1 cache=$2 disk=$3 type=$4 end=$5
	register $cache
	register $disk
	wait_for /sys/block/$cache/bcache/set && wait_for /sys/block/$disk/bcache/dev || return
	tune_set "$(set_of $cache)"
	dev=$(basename "$(readlink -f /sys/block/$disk/bcache/dev)")
	tune_dev $dev writeback
	mkfs.$type -q /dev/$dev || { echo "=== WRONG: no $type on $name"; return; }
	mkdir /mnt/$name
	mount -t $type /dev/$dev /mnt/$name || { echo "=== WRONG: $name is not mounted"; return; }
	fill /mnt/$name 1 120
	sums $name /mnt/$name > /sums.$name
	if [ $end = unmounted ]; then
		umount /mnt/$name
	else
		fill /mnt/$name 121 160
		sums $name /mnt/$name > /sums.$name
	fi
	cat /sums.$name
	echo "dirty $name $(cat /sys/block/$dev/bcache/dirty_data)"
}

look() {
	mkdir /mnt/$1
	mount -t $4 /dev/$3 /mnt/$1 || { echo "=== WRONG: $1 is not mounted"; return; }
	sums $1 /mnt/$1
	umount /mnt/$1
}

exec > /dev/ttyS1
unpack
mkdir -p /mnt
while read -r line; do
	# shellcheck disable=SC2086 # words
	$DO $line
done < plan
[ $DO = look ] || power_cut
