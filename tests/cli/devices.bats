# SPDX-License-Identifier: GPL-2.0-only
# Devices of the command line: what lies on them, who has them, how they are named and found.

setup() {
	load ../lib/common
	cd "$BATS_TEST_TMPDIR" || return
	LOOPS=()
}

teardown() {
	for m in "$BATS_TEST_TMPDIR"/mnt*; do
		if mountpoint -q "$m"; then umount "$m"; fi
	done
	for l in "${LOOPS[@]}"; do losetup -d "$l"; done
}

# loop FILE [LOSETUP OPTION...]: a loop device over it, in $LOOP
loop() {
	[ "$(id -u)" = 0 ] || skip "needs root for a loop device"
	LOOP=$(losetup --show -f "${@:2}" "$1" 2> /dev/null) || skip "no loop device to be had"
	LOOPS+=("$LOOP")
}

# foreign KIND FILE: 40 MiB with the superblock of bcachefs of that kind
foreign() {
	python3 - "$1" "$2" <<'END'
import struct, sys
old = bytes.fromhex("c68573f64e1a45ca8265f57f48ba6d81")
new = bytes.fromhex("c68573f666ce90a9d96a60cf803df7ef")
b = bytearray(40 << 20)
def layout(magic): b[3584:3600], b[3602] = magic, 2
def superblock(at, magic):
    b[at + 16:at + 20] = struct.pack("<HH", 10, 9)
    b[at + 24:at + 40] = magic
kind = sys.argv[1]
if kind == "new": layout(new); superblock(4096, new)
if kind == "early": layout(old); superblock(4096, old)
if kind == "earliest": superblock(4096, old)
if kind == "layout": layout(new)
if kind == "copy": superblock(2 << 20, new)
if kind == "end": superblock(39 << 20, new)
open(sys.argv[2], "wb").write(b)
END
}

# looks_at APPLET FILE: an ordinary call that only looks; sets $output, $stderr, $status
looks_at() {
	case $1 in
	bcache-register) args=(-n "$2") ;;
	cache-alloc) args=("$2" -c 1) ;;
	cache-bench) args=(-c 100 "$2") ;;
	cache-clone)
		truncate -s 100M target
		args=("$2" target) ;;
	cache-fsck) args=(-n "$2") ;;
	cache-image) args=(save "$2" saved) ;;
	make-cache) args=("$2") ;;
	*) args=("$2") ;;
	esac
	run --separate-stderr "$1" "${args[@]}" < /dev/null
}

@test "bcachefs is called by its name, whichever magic it has" {
	for kind in new early earliest layout copy end; do
		foreign "$kind" a
		cp a before
		for applet in $(applets); do
			# status asks the kernel, not the device
			case $applet in cache-undo | cache-status) continue ;; esac
			looks_at "$applet" a
			echo "$kind $applet $status: $output $stderr"
			[[ $stderr == *"bcachefs"* ]]
			[ "$status" = "$([ "$applet" = cache-fsck ] && echo 8 || echo 1)" ]
			cmp a before
		done
		# without a question only with --force, and then nothing of it is left
		run -1 make-cache --wipe-bcache a
		make-cache -q --force a
		run -1 --separate-stderr make-cache a
		[[ $stderr != *bcachefs* ]]
	done
}

@test "another file system is one line that names it, and cache-fsck ends 8" {
	truncate -s 40M a
	mkfs.ext4 -q -L homes a 2> /dev/null || skip "no mkfs.ext4"
	for applet in $(applets); do
		case $applet in cache-undo | cache-status | make-cache) continue ;; esac
		looks_at "$applet" a
		[ "$status" = "$([ "$applet" = cache-fsck ] && echo 8 || echo 1)" ]
		[ -z "$output" ]
		[[ ${stderr/: not registered/} == "$applet: a: holds ext4 \"homes\", and no bcache superblock" ]]
	done
	run -8 --separate-stderr cache-fsck -y a
	[[ $stderr == "cache-fsck: a: holds ext4"* ]]
}

@test "a cache whose superblock is damaged is not overwritten without a question" {
	for damage in sb.offset=99 sb.version=77 raw:sb.label=x raw:sb.magic=0xc68573f64e1a45cb sb.nbuckets=1; do
		image wb-crash.cache a
		poke a "$damage" || continue
		cp a before
		run -1 --separate-stderr make-cache a < /dev/null
		echo "$damage: $stderr"
		[[ $stderr == *"a: has bcache at byte 4120"* ]]
		[[ $stderr == *"not overwritten without --force"* ]]
		cmp a before
	done
}

@test "before a cache is overwritten it is said whose dirty data is lost" {
	image wb-crash.cache a
	uuid=$(cache-show-uuids -J a | jq -r '.uuids[0].uuid')
	dirty=$(cache-show-uuids -J a | jq '.uuids[0].dirty_sectors')
	poke a "uuid[0].label=homes"
	for opts in "" "-q" "-n" "-q -n --force" "-q -n --wipe-bcache"; do
		# shellcheck disable=SC2086 # words
		run --separate-stderr make-cache $opts a < /dev/null
		echo "$opts: $stderr"
		[[ $stderr == *"MiB of dirty data of backing device $uuid \"homes\" "*" lost"* ]]
	done
	[ "$(make-cache -n --force -J a 2> /dev/null | jq -c '.devices[0].dirty_data')" = \
		"[{\"uuid\":\"$uuid\",\"label\":\"homes\",\"dirty_sectors\":$dirty}]" ]
	poke a sb.offset=99
	run -1 --separate-stderr make-cache a < /dev/null
	[[ $stderr == *"MiB of dirty data of backing device $uuid"* ]]
	[[ $stderr == *"damaged: there may be more"* ]]
	# nothing dirty, nothing said
	image registered.cache a
	run --separate-stderr make-cache a < /dev/null
	[[ $stderr != *"dirty data"* ]]
}

@test "every device is checked before the first is written" {
	truncate -s 40M a b
	loop b -r
	cp a before
	for n in "" -n; do
		# shellcheck disable=SC2086 # a word or none
		run -1 --separate-stderr make-cache $n -C a -B "$LOOP"
		echo "$stderr"
		[[ $stderr == *"$LOOP: "*"ead-only"* || $stderr == *"$LOOP: cannot open"* ]]
		cmp a before
	done
	truncate -s 8k small
	run -1 make-cache -C a -B small
	cmp a before
}

@test "a device that is mounted says where, to writers and readers" {
	truncate -s 40M a
	loop a
	mkfs.ext4 -q "$LOOP" || skip "no mkfs.ext4"
	mkdir "mnt x"
	mount "$LOOP" "mnt x" || skip "cannot mount here"
	for n in "" -n; do
		# shellcheck disable=SC2086 # a word or none
		run -1 --separate-stderr make-cache $n --force "$LOOP"
		[[ $stderr == *"$LOOP: mounted at $PWD/mnt x"* ]]
	done
	run -1 --separate-stderr cache-super-show "$LOOP"
	[[ $stderr == *"warning: $LOOP: mounted at $PWD/mnt x: what is read may be stale"* ||
	   $stderr == *"$LOOP: warning: mounted at $PWD/mnt x: what is read may be stale"* ]]
	run -8 --separate-stderr cache-fsck -y "$LOOP"
}

@test "a file whose loop device is mounted or held is refused by all that write, cache or backing" {
	image wb-clean.cache c
	image wb-clean.back1 b
	# as people look at a backing device: its data is a file system, 8 KiB from its start
	loop b -o 8192
	mkfs.ext4 -q "$LOOP" || skip "no mkfs.ext4"
	mkdir mnt
	mount "$LOOP" mnt || skip "cannot mount here"
	before=$(sum c)
	for cmd in "cache-writeback c b" "cache-tune --label=x c b" "cache-tune --label=x b" \
		"cache-clone --force c b" "make-cache --force -B b"; do
		# shellcheck disable=SC2086 # words
		run ! --separate-stderr $cmd
		[[ $stderr == *"b: its loop device ${LOOP#/dev/} is mounted at $PWD/mnt"* ]]
		[ "$(wc -l <<< "$stderr")" = 1 ]
		[ "$before" = "$(sum c)" ]
	done
	run -0 --separate-stderr cache-super-show b
	[[ $stderr == *"is mounted at $PWD/mnt: what is read may be stale"* ]]
	umount mnt
	run -0 cache-writeback c b
}

# registered DIR DEVICE COMMAND...: run where sysfs says that the kernel's bcache has the loop
# device, as what DIR is a copy of
registered() {
	local sys=/sys/devices/virtual/block/${2#/dev/}
	# shellcheck disable=SC2016 # of the inner shell
	unshare -m sh -c 'mount --bind "$0" "$1" && shift && "$@"' "$PWD/$1" "$sys" "${@:3}"
}

@test "what the kernel has registered is refused by all that write, and it is said how it is released" {
	image wb-clean.cache c
	image wb-clean.back1 b
	set=$(cache-super-show -J c | jq -r .set_uuid)
	mkdir -p as-cache/bcache as-back/bcache
	ln -s "../../../fs/bcache/$set" as-cache/bcache/set
	ln -s "../../../fs/bcache/$set" as-back/bcache/cache
	ln -s ../block/bcache0 as-back/bcache/dev
	echo writeback > as-back/bcache/cache_mode
	truncate -s 100M d
	loop c
	cache=$LOOP
	loop b
	back=$LOOP
	registered as-cache "$cache" true || skip "cannot mount here"
	before=$(sum b c d)
	for cmd in "cache-writeback $cache b" "cache-writeback --export over $cache b" "cache-writeback --force $cache b" \
		"cache-tune --label=x $cache" "cache-tune --detach $cache b" "cache-clone --force $cache d" \
		"cache-clone --wipe-target --keep-uuid --retire-source $cache d" "cache-clone --force c $cache"; do
		# shellcheck disable=SC2086 # words
		run -1 --separate-stderr registered as-cache "$cache" $cmd
		[[ $stderr == *"$cache: registered as cache of set $set; stop its bcache devices"* ]]
		[ "$(wc -l <<< "$stderr")" = 1 ]
		[ "$before" = "$(sum b c d)" ]
	done
	for cmd in "cache-writeback c $back" "cache-tune --cache-mode=writethrough $back" \
		"cache-tune --detach c $back" "cache-tune -y --relink=$set c $back" "cache-clone --force c $back"; do
		# shellcheck disable=SC2086 # words
		run -1 --separate-stderr registered as-back "$back" $cmd
		[[ $stderr == *"$back: registered as backing device of bcache0, attached to set $set"* ]]
		[ "$(wc -l <<< "$stderr")" = 1 ]
		[ "$before" = "$(sum b c d)" ]
	done
	# the file of a loop device is the same data
	mkdir as-back/loop
	echo "$PWD/b" > as-back/loop/backing_file
	cat "/sys/block/${back#/dev/}/dev" > as-back/dev
	run -1 --separate-stderr registered as-back "$back" cache-writeback c b
	[[ $stderr == *"b: its loop device ${back#/dev/} is registered as backing device"* ]]
	[ "$before" = "$(sum b c d)" ]
	# looking is allowed
	run -0 --separate-stderr registered as-cache "$cache" cache-writeback -n "$cache" b
	[[ $stderr == *"what is read may be stale"* ]]
	[ "$before" = "$(sum b c d)" ]
}

@test "a device that another program has open exclusively is refused, and a reader warns" {
	image wb-clean.cache a
	loop a
	cat > hold.py <<'END'
import os, sys, time
fd = os.open(sys.argv[1], os.O_RDWR | os.O_EXCL)
open("held", "w").close()
time.sleep(60)
END
	python3 hold.py "$LOOP" &
	pid=$!
	while [ ! -e held ]; do sleep 0.1; done
	run -1 --separate-stderr make-cache --force "$LOOP"
	in_use=$stderr
	run -0 --separate-stderr cache-super-show "$LOOP"
	kill $pid
	[[ $in_use == *"in use by the kernel or another program"* ]]
	[[ $stderr == *"opened by another program: what is read may be stale"* ]]
}

@test "whoever writes holds the lock that udev respects" {
	command -v flock > /dev/null || skip "no flock(1)"
	image wb-clean.cache a
	loop a
	run -1 --separate-stderr flock "$LOOP" make-cache --force "$LOOP"
	[[ $stderr == *"locked by another program"* ]]
	run -0 flock "$LOOP" cache-super-show -q "$LOOP"
}

@test "a path that leads elsewhere meanwhile is not waited for" {
	mkfifo p
	for applet in $(applets); do
		looks_at "$applet" p
		[ "$status" != 0 ]
	done
}

@test "UUID= and LABEL= look at the devices themselves, with a bad checksum too" {
	truncate -s 40M a b c
	uuid=5ca1ab1e-0000-4000-8000-00000000000
	make-cache -q -U ${uuid}1 -l "lost and found" a
	make-cache -q -U ${uuid}2 -B b
	loop a
	first=$LOOP
	loop b
	run -0 cache-super-show -J UUID=${uuid}1
	[ "$(jq -r .device <<< "$output")" = "$first" ]
	[ "$(cache-super-show -J "LABEL=lost and found" | jq -r .device)" = "$first" ]
	[ "$(cache-super-show -J "UUID=${uuid^^}2" | jq -r .device)" = "$LOOP" ]
	[ "$(cache-super-show -J "UUID=\"${uuid}2\"" | jq -r .device)" = "$LOOP" ]
	poke a raw:sb.seq=99
	sync
	run --separate-stderr cache-super-show -f -J UUID=${uuid}1
	[ "$(jq -r .device <<< "$output")" = "$first" ]
	# the question names what was found
	run -1 --separate-stderr make-cache UUID=${uuid}1 < /dev/null
	[[ $stderr == *"$first: has bcache"* ]]
}

@test "a name that two devices have is an error that lists them" {
	truncate -s 40M a
	make-cache -q -U 5ca1ab1e-0000-4000-8000-000000000009 -l twice a
	cp a b
	loop a
	first=$LOOP
	loop b
	for name in UUID=5ca1ab1e-0000-4000-8000-000000000009 LABEL=twice; do
		run -1 --separate-stderr cache-super-show "$name"
		[[ $stderr == *"2 devices have this name: "* ]]
		[[ $stderr == *"$first"* && $stderr == *"$LOOP"* ]]
	done
}

@test "a label that only the uuid table has leads to the backing device" {
	image wb-crash.cache a
	poke a "uuid[0].label=table label"
	uuid=$(cache-show-uuids -J a | jq -r '.uuids[0].uuid')
	truncate -s 40M b
	make-cache -q -U "$uuid" -B b
	loop a
	loop b
	[ "$(cache-super-show -J "LABEL=table label" | jq -r .device)" = "$LOOP" ]
}

@test "a cache file of libblkid that is out of date is not used" {
	truncate -s 40M a
	make-cache -q -U 5ca1ab1e-0000-4000-8000-000000000077 a
	printf '<device DEVNO="0x0700" TIME="1.1" UUID="5ca1ab1e-0000-4000-8000-000000000077" TYPE="bcache">%s</device>\n' \
		"$PWD/a" > cachefile
	BLKID_FILE=$PWD/cachefile run -1 --separate-stderr cache-super-show UUID=5ca1ab1e-0000-4000-8000-000000000077
	[[ $stderr == *"no device has this name"* ]]
}
