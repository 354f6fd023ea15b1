# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the scenarios share: trees of Debian, disks made of them, boots, and what a guest said.
# The caller sets $base (a tree), $debs (a folder with our packages), $store (packages of others)
# and $work (a folder that may be filled).

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$top/tests/package
images=$top/${BUILD:-build}/images
root_uuid=0b007000-0000-4000-8000-00000000000f
tree=$work/tree disks=$work/disks

# problem TEXT: notes what is wrong; the scenario goes on
problems=0
problem() {
	echo "# $*"
	problems=$((problems + 1))
}

# in_tree COMMAND...: as root of the tree; $disks is its /mnt, our packages are in /media. What
# is mounted is gone when the command ends.
in_tree() {
	mkdir -p "$disks"
	# shellcheck disable=SC2016 # for the inner shell
	unshare --mount sh -c 'tree=$1 store=$2 disks=$3 debs=$4; shift 4
		mount -t proc none "$tree/proc" && mount --bind "$store" "$tree/var/cache/apt/archives" &&
		mount --bind "$disks" "$tree/mnt" && mount --bind "$debs" "$tree/media" &&
		exec chroot "$tree" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root \
			DEBIAN_FRONTEND=noninteractive "$@"' sh "$tree" "$store" "$disks" "$debs" "$@"
}

# new_tree: a fresh Debian, with the unit that tells
new_tree() {
	rm -rf "$tree"
	cp -a "$base" "$tree"
	install -m 755 "$here/guest/told" "$tree/usr/local/sbin/told"
	install -m 644 "$here/guest/told.service" "$tree/etc/systemd/system/told.service"
	ln -s ../told.service "$tree/etc/systemd/system/multi-user.target.wants/told.service"
}

# install_in_tree PACKAGE...: with apt, as an administrator does
install_in_tree() {
	in_tree apt-get -qq -y --no-install-recommends -o Dpkg::Options::=--force-confold install "$@" > "$work/apt.log" 2>&1 ||
		{ problem "apt-get install $*: $(tail -n 1 "$work/apt.log")"; return 1; }
}

# install_ours: the package, with what it depends on. A check may take longer than two seconds in
# emulation on a busy machine.
install_ours() {
	echo CHECK_SECONDS=60 > "$tree/etc/default/cache-tools"
	install_in_tree "/media/$(cd "$debs" && echo cache-tools_*.deb)"
}

# format_disks FORMAT...: cache.img and back.img, made by FORMAT of the tree
format_disks() {
	rm -f "$disks"/cache.img "$disks"/back.img
	truncate -s 300M "$disks/cache.img"
	truncate -s 1536M "$disks/back.img"
	in_tree "$@" -C /mnt/cache.img -B /mnt/back.img > "$work/format.log" 2>&1 ||
		problem "$*: $(tail -n 1 "$work/format.log")"
}

# fill IMAGE [OFFSET]: the root file system, which is the tree. A backing device without dirty
# data is its file system, 8 KiB further on.
fill() {
	mke2fs -F -q -t ext4 -U "$root_uuid" -d "$tree" -E offset="${2:-0}" "$1" 1535M ||
		problem "no file system in $1"
}

# root_disks: of our formatter, with the tree as it is
root_disks() {
	format_disks make-cache -q --label root
	fill "$disks/back.img" 8192
}

# configure LINE...: /etc/default/cache-tools, in the tree and in its initramfs
configure() {
	printf '%s\n' "$@" > "$tree/etc/default/cache-tools"
	in_tree update-initramfs -u > "$work/initramfs.log" 2>&1 ||
		problem "update-initramfs: $(tail -n 1 "$work/initramfs.log")"
}

# extra NAME IMAGE...: copies of images that a kernel wrote, as $disks/NAME.IMAGE
extra() {
	local i name=$1; shift
	for i; do
		install -m 644 "$images/$i" "$disks/$name.$i" || problem "no image $i"
	done
}

newest_kernel() {
	find "$tree/boot" -name 'vmlinuz-*' | sort -V | tail -n 1
}

# boot LOG TODO DISK...: what the guest says is in LOG.said, its console in LOG. TODO: words for
# guest/told. 0 when it ended by itself.
boot() {
	local log=$work/$1 todo=$2 kernel initrd drives=() d ended; shift 2
	kernel=$(newest_kernel)
	initrd=${INITRD:-$tree/boot/initrd.img-${kernel#*/vmlinuz-}}
	for d; do
		drives+=(-drive "if=virtio,format=raw,cache=writeback,file=$d")
	done
	timeout -k 5 "${LIMIT:-600}" qemu-system-x86_64 -accel tcg -m 1024 -nographic -nodefaults \
		-no-reboot -serial "file:$log" -serial "file:$log.said" -kernel "$kernel" -initrd "$initrd" \
		-append "console=ttyS0 root=UUID=$root_uuid rw panic=-1 nokaslr no_timer_check told=$todo ${APPEND:-}" \
		"${drives[@]}" < /dev/null
	ended=$?
	sed -i 's/\r$//' "$log" "$log.said"
	return $ended
}

# boots LOG TODO DISK...: as boot, and the guest told to its end
boots() {
	local start=$SECONDS
	boot "$@" || problem "$1: the guest was ended after ${LIMIT:-600} s"
	grep -q '^told' "$work/$1.said" || problem "$1: the guest did not boot: $(tail -n 1 "$work/$1")"
	echo "= $1: $(sed -n 's/^kernel //p' "$work/$1.said"), $((SECONDS - start)) s"
}

# said LOG LINE: the guest said that line
said() {
	grep -qxE -- "$2" "$work/$1.said" || problem "$1: not said: $2"
}

# complaints LOG N PATTERN: the kernel's log has N lines of bcache-register that match
complaints() {
	local n
	n=$(grep '^log .*bcache-register: ' "$work/$1.said" | grep -cE -- "$3")
	[ "$n" = "$2" ] || problem "$1: $n lines with \"$3\", expected $2"
}

# rooted LOG: the root is on bcache, has its links, and nothing was wrong
rooted() {
	said "$1" 'root /dev/bcache0'
	said "$1" 'registered vda'
	said "$1" 'registered vdb'
	said "$1" 'link by-uuid/[0-9a-f-]{36}.*'
	said "$1" 'link by-label/root.*'
	complaints "$1" 0 .
	! grep '^failed' "$work/$1.said" || problem "$1: a unit failed"
}

# twice NAME: the root boots and writes to its cache alone, loses its power, and boots again,
# which needs the cache
twice() {
	boots "$1" dirty,cut "$disks/cache.img" "$disks/back.img"
	rooted "$1"
	said "$1" 'dirty [1-9][0-9]*\.[0-9]M'
	boots "$1-again" '' "$disks/cache.img" "$disks/back.img"
	rooted "$1-again"
	said "$1-again" 'device bcache0 dirty'
	said "$1-again" 'data right'
}
