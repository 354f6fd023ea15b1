# SPDX-License-Identifier: GPL-2.0-only

setup() {
	load ../lib/common
	C=$BATS_TEST_TMPDIR/cache B=$BATS_TEST_TMPDIR/back D=$BATS_TEST_TMPDIR/clone
}

# pair NAME [SIZE]: the cache, its backing device, and an empty target
pair() {
	image "$1.cache" "$C"
	[ ! -e "$BUILD/images/$1.back1" ] || image "$1.back1" "$B"
	target "${2:-100M}"
}
target() {
	rm -f "$D"
	truncate -s "$1" "$D"
}
data() { tail -c +8193 "$1" | sha256sum | cut -d' ' -f1; }
said() { sed -n "s/^| $1 |.* \([0-9a-f]\{64\}\) |\$/\1/p" "$ROOT/tests/images/README.md"; }
summary() { cache-fsck -n -J "$1" | jq -r ".summary.$2"; }
# sums of what is cached: device, start, sectors and a checksum of each range, merged where they touch
cached() {
	cache-show-keys -J "$1" | jq -r '.keys[] | select(.level == 0) | [.inode, .start, .sectors, .dirty, .ptr] | @tsv' |
		python3 -c '
import hashlib, sys
dev = open(sys.argv[1], "rb")
last = None
def put(k, start, end, h): print(*k, start, end, h.hexdigest())
for line in sys.stdin:
    inode, start, n, dirty, ptr = line.split()
    start, n, ptr = int(start), int(n), int(ptr)
    dev.seek(ptr * 512)
    data = dev.read(n * 512)
    key = (inode, dirty)
    if last and last[0] == key and last[2] == start:
        last[2] += n
        last[3].update(data)
    else:
        if last: put(*last)
        last = [key, start, start + n, hashlib.sha256(data)]
if last: put(*last)
' "$1"
}
refused() {
	local before
	before=$(sum "$C" "$D")
	run -1 --separate-stderr cache-clone "$@"
	[ "$before" = "$(sum "$C" "$D")" ]
	echo "$stderr"
	[ "$(wc -l <<< "$stderr")" = 1 ]
}

@test "all that was cached is cached on a device of any size and bucket size" {
	pair rewrite-61
	cached "$C" > "$C.keys"
	before=$(sum "$C")
	for how in "40M 8" "100M 16" "300M 512" "3G 4096" "70M 128"; do
		read -r size bucket <<< "$how"
		target "$size"
		run -0 cache-clone --verify -b "${bucket}k" "$C" "$D"
		[[ "$output" != *"stays behind"* ]]
		run -0 cache-fsck -n --kernel all "$D"
		cached "$D" | cmp - "$C.keys"
		[ "$(summary "$D" dirty_sectors)" = "$(summary "$C" dirty_sectors)" ]
		[ "$(cache-super-show -J "$D" | jq .bucket_sectors)" = $((bucket * 2)) ]
	done
	[ "$before" = "$(sum "$C")" ]
}

@test "--keep-uuid: the clone takes the place of the cache, and every block is right" {
	for name in rewrite-61 churn-510 flash-73; do
		pair $name
		run -0 cache-clone --keep-uuid "$C" "$D"
		[[ "$output" == *"do not start it again"* ]]
		[ "$(cache-super-show -J "$C" | jq .set_uuid)" = "$(cache-super-show -J "$D" | jq .set_uuid)" ]
		run -0 cache-fsck -n --kernel all "$D" "$B"
		judge "$ROOT/tests/images/$name.plan" "$D" "$B"
	done
	pair wb-crash
	run -0 cache-clone --keep-uuid -b 64k "$C" "$D"
	run -0 cache-writeback --verify "$D" "$B"
	[ "$(data "$B")" = "$(said wb-crash)" ]
}

@test "a smaller device gets the dirty data and the clean data of the highest priority" {
	pair wb-crash 30M
	run -0 cache-clone --list "$C" "$D"
	[[ "$output" == *"of clean data stays behind"* ]]
	left=$(awk -F'\t' 'NF == 3 { n += $3 } END { print n }' <<< "$output")
	[ "$left" -gt 0 ]
	run -0 cache-fsck -n --kernel all "$D"
	[ "$(summary "$D" dirty_sectors)" = "$(summary "$C" dirty_sectors)" ]
	[ $(($(summary "$D" cached_sectors) + left)) = "$(summary "$C" cached_sectors)" ]
	cached "$D" | grep true | cmp - <(cached "$C" | grep true)
	target 30M
	run -0 cache-clone -J "$C" "$D"
	[ "$(jq '.devices[0].left_clean_sectors' <<< "$output")" = "$left" ]
	[ "$(jq '.devices[0] | .dirty_sectors - .cloned_dirty_sectors' <<< "$output")" = 0 ]
	target 100M
	run -0 cache-clone --dirty-only "$C" "$D"
	[ "$(summary "$D" cached_sectors)" = "$(summary "$C" dirty_sectors)" ]
	[ "$(summary "$D" dirty_sectors)" = "$(summary "$C" dirty_sectors)" ]
}

@test "priorities are kept" {
	pair churn-lru
	run -0 cache-clone "$C" "$D"
	prios() { cache-show-prios -J "$1" | jq -c '[.runs[] | select(.mark == "clean" or .mark == "dirty") | .prio] | unique'; }
	# a bucket that holds parts of several has the highest of theirs
	prios "$C" > "$C.prios"
	prios "$D" > "$D.prios"
	jq -e --slurpfile all "$C.prios" '. - $all[0] == [] and .[0] == $all[0][0] and
		.[-1] == $all[0][-1] and length > 500' "$D.prios"
}

@test "several backing devices and flash volumes keep their slots" {
	for name in two-backs flash-vol; do
		pair $name
		run -0 cache-clone "$C" "$D"
		uuids() { cache-show-uuids -a -J "$1" | jq -c '[.uuids[] | {slot, uuid, label, flags, first_reg, last_reg, dirty_sectors, cached_sectors}]'; }
		[ "$(uuids "$C")" = "$(uuids "$D")" ]
		cached "$D" | cmp - <(cached "$C")
	done
}

@test "a target on which not all dirty data fits is refused with the numbers" {
	pair wb-crash 20M
	refused "$C" "$D"
	[[ "$stderr" == *"KiB of dirty data need "*" buckets of 8 KiB, and of its "*" can hold data"* ]]
}

@test "devices that do not fit are refused with one line, and nothing is written" {
	pair wb-clean
	refused "$B" "$D"
	[[ "$stderr" == *"this is a backing device, expected a cache device"* ]]
	refused "$C" "$C"
	[[ "$stderr" == *"is the source too"* ]]
	target 2M
	refused "$C" "$D"
	image fresh.cache "$C"
	target 100M
	refused "$C" "$D"
	[[ "$stderr" == *"has never run"* ]]
	image wb-clean.cache "$C"
	image wb-clean.back1 "$D"
	run -1 --separate-stderr cache-clone "$C" "$D"
	[[ "$stderr" == *"has bcache"*"not overwritten without --force"* ]]
	run -1 --separate-stderr cache-clone --force "$C" "$D"
	[[ "$stderr" == *"is a backing device of this cache set"* ]]
	cmp "$D" "$BUILD/images/wb-clean.back1"
	target 100M
	refused -b 4k "$C" "$D"
	refused -b 1g "$C" "$D"
	cache-image save -q "$C" "$C.img" > /dev/null
	refused "$C.img" "$D"
	[[ "$stderr" == *"a metadata image has no data"* ]]
	run -2 cache-clone --retire-source "$C" "$D"
	run -2 cache-clone "$C"
	run -2 cache-clone -b 3k "$C" "$D"
}

@test "what lies on the target is shown, and overwritten with --wipe-target alone" {
	pair wb-clean
	mke2fs -q -F "$D"
	before=$(sum "$C" "$D")
	run -1 --separate-stderr cache-clone "$C" "$D"
	[[ "$stderr" == *"has ext2"* ]]
	[ "$before" = "$(sum "$C" "$D")" ]
	run -0 cache-clone -n "$C" "$D"
	[ "$before" = "$(sum "$C" "$D")" ]
	run -0 cache-clone --wipe-target "$C" "$D"
	run -0 cache-fsck -n "$D"
	# an old cache with the same UUID, and with entries in its journal
	image wb-crash.cache "$C"
	target 3G
	dd if="$C" of="$D" conv=notrunc status=none
	run -0 --separate-stderr cache-clone --wipe-target --keep-uuid "$C" "$D"
	[[ "$stderr" == *"of dirty data of backing device"*"will be lost"* ]]
	run -0 cache-fsck -n --kernel all "$D"
	cached "$D" | cmp - <(cached "$C")
}

@test "-n says what fits and writes nothing" {
	pair wb-crash
	before=$(sum "$C" "$D")
	run -0 cache-clone -n "$C" "$D"
	[[ "$output" == *"20.1 MiB of dirty data and "*" of clean data would be cloned"* ]]
	run -0 cache-clone -n -J "$C" "$D"
	[ "$(jq -c '[.cloned, .devices[0].cloned_dirty_sectors]' <<< "$output")" = "[false,41288]" ]
	[ "$before" = "$(sum "$C" "$D")" ]
}

@test "--retire-source erases the superblock of the source when the clone is whole; cache-undo gives all back" {
	pair wb-clean
	cp "$C" "$C.old"
	cp --sparse=always "$D" "$D.old"
	run -0 cache-clone --keep-uuid --retire-source -z "$D.undo" "$C" "$D"
	run -4 cache-fsck -n "$C"
	run -0 cache-fsck -n --kernel all "$D"
	cache-undo -q "$D.undo.2" "$C"
	cmp "$C" "$C.old"
	cache-undo -q "$D.undo" "$D"
	cmp "$D" "$D.old"
}

@test "a damaged set is refused; with --force what is certain is cloned, and what is not is listed" {
	pair wb-crash
	poke "$C" raw:leaf[20].set[0].csum=1
	before=$(sum "$C" "$D")
	run -1 --separate-stderr cache-clone "$C" "$D"
	[[ "$stderr" == *"the cache set is damaged"* ]]
	[ "$before" = "$(sum "$C" "$D")" ]
	run -1 cache-clone --force "$C" "$D"
	[[ "$output" == *"lost"* ]]
	run -0 cache-fsck -n --kernel all "$D"
	[ "$(summary "$D" dirty_sectors)" -gt 30000 ]
}

bad_sector() { env TEST_EIO="$1,1" LD_PRELOAD="$BUILD/tests/eio.so" ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0" "${@:2}"; }

@test "a bad sector of the source: clean data there is left out, dirty data refuses the clone without --force" {
	pair wb-crash
	bad=$(cache-show-keys --dirty -J "$C" | jq '[.keys[] | select(.sectors == 8)][7].ptr')
	run -1 bad_sector "$((bad + 3))" cache-clone "$C" "$D"
	[[ "$output" == *"dirty sectors "*"(sector $bad of the cache): Input/output error"* ]]
	[[ "$output" == *"8 sectors of dirty data cannot be read: no clone was made"* ]]
	run -4 cache-fsck -n "$D"
	run -1 bad_sector "$((bad + 3))" cache-clone --force "$C" "$D"
	run -0 cache-fsck -n --kernel all "$D"
	[ "$(summary "$D" dirty_sectors)" = 41280 ]
	target 100M
	bad=$(cache-show-keys -J "$C" | jq '[.keys[] | select(.level == 0 and .sectors == 8 and .dirty == false)][3].ptr')
	run -0 bad_sector "$bad" cache-clone "$C" "$D"
	[[ "$output" == *"clean sectors "*"cannot be read"* ]]
	run -0 cache-fsck -n --kernel all "$D"
	[ "$(summary "$D" cached_sectors)" = $(($(summary "$C" cached_sectors) - 8)) ]
	[ "$(summary "$D" dirty_sectors)" = 41288 ]
}

@test "Ctrl-C leaves a target that is no bcache device" {
	pair wb-crash
	run -1 env TEST_SIGINT=4 TEST_SIGINT_SENT="$D.sent" LD_PRELOAD="$BUILD/tests/sigint.so" \
		ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0" cache-clone "$C" "$D"
	[ -e "$D.sent" ]
	[[ "$output" == *"cancelled: it is no bcache device; make the clone again"* ]]
	run -4 cache-fsck -n "$D"
	run -0 cache-clone "$C" "$D"
	cached "$D" | cmp - <(cached "$C")
}

@test "the same seed and source give the same clone, but for UUIDs" {
	pair wb-clean
	cache-clone -q --seed 7 --keep-uuid "$C" "$D" > /dev/null
	mv "$D" "$D.1"
	target 100M
	cache-clone -q --seed 7 --keep-uuid "$C" "$D" > /dev/null
	poke "$D" sb.uuid="$(cache-super-show -J "$D.1" | jq -r .uuid)"
	cmp "$D" "$D.1"
}

@test "a backing device moves to a clone that is a set of its own, with --force" {
	pair wb-crash
	run -0 cache-clone "$C" "$D"
	set=$(cache-super-show -J "$D" | jq -r .set_uuid)
	[[ "$output" == *"cache-tune --force --attach=$set $D BACKING"* ]]
	before=$(sum "$B" "$D")
	run -1 --separate-stderr cache-tune --attach="$set" "$D" "$B"
	[[ "$stderr" == *"may be a clone; --force moves it"* ]]
	[ "$before" = "$(sum "$B" "$D")" ]
	run -0 cache-tune --force --attach="$set" "$D" "$B"
	[ "$(cache-super-show -J "$B" | jq -r '.set_uuid + .state')" = "${set}dirty" ]
	run -0 cache-fsck -n --kernel all "$D" "$B"
	run -0 cache-writeback "$D" "$B"
	[ "$(data "$B")" = "$(said wb-crash)" ]
}
