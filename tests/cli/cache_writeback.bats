# SPDX-License-Identifier: GPL-2.0-only

setup() {
	load ../lib/common
	C=$BATS_TEST_TMPDIR/cache B=$BATS_TEST_TMPDIR/back
}

# pair NAME: the cache and its backing device
pair() {
	image "$1.cache" "$C"
	image "$1.back1" "$B"
}
# data FILE: the sum that tests/images/README.md gives
data() { tail -c +8193 "$1" | sha256sum | cut -d' ' -f1; }
said() { sed -n "s/^| $1 |.* \([0-9a-f]\{64\}\) |\$/\1/p" "$ROOT/tests/images/README.md"; }
dirty() { cache-fsck -n -J "$C" | jq .summary.dirty_sectors; }
state() { cache-super-show -J "$1" | jq -r .state; }
refused() {
	local before
	before=$(sum "$C" "$B")
	run -1 --separate-stderr cache-writeback "$@"
	[ "$before" = "$(sum "$C" "$B")" ]
	echo "$stderr"
	[ "$(wc -l <<< "$stderr")" = 1 ]
}

@test "after a writeback every byte of the backing device is as it must be, and the set is clean" {
	for name in wb-crash wb-clean; do
		pair $name
		run -0 cache-writeback --verify "$C" "$B"
		[[ "$output" == *" written back; clean" ]]
		[ "$(data "$B")" = "$(said $name)" ]
		[ "$(dirty)" = 0 ]
		[ "$(state "$B")" = clean ]
		run -0 cache-fsck -n --kernel all "$C" "$B"
		before=$(sum "$C" "$B")
		run -0 cache-writeback "$C" "$B"
		[ "$before" = "$(sum "$C" "$B")" ]
	done
}

@test "every acknowledged block is right when its answer comes from the backing device" {
	for name in rewrite-61 churn-510 flash-73; do
		pair $name
		run -0 cache-writeback --drop "$C" "$B"
		judge "$ROOT/tests/images/$name.plan" "$C" "$B"
	done
}

@test "--detach: the backing device leaves the set, whose slot of it is retired" {
	pair rewrite-61
	run -0 cache-writeback --detach "$C" "$B"
	[[ "$output" == *"it runs without its cache" ]]
	[ "$(state "$B")" = none ]
	run -0 cache-fsck -n --kernel all "$C" "$B"
	[ "$(dirty)" = 0 ]
	[ "$(cache-show-uuids -a -J "$C" | jq -r '.uuids[0].flags')" = retired ]
	refused "$C" "$B"
	[[ "$stderr" == *"does not know its UUID" ]]
}

@test "-n and --list say what would be lost, and write nothing" {
	pair wb-crash
	before=$(sum "$C" "$B")
	run -0 cache-writeback -n "$C"
	[[ "${lines[0]}" == *"if this cache were thrown away now, 20.1 MiB in 3809 places would be lost"* ]]
	[[ "$output" == *"and 3799 more ranges"* ]]
	run -0 cache-writeback --list "$C" "$B"
	[ "$(grep -c $'\t' <<< "$output")" = 3809 ]
	[ "$(awk -F'\t' '{ n += $3 } END { print n }' <<< "$output")" = 41288 ]
	run -0 bash -c "cache-writeback -n -J '$C' '$B' | jq -c '[.devices[0].dirty_sectors, (.ranges | length)]'"
	[ "$output" = "[41288,3809]" ]
	[ "$before" = "$(sum "$C" "$B")" ]
	for name in registered fresh; do
		image $name.cache "$C"
		run -0 cache-writeback -n "$C"
		[[ "$output" == *"no dirty data"* ]]
	done
}

@test "dirty data of a backing device that is not at hand stays" {
	image two-backs.cache "$C"
	before=$(dirty)
	uuid=$(cache-show-uuids -J "$C" | jq -r '.uuids[0].uuid')
	run -1 cache-writeback "$C"
	[ "$before" = "$(dirty)" ]
	run -0 cache-writeback --export "$B" --volume "$uuid" "$C"
	[ "$before" = "$(dirty)" ]
}

@test "--drop takes out what was written back" {
	pair wb-clean
	run -0 cache-writeback --drop "$C" "$B"
	[ "$(data "$B")" = "$(said wb-clean)" ]
	[ "$(cache-fsck -n -J "$C" | jq .summary.cached_sectors)" = 8 ]
}

@test "an export is the dirty data alone, where it belongs, and no device is written" {
	pair wb-clean
	before=$(sum "$C" "$B")
	run -0 cache-writeback --export "$B.over" "$C" "$B"
	[ "$before" = "$(sum "$C" "$B")" ]
	[ "$(stat -c %s "$B.over")" = "$(stat -c %s "$B")" ]
	cp --sparse=always "$B" "$B.copy"
	cache-writeback --list "$C" "$B" | grep $'\t' | while IFS=$'\t' read -r _ start n; do
		echo "$((start + 16)) $n"
	done > "$B.ranges"
	python3 - "$B.over" "$B.copy" 3< "$B.ranges" << 'END'
import sys
over, copy = open(sys.argv[1], "rb"), open(sys.argv[2], "r+b")
for line in open(3):
    start, n = map(int, line.split())
    over.seek(start * 512)
    copy.seek(start * 512)
    copy.write(over.read(n * 512))
END
	[ "$(data "$B.copy")" = "$(said wb-clean)" ]
	# the table is the bcache device, from its first sector to its last
	[[ "$output" == *"dmsetup create --readonly merged"* ]]
	python3 - "$B.over" "$B" 3< "$B.over.table" << 'END' > "$B.merged"
import sys
files = {"OVERLAY": open(sys.argv[1], "rb"), "BACKING": open(sys.argv[2], "rb")}
at = 0
for line in open(3):
    start, n, target, dev, offset = line.split()
    assert int(start) == at and target == "linear"
    files[dev].seek(int(offset) * 512)
    sys.stdout.buffer.write(files[dev].read(int(n) * 512))
    at += int(n)
END
	[ "$(sha256sum < "$B.merged" | cut -d' ' -f1)" = "$(said wb-clean)" ]
	run -1 cache-writeback --export "$B.over" "$C" "$B"
	[[ "$output" == *"File exists"* ]]
	run -1 cache-writeback --export /dev/full/x "$C" "$B"
	: > "$B.new.part"
	refused --export "$B.new" "$C" "$B"
	[[ "$stderr" == *"new.part: is there: an export that was cut off has left it"* ]]
	[ ! -e "$B.new" ]
	[ ! -e "$B.new.table" ]
}

@test "the commands that an export prints for qemu make an image that is the merged disk" {
	# that of Debian, as nbdsh is, and no other python
	PATH=/usr/bin:$PATH
	for tool in qemu-img qemu-nbd nbdsh; do
		command -v $tool > /dev/null || skip "no $tool"
	done
	pair wb-clean
	before=$(sum "$C" "$B")
	cd "$BATS_TEST_TMPDIR"
	run -0 cache-writeback --export over cache back
	said=$output
	sed -n 's/^  \(qemu-img .*\|nbdsh .*\)/\1/p' <<< "$said" > commands
	[ "$(wc -l < commands)" = 2 ]
	bash -e commands
	drive=$(sed -n 's/^  qemu-system-x86_64 -drive if=virtio,\([^ ]*\) .*/\1/p' <<< "$said")
	qemu-img convert --image-opts "$drive" -O raw merged
	[ "$(sha256sum < merged | cut -d' ' -f1)" = "$(said wb-clean)" ]
	[ "$before" = "$(sum "$C" "$B")" ]
}

@test "an export without all dirty data: what is missing fails when it is read, and after Ctrl-C nothing is left" {
	pair wb-crash
	bad=$(cache-show-keys --dirty -J "$C" | jq '[.keys[] | select(.sectors == 8)][7].ptr')
	start=$(cache-show-keys --dirty -J "$C" | jq '[.keys[] | select(.sectors == 8)][7].start')
	run -1 env TEST_EIO="$bad,1" LD_PRELOAD="$BUILD/tests/eio.so" \
		ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0" cache-writeback --export "$B.over" "$C" "$B"
	[[ "$output" == *"4.0 KiB not copied"*"fail when they are read"* ]]
	[[ "$output" != *"qemu-img"* ]]
	[ "$(grep error "$B.over.table")" = "$((start - 16)) 8 error" ]
	[ "$(awk '$1 != at { exit 1 } { at += $2 } END { print at }' "$B.over.table")" = \
		$(($(stat -c %s "$B") / 512 - 16)) ]
	run -1 --separate-stderr env TEST_SIGINT=3 TEST_SIGINT_SENT="$B.sent" LD_PRELOAD="$BUILD/tests/sigint.so" \
		ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0" cache-writeback --export "$B.cut" "$C" "$B"
	[ -e "$B.sent" ]
	[[ "$stderr" == *"cancelled, no export was made" ]]
	[ -z "$output" ]
	run ! ls "$B".cut*
}

@test "a flash volume is exported as an image" {
	image flash-vol.cache "$C"
	uuid=$(cache-show-uuids -J "$C" | jq -r '.uuids[] | select(.flags == "flash").uuid')
	size=$(cache-show-uuids -J "$C" | jq -r '.uuids[] | select(.flags == "flash").size_sectors')
	run -0 cache-writeback --export "$B" --volume "$uuid" "$C"
	[ "$(stat -c %s "$B")" = $((size * 512)) ]
}

@test "cache-undo gives back the cache and the superblock" {
	pair wb-clean
	cp "$C" "$C.old"
	head -c 8192 "$B" > "$B.old"
	run -0 cache-writeback -z "$C.undo" "$C" "$B"
	cache-undo -q "$C.undo" "$C"
	cache-undo -q "$C.undo.2" "$B"
	cmp "$C" "$C.old"
	head -c 8192 "$B" | cmp - "$B.old"
}

@test "devices that do not fit are refused with one line, and nothing is written" {
	pair wb-clean
	refused "$B" "$C"
	[[ "$stderr" == *"this is a backing device, expected the cache device first"* ]]
	refused "$C" "$C"
	[[ "$stderr" == *"given twice"* ]]
	cp "$B" "$B.2"
	refused "$C" "$B" "$B.2"
	[[ "$stderr" == *"same UUID as"* ]]
	image wb-crash.back1 "$B.2"
	refused "$C" "$B.2"
	[[ "$stderr" == *"belongs to cache set"* ]]
	truncate -s 20M "$B"
	refused "$C" "$B"
	[[ "$stderr" == *"its dirty data ends at sector"* ]]
	image wb-clean.back1 "$B"
	head -c 4M "$C" > "$B.2"
	refused "$C" "$B.2"
	chmod a-w "$B"
	if [ "$(id -u)" != 0 ]; then
		refused "$C" "$B"
	fi
}

@test "a backing device that has run without its cache is refused" {
	pair wb-clean
	poke "$B" sb.state=3
	refused "$C" "$B"
	[[ "$stderr" == *"older than what it has"* ]]
}

@test "a damaged set is refused; with --force what is certain is copied, and the cache is only read" {
	pair wb-crash
	poke "$C" raw:leaf[20].set[0].csum=1
	refused "$C" "$B"
	[[ "$stderr" == *"damaged"* ]]
	before=$(sum "$C")
	run -1 cache-writeback --force "$C" "$B"
	[[ "$output" == *"would be lost"* || "$output" == *"may be lost"* ]]
	[ "$before" = "$(sum "$C")" ]
	[ "$(state "$B")" = dirty ]
}

# backing SLOT: a backing device with the UUID of that slot, dirty, as $B.SLOT
backing() {
	local uuid
	uuid=$(cache-show-uuids -J "$C" | jq -r ".uuids[] | select(.slot == $1).uuid")
	truncate -s 300M "$B.$1"
	make-cache -q --force -B -U "$uuid" --cset-uuid "$(cache-super-show -J "$C" | jq -r .set_uuid)" \
		"$B.$1" > /dev/null
	poke "$B.$1" sb.state=2
}

@test "several backing devices are written at once, or one of them, and flash volumes stay dirty" {
	image two-backs.cache "$C"
	backing 0
	backing 1
	cp --sparse=always "$C" "$C.1"
	run -0 cache-writeback --verify "$C" "$B.1" "$B.0"
	[ "$(dirty)" = 0 ]
	[ "$(state "$B.0") $(state "$B.1")" = "clean clean" ]
	run -0 cache-fsck -n --kernel all "$C" "$B.0" "$B.1"
	for slot in 0 1; do
		uuid=$(cache-super-show -J "$B.$slot" | jq -r .uuid)
		run -0 cache-writeback --export "$B.over" --volume "$uuid" "$C.1"
		head -c "$(stat -c %s "$B.over")" "$B.$slot" | tail -c +8193 |
			cmp - <(tail -c +8193 "$B.over")
		rm "$B.over"
	done
	cp --sparse=always "$C.1" "$C"
	left=$(cache-show-uuids -J "$C" | jq '.uuids[1].dirty_sectors')
	run -0 cache-writeback "$C" "$B.0"
	[[ "$output" == *"this backing device was not given"* ]]
	[ "$(dirty)" = "$left" ]
	image flash-vol.cache "$C"
	slot=$(cache-show-uuids -J "$C" | jq '.uuids[] | select(.flags == "backing").slot')
	left=$(cache-show-uuids -J "$C" | jq '.uuids[] | select(.flags == "flash").dirty_sectors')
	backing "$slot"
	run -0 cache-writeback "$C" "$B.$slot"
	[ "$(dirty)" = "$left" ]
}

@test "a bad sector of the cache is listed, its extent alone stays dirty, and the next run does the rest" {
	pair wb-crash
	bad=$(cache-show-keys --dirty -J "$C" | jq '[.keys[] | select(.sectors == 8)][7].ptr')
	run -1 env TEST_EIO="$((bad + 3)),1" LD_PRELOAD="$BUILD/tests/eio.so" \
		ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0" cache-writeback --failed-list "$B.bad" "$C" "$B"
	[[ "$output" == *"cannot be read from the cache (sector $bad of the cache): Input/output error"* ]]
	[[ "$output" == *"4.0 KiB stays dirty"* ]]
	[ "$(dirty)" = 8 ]
	[ "$(state "$B")" = dirty ]
	[ "$(tail -n +2 "$B.bad" | cut -f4,5,6)" = "8	$bad	read" ]
	grep -qi "^0x0*$(printf %x $((bad * 512)))  0x00001000  -\$" "$B.bad.map"
	# the map is of the whole device
	[ $(($(grep -v '^#' "$B.bad.map" | tail -n +2 | awk '{ printf "%s%s", sep, $2; sep = "+" }'))) = \
		"$(stat -c %s "$C")" ]
	run -0 cache-fsck -n "$C" "$B"
	run -0 cache-writeback "$C" "$B"
	[ "$(data "$B")" = "$(said wb-crash)" ]
	[ "$(state "$B")" = clean ]
}

@test "Ctrl-C: what was copied is committed, and the next run goes on" {
	pair wb-crash
	run -1 env TEST_SIGINT=3 TEST_SIGINT_SENT="$B.sent" LD_PRELOAD="$BUILD/tests/sigint.so" \
		ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0" cache-writeback "$C" "$B"
	[ -e "$B.sent" ]
	[[ "$output" == *"run it again for the rest"* ]]
	[ "$(dirty)" -gt 0 ]
	[ "$(dirty)" -lt 41288 ]
	run -0 cache-fsck -n "$C" "$B"
	run -0 cache-writeback "$C" "$B"
	[ "$(data "$B")" = "$(said wb-crash)" ]
}

@test "a disk that is full refuses an export with one line" {
	pair wb-clean
	before=$(sum "$C" "$B")
	run -1 --separate-stderr bash -c "ulimit -f 1024; trap '' XFSZ; cache-writeback --export '$B.over' '$C' '$B'"
	[ "$(wc -l <<< "$stderr")" = 1 ]
	[ "$before" = "$(sum "$C" "$B")" ]
	run ! ls "$B".over*
}
