# SPDX-License-Identifier: GPL-2.0-only
# make-cache: what it refuses, asks, wipes and says.
U1=10111213-1415-1617-1819-1a1b1c1d1e1f
U2=30313233-3435-3637-3839-3a3b3c3d3e3f
SET=20212223-2425-2627-2829-2a2b2c2d2e2f

setup() {
	load ../lib/common
	IMAGES=$ROOT/tests/images
	mkdir "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return
	LOOPS=()
}

teardown() {
	local l
	for l in "${LOOPS[@]}"; do
		losetup -d "$l"
	done
}

blank() {
	local f
	for f in "${@:2}"; do
		rm -f "$f"
		truncate -s "$1" "$f"
	done
}

put() {		# FILE BYTE TEXT
	printf '%b' "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# A swap signature: short, and libblkid is sure of it.
swap() {
	put "$1" 1024 '\01\0\0\0\0377\0\0\0'
	put "$1" 1052 'ABCDEFGHIJKLMNOP'
	put "$1" 1036 '\01\02\03\04\05\06\07\010\011\012\013\014\015\016\017\020'
	put "$1" 4086 SWAPSPACE2
}

u16() {		# FILE BYTE-OF-SUPERBLOCK
	od -An -tu2 -j $((4096 + $2)) -N 2 "$1" | tr -d ' '
}
u64() {
	od -An -tu8 -j $((4096 + $2)) -N 8 "$1" | tr -d ' '
}

# The refusal named in $1, exit status $2, and every byte of every file as it was.
refuses() {
	local want=$1 status=$2 before
	shift 2
	before=$(cat -- * | sha256sum)
	run "-$status" --separate-stderr make-cache "$@" </dev/null
	[ -z "$output" ]
	# shellcheck disable=SC2154 # set by run
	[[ $stderr == *"$want"* ]] || { echo "$stderr"; return 1; }
	[ "$before" = "$(cat -- * | sha256sum)" ]
}

@test "a device without a mode letter is a cache" {
	blank 257M a
	run -0 make-cache a
	[[ $output == *$'Type\t\t\tcache'* ]]
	[ "$(u64 a 16)" -eq 0 ]
	[ "$(u64 a 184)" -eq 514 ]
}

@test "the smallest device takes the smallest bucket, and it is said why" {
	blank $((513 * 8192)) a
	run -0 --separate-stderr make-cache a
	[[ $stderr == *"bucket size is 8 KiB: with the usual 512 KiB there would be 8 buckets"* ]]
	[ "$(u16 a 194)" -eq 16 ]
	blank $((513 * 8192 - 1)) a
	refuses "too small: 4103 KiB, a cache device needs 4104" 1 a
}

@test "a bucket of a single block is refused: a kernel crashes on it" {
	blank 16M a
	refuses "bucket of a single block of 8 sectors" 1 -b 4k -w 4k a
	run -0 make-cache -b 4k -w 2k a
}

@test "buckets past 16 bits are version 5 with an exponent" {
	blank 17G a
	run -0 make-cache -b 32M a
	[ "$(u64 a 16)" -eq 5 ]
	[ "$(u64 a 128)" -eq 2 ]
	[ "$(u16 a 194)" -eq 16 ]
}

@test "modes, policies and labels are stored" {
	blank 40M a b
	run -0 make-cache -q -C a --cache-replacement-policy random -l "a label" \
		-B b --cache-mode writearound
	[ "$(u64 a 104)" -eq 8 ]
	[ "$(u64 b 104)" -eq 2 ]
	[ "$(dd if=b bs=1 skip=$((4096 + 72)) count=7 status=none)" = "a label" ]
	run -0 make-cache -q --force -B b --cache_mode=none
	[ "$(u64 b 104)" -eq 3 ]
}

@test "what the kernel would refuse is refused, and nothing is touched" {
	blank 40M a b
	refuses "80 buckets of 512 KiB, the kernel needs 513; buckets of 64 KiB would do" 1 -b 512k a
	refuses "above the page size" 1 -w 8k a
	refuses "below the page size" 1 -w 512 -b 2k a
	refuses "nothing would be cached" 1 -B -o 20 b
	refuses "the data would start at sector 90000" 1 -B -o 90000 b
	refuses "2 cache devices for a set of one" 1 -C a b
}

@test "a second device that is refused leaves the first unchanged" {
	blank 40M a
	blank 1M b
	refuses "b: too small: 1024 KiB" 1 --set-size 2 -C a b
	refuses "missing" 1 -C a -B missing
	refuses "a: given twice" 1 -C a -B a
	ln -s a same
	refuses "same: given twice" 1 -C a -B same
	rm same
	ln a same
	refuses "same: given twice" 1 -C a -B same
}

@test "what is no device is refused with a reason" {
	mkdir dir && mkfifo pipe
	run -1 --separate-stderr make-cache dir
	[[ $stderr == *"dir: "*"directory"* ]]
	run -1 --separate-stderr make-cache pipe
	[[ $stderr == *"pipe: "*"special file"* ]]
	run -1 make-cache missing
	: >empty
	run -1 --separate-stderr make-cache empty
	[[ $stderr == *"empty: too small"* ]]
	run -1 make-cache -B empty
	[ ! -s empty ]
	run -1 --separate-stderr make-cache UUID=$U1
	[[ $stderr == *"no device has this name"* ]]
}

@test "usage errors exit with 2 and touch nothing" {
	blank 40M a
	refuses "no device" 2
	refuses "must be a power of two" 2 -b 3k a
	refuses "must be a power of two" 2 -b 64kfoo a
	refuses "too small" 2 -b 0 a
	refuses "at least 16" 2 -o 8 a
	refuses "at least 16" 2 -o 16x a
	refuses "not a uuid" 2 --cset-uuid zz a
	refuses "not a uuid" 2 -U 00000000-0000-0000-0000-000000000000 a
	refuses "unknown replacement policy" 2 --cache-replacement-policy best a
	refuses "unknown cache mode" 2 --cache-mode fast a
	refuses "unrecognized option" 2 --nonsense a
	refuses "twice for one device" 2 -U $U1 -U $U2 a
	refuses "comes before the device" 2 a a -U $U1
	refuses "a number up to 8" 2 --set-size 9 a
	refuses "label has a control character" 2 -l $'x\033y' a
	refuses "label has a control character" 2 -l $'x\ny' a
}

@test "with the uuids given every byte is the same, whatever lay there" {
	blank 40M a b
	dd if=/dev/urandom of=b bs=1M count=40 conv=notrunc status=none
	for f in a b; do
		run -0 make-cache -q --force -U $U1 --cset-uuid $SET $f
	done
	cmp -n 8192 a b
	cp a c
	run -0 env SOURCE_DATE_EPOCH=1700000000 make-cache -q --force a -U $U1 --cset-uuid $SET
	cmp a c
}

@test "each -U belongs to the device after it" {
	blank 40M a b
	run -0 make-cache --cset-uuid $SET -B -U $U2 b -C -U $U1 a
	[[ $output == *cache*$U1*data*$U2* ]]
}

@test "a set of several cache devices is numbered, with a warning" {
	blank 40M a b
	run -0 --separate-stderr make-cache -C --set-size 4 --index 2 a b
	[[ $stderr == *"a: warning: member 2 of a set of 4 cache devices"* ]]
	[ "$(u16 a 196) $(u16 a 198)" = "4 2" ]
	[ "$(u16 b 196) $(u16 b 198)" = "4 3" ]
	blank 40M a b
	refuses "members 3 to 4 of a set of 4" 1 -C --set-size 4 --index 3 a b
}

@test "what is there is shown, and not overwritten without a message" {
	blank 40M a b
	swap b
	refuses "b: has swap at byte 4086, label \"ABCDEFGHIJKLMNOP\", uuid 01020304-" 1 -C a -B b
	refuses "not overwritten without --force" 1 -C a -B b
	refuses "b: has swap" 1 --wipe-bcache -C a -B b
	run -0 make-cache -q --force -C a -B b
	run -1 make-cache -C a </dev/null
	run -0 make-cache -q --wipe-bcache -C a
}

@test "control characters of a label do not reach the terminal" {
	blank 40M a
	swap a
	put a 1052 'x\0033[2Jy'
	run -1 --separate-stderr make-cache a </dev/null
	[[ $stderr != *$'\033'* ]]
}

@test "on a terminal it asks, and after a no nothing is written" {
	command -v script >/dev/null || skip "script(1) is not installed"
	blank 40M a
	swap a
	cp a before
	run -1 script -qec "make-cache a" typescript <<<n
	[[ $output == *"Proceed anyway? (y/N)"* ]]
	cmp a before
	run -0 script -qec "make-cache a" typescript <<<y
	[ "$(u64 a 8)" -eq 8 ]
}

@test "a dry run says what would be done and opens nothing to write" {
	blank 40M a b
	swap b
	chmod a-w a b
	before=$(cat a b | sha256sum)
	run -0 --separate-stderr make-cache -n -C a -B b </dev/null
	[ "$before" = "$(cat a b | sha256sum)" ]
	[[ $stderr == *"would ask before overwriting"* ]]
	[[ $stderr == *"a: would write 8 KiB, the superblock last, after clearing the journal in buckets 1 to 5"* ]]
	[[ $output == *nbuckets* ]]
	refuses "80 buckets" 1 -n -b 512k a
}

@test "signatures elsewhere on the device are wiped" {
	blank 40M a
	put a $((65536 + 64)) '_BHRfS_M'	# btrfs; its checksum is wrong, and it counts
	refuses "a: has btrfs at byte 65600" 1 a
	run -0 make-cache -q --force a
	[ "$(blkid -p -o value -s TYPE a)" = bcache ]
}

# A GPT with no partitions, at both ends of the file.
gpt() {
	python3 - "$1" <<-'EOT'
		import struct, sys, zlib
		f = open(sys.argv[1], "r+b")
		last = f.seek(0, 2) // 512 - 1
		entries = bytes(128 * 128)
		def table(here, other, at):
		    h = bytearray(struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92,
		        0, 0, here, other, 34, last - 33, bytes(range(16)), at, 128, 128,
		        zlib.crc32(entries)))
		    struct.pack_into("<I", h, 16, zlib.crc32(h))
		    f.seek(here * 512)
		    f.write(h)
		table(1, last, 2)
		table(last, 1, last - 32)
		f.seek(446)
		f.write(struct.pack("<BBBBBBBBII", 0, 0, 2, 0, 0xee, 255, 255, 255, 1, last))
		f.seek(510)
		f.write(b"\x55\xaa")
	EOT
}

@test "both tables of a GPT disk are wiped" {
	command -v python3 >/dev/null || skip "python3 is not installed"
	blank 40M a
	gpt a
	refuses "a: has gpt partition table at byte 512" 1 a
	[ "$(tail -c 512 a | head -c 8)" = "EFI PART" ]
	run -0 make-cache -q --force a
	[ "$(tail -c 512 a | tr -d '\0' | wc -c)" -gt 0 ]
	[ "$(tail -c 512 a | tr -d '\0' | head -c 8)" != "EFI PART" ]
	[ "$(blkid -p -o value -s TYPE a)" = bcache ]
}

# How many blocks of the ring start a journal entry of the set.
entries() {		# FILE
	local magic bytes i
	magic=$(($(od -An -td8 -j $((4096 + 56)) -N 8 "$1") ^ 0x245235c1a3625032))
	for ((i = 0; i < 8; i++)); do
		bytes+=$(printf '\\x%02x' $((magic >> 8 * i & 255)))
	done
	LC_ALL=C grep -obUaP "$bytes" "$1" | wc -l
}

@test "journal entries of an old set with the same uuid are not replayed" {
	local set
	xz -dc "$IMAGES/wb-crash.cache.xz" >a
	set=$(od -An -tx1 -j $((4096 + 56)) -N 16 a | tr -d ' \n' |
		sed 's/\(.\{8\}\)\(.\{4\}\)\(.\{4\}\)\(.\{4\}\)/\1-\2-\3-\4-/')
	[ "$(entries a)" -gt 100 ]
	dd if=/dev/zero of=a bs=4k count=2 conv=notrunc status=none
	run -0 make-cache -q --cset-uuid "$set" -b 8k a
	[ "$(entries a)" -eq 0 ]
}

@test "JSON has what was made and what lay there" {
	blank 40M a b
	swap b
	run -0 --separate-stderr make-cache --json --force -U $U1 --cset-uuid $SET a -B b
	json=$output
	command -v python3 >/dev/null || skip "python3 is not installed"
	run -1 make-cache --json a </dev/null
	[[ $output == *'"error"'* ]]
	python3 - "$json" <<-EOT
		import json, sys
		d = json.loads(sys.argv[1])
		assert list(d)[0] == "schema" and d["schema"] == 1 and d["dry_run"] is False
		a, b = d["devices"]
		assert a["type"] == "cache" and a["uuid"] == "$U1" and a["set_uuid"] == "$SET"
		assert a["bucket_sectors"] == 128 and a["nbuckets"] == 640 and not a["overwritten"]
		assert b["type"] == "backing" and b["data_offset_sectors"] == 16
		assert b["overwritten"][0]["type"] == "swap"
	EOT
}

@test "-q prints nothing" {
	blank 40M a
	run -0 make-cache -q a
	[ -z "$output" ]
}

loop() {		# FILE SECTOR-SIZE
	[ "$(id -u)" = 0 ] || skip "needs root for a loop device"
	LOOP=$(losetup --show -f -b "$2" "$1" 2>/dev/null) || skip "no loop device to be had"
	LOOPS+=("$LOOP")
}

@test "a block device of 512-byte sectors is formatted as make-bcache does" {
	blank 40M a
	loop a 512
	run -0 make-cache -q "$LOOP"
	[ "$(u16 a 192)" -eq 1 ]
	[ "$(blkid -p -o value -s TYPE "$LOOP")" = bcache ]
}

@test "a block device of 4096-byte sectors takes no smaller block" {
	blank 40M a
	dd if=/dev/urandom of=a bs=1M count=2 conv=notrunc status=none
	blank 40M b
	run -0 make-cache -q --cset-uuid $SET -U $U1 b
	loop a 4096
	run -1 --separate-stderr make-cache --force -w 512 "$LOOP"
	[[ $stderr == *"below the device's logical block of 4096"* ]]
	run -0 make-cache -q --force --cset-uuid $SET -U $U1 "$LOOP"
	[ "$(u16 a 192)" -eq 8 ]
	cmp -n 8192 a b
}

@test "the block of all devices is the largest of their sectors" {
	blank 40M a b
	loop a 512
	loop b 4096
	run -0 make-cache -q -C "${LOOPS[0]}" -B "${LOOPS[1]}"
	[ "$(u16 a 192) $(u16 b 192)" = "8 8" ]
}

@test "a device in use is refused with its user" {
	blank 40M a
	loop a 512
	command -v mkfs.ext4 >/dev/null || skip "mkfs.ext4 is not installed"
	mkfs.ext4 -q "$LOOP"
	mkdir mnt
	mount "$LOOP" mnt || skip "cannot mount here"
	run -1 --separate-stderr make-cache --force "$LOOP"
	umount mnt
	[[ $stderr == *"mounted at "*"/mnt"* ]]
}

@test "a file that another program has locked is refused" {
	command -v flock >/dev/null || skip "flock(1) is not installed"
	blank 40M a
	run -1 --separate-stderr flock a make-cache a
	[[ $stderr == *"locked by another program"* ]]
}

@test "a device is found by UUID=, and a second cache for a set is refused" {
	blank 40M a b
	loop a 512
	loop b 512
	run -0 make-cache -q -U $U1 --cset-uuid $SET "${LOOPS[0]}"
	run -0 make-cache -n --force UUID=$U1
	[[ $output == *"Name"*"${LOOPS[0]}"* ]]
	run -1 --separate-stderr make-cache --cset-uuid $SET "${LOOPS[1]}"
	[[ $stderr == *"${LOOPS[0]} is cache device 0 of this set already"* ]]
	run -0 make-cache -q --cset-uuid $SET -B "${LOOPS[1]}"
}

@test "hints name the kernels for which they hold, and nothing that newer kernels lack" {
	cd "$BATS_TEST_TMPDIR" || exit
	truncate -s 600M a b c
	run -0 --separate-stderr make-cache -C --discard a
	[[ "$stderr" == *"the discard bit is set"*"7.2"*"ignore it"* ]]
	run -0 --separate-stderr make-cache -C --set-size 2 b c
	[[ "$stderr" == *"5.10"* ]]
	run -0 make-cache --help
	[[ "$output" != *"cache0/discard"* ]]
}
