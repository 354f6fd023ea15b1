#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# cache-fsck repairing what stands in place: superblocks, and a set without a journal.

setup() {
	load ../lib/common
}

zap_super() { dd if=/dev/zero of="$1" bs=4096 seek=1 count=1 conv=notrunc status=none; }

@test "a damaged byte of the superblock is put back, and the proof is named" {
	image registered.cache
	before=$(sum "$IMG")
	poke "$IMG" raw:sb.nbuckets=77
	run -1 --separate-stderr cache-fsck -y "$IMG"
	[[ "$stderr" == *"superblock nbuckets was 77, should be 2048: checksum"* ]]
	[[ "$output" == *"superblock repaired"* ]]
	[ "$before" = "$(sum "$IMG")" ]
	run -0 cache-fsck -n "$IMG"
}

@test "two wrong bytes of the number of buckets are put back, and no dirty data is lost" {
	image flash-vol.cache
	before=$(sum "$IMG")
	poke "$IMG" raw:sb.nbuckets=1339
	run -1 --separate-stderr cache-fsck -y "$IMG"
	[[ "$stderr" == *"superblock nbuckets was 1339, should be 4096: checksum"* ]]
	[ "$before" = "$(sum "$IMG")" ]
}

@test "a number of buckets that the ring contradicts is the device's, whatever else is wrong" {
	image flash-vol.cache
	cache-show-keys --dirty "$IMG" > "$BATS_TEST_TMPDIR/was"
	poke "$IMG" raw:sb.nbuckets=1339 raw:sb.label=xx
	run -1 --separate-stderr cache-fsck -y "$IMG"
	[[ "$stderr" == *"should be 4096: device size and journal buckets"* ]]
	cache-show-keys --dirty "$IMG" | cmp - "$BATS_TEST_TMPDIR/was"
}

@test "a wiped superblock comes back with the backing device named, dirty data and all" {
	image wb-crash.cache
	image wb-crash.back1 "$BATS_TEST_TMPDIR/back"
	cache-show-keys --dirty "$IMG" > "$BATS_TEST_TMPDIR/was"
	zap_super "$IMG"
	run -4 cache-fsck -y "$IMG"
	run -1 cache-fsck -y "$IMG" "$BATS_TEST_TMPDIR/back"
	run -0 cache-fsck -n "$IMG" "$BATS_TEST_TMPDIR/back"
	cache-show-keys --dirty "$IMG" | cmp - "$BATS_TEST_TMPDIR/was"
}

# looks_formatted: never started, as the superblock has it, and no ring
looks_formatted() {
	dd if=/dev/zero of="$IMG" bs=8k seek=2 count=256 conv=notrunc status=none
	poke "$IMG" sb.sync=0 sb.version=0 sb.keys=0
}

@test "a set that looks as if it never ran is found by its dirty backing device" {
	image wb-crash.cache
	image wb-crash.back1 "$BATS_TEST_TMPDIR/back"
	looks_formatted
	run -0 cache-fsck -n "$IMG"
	run -4 cache-fsck -n "$IMG" "$BATS_TEST_TMPDIR/back"
	[[ "$output" == *"BDEV_UNKNOWN"* ]]
	[[ "$output" == *"back: NOT CLEAN; the kernel will refuse this device"* ]]
	before=$(sum "$IMG")
	run -4 cache-fsck -p "$IMG" "$BATS_TEST_TMPDIR/back"
	[ "$before" = "$(sum "$IMG")" ]
	run -1 --separate-stderr cache-fsck -y "$IMG" "$BATS_TEST_TMPDIR/back"
	[[ "$stderr" == *"superblock flags was 0, should be 1: btree nodes and a dirty backing device"* ]]
	run -0 cache-fsck -n "$IMG" "$BATS_TEST_TMPDIR/back"
	[[ "$output" == *" of dirty data; the kernel will start this cache set"* ]]
}

@test "a new set in the place of that of a dirty backing device is not clean, and not changed" {
	image wb-crash.back1 "$BATS_TEST_TMPDIR/back"
	truncate -s 16M "$IMG"
	make-cache -q -b8k -w4k -C "$IMG" \
		--cset-uuid "$(cache-super-show -J "$BATS_TEST_TMPDIR/back" | jq -r .set_uuid)"
	before=$(sum "$IMG")
	run -4 cache-fsck -y "$IMG" "$BATS_TEST_TMPDIR/back"
	[[ "$output" == *"BDEV_UNKNOWN"* ]]
	[ "$before" = "$(sum "$IMG")" ]
}

@test "half of a set uuid is not guessed without --guess, nor repaired by -p" {
	image registered.cache
	zap_super "$IMG"
	before=$(sum "$IMG")
	run -4 --separate-stderr cache-fsck -y "$IMG"
	[[ "$stderr" == *"could only be guessed"* ]]
	[[ "$stderr" == *"next: name its backing devices too"* ]]
	[[ "$stderr" == *"next: "*"cache-super-show --restore FILE $IMG"* ]]
	[[ "$stderr" == *"next: cache-fsck --guess --dry-run $IMG"* ]]
	run -4 cache-fsck -p --guess "$IMG"
	[ "$before" = "$(sum "$IMG")" ]
	run -1 --separate-stderr cache-fsck -y --guess "$IMG"
	[[ "$stderr" == *"set_uuid"*"which is no proof"* ]]
	run -0 cache-fsck -n "$IMG"
}

@test "what is a file system by now is no cache that lost its superblock" {
	command -v mkfs.ext4 > /dev/null || skip "no mkfs.ext4"
	image registered.cache
	mkfs.ext4 -q -F "$IMG" 4M
	zap_super "$IMG"
	before=$(sum "$IMG")
	run -8 --separate-stderr cache-fsck -y --guess "$IMG"
	[[ "$stderr" == *"holds ext4, and no bcache superblock"* ]]
	[ "$before" = "$(sum "$IMG")" ]
}

@test "a dry run shows what the superblock would become, and writes nothing" {
	image registered.cache
	poke "$IMG" sb.replacement=3
	before=$(sum "$IMG")
	run -4 --separate-stderr cache-fsck -y --dry-run "$IMG"
	[[ "$stderr" == *"superblock flags was 13, should be 1"* ]]
	[ "$before" = "$(sum "$IMG")" ]
}

@test "the old ring of a formatted set is wiped; of one that has run only with permission" {
	image registered.cache
	poke "$IMG" sb.sync=0
	before=$(sum "$IMG")
	run -4 cache-fsck -y "$IMG"
	[ "$before" = "$(sum "$IMG")" ]
	poke "$IMG" sb.keys=0 sb.version=0
	run -1 cache-fsck -y "$IMG"
	run -0 cache-fsck -n "$IMG"
}

@test "a set without a single journal entry keeps all dirty data that its nodes have" {
	image wb-clean.cache
	poke "$IMG" journal.wipe=1
	run -4 cache-fsck -p "$IMG"
	run -1 --separate-stderr cache-fsck -y "$IMG"
	[[ "$stderr" == *"the newest writes may be missing"* ]]
	[[ "$stderr" != *"the root of the btree is lost"* ]]
	[[ "$output" == *"17.2 MiB of it dirty"* ]]
	run -0 cache-fsck -n "$IMG"
}

@test "a leaf is not taken for the root beside metadata that nobody can read" {
	image churn-lru.cache
	mapfile -t nodes < <(cache-show-keys --nodes "$IMG" | awk 'NR > 1 { print $2 }')
	for bucket in "${nodes[@]::${#nodes[@]}-1}"; do
		dd if=/dev/zero of="$IMG" bs=8192 seek="$bucket" count=1 conv=notrunc status=none
	done
	poke "$IMG" journal.wipe=1
	run -1 --separate-stderr cache-fsck -y "$IMG"
	[[ "$stderr" == *"dirty data may be missing: the root of the btree is lost"* ]]
	run -0 cache-fsck -n "$IMG"
}

@test "what a damaged ring still holds is older than the entry that a repair writes" {
	image registered.cache
	# entry 2 stands behind the damaged one, where the kernel would come upon it in time
	poke "$IMG" 'raw:journal[1].csum=flip'
	run -4 cache-fsck -n "$IMG"
	[[ "$output" == *JOURNAL_EMPTY* ]]
	run -1 cache-fsck -y "$IMG"
	run -0 cache-fsck -n "$IMG"
	run -0 cache-show-journal -J "$IMG"
	[[ "$output" == *'"seq": "0x3"'* ]]
}

@test "dirty data that entries behind a damaged first one name is kept" {
	make_image --buckets 1024 --bucket 64k
	poke "$IMG" start=0 'uuid[0].uuid=00000000-0000-4000-8000-000000000001' extents=4 \
		'journal.append={like=1,dirty=1};{like=2,offset=8000,dirty=1}' \
		'raw:journal[first].csum=flip'
	run -4 cache-fsck -n "$IMG"
	[[ "$output" == *JOURNAL_EMPTY* ]]
	run -1 --separate-stderr cache-fsck -y "$IMG"
	[[ "$output" == *"8.0 KiB kept, 8.0 KiB of it dirty; 12.0 KiB of clean data dropped"* ]]
	[[ "$stderr" == *"the newest writes may be missing"* ]]
	run -0 cache-fsck -n "$IMG"
}

@test "clean data in an empty slot is dropped, before the next device takes the slot" {
	image registered.cache
	poke "$IMG" uuid.table=zero
	run -4 cache-fsck -n "$IMG"
	[[ "$output" == *"UUID_NO_SLOT"*"8 sectors, 0 of them dirty, belong to device 0"* ]]
	run -1 cache-fsck -p "$IMG"
	run -0 cache-fsck -n "$IMG"
	[[ "$output" == *"clean; the kernel will start this cache set; 0 extents"* ]]
}

@test "a backing device marked as a flash volume is put right by its clean data, and keeps all" {
	image flash-73.cache
	cache-show-keys --tsv "$IMG" | cut -f3- > "$BATS_TEST_TMPDIR/was"
	poke "$IMG" 'uuid[1].flash=1'
	run -4 cache-fsck -n "$IMG"
	[[ "$output" == *"UUID_GARBAGE"*"slot 1"*"flash volume of size 0, and has data"* ]]
	[[ "$output" != *EXTENT_* ]]
	run -1 --separate-stderr cache-fsck -y "$IMG"
	[[ "$stderr" == *"slot 1 of the uuid table is that of "*": clean data, which a flash volume never has"* ]]
	run -0 cache-fsck -n "$IMG"
	cache-show-keys --tsv "$IMG" | cut -f3- | cmp - "$BATS_TEST_TMPDIR/was"
}

@test "a flash volume without its flag is one again, and keeps all" {
	image flash-73.cache
	cache-show-keys --tsv "$IMG" | cut -f3- > "$BATS_TEST_TMPDIR/was"
	poke "$IMG" 'uuid[0].flash=0'
	run -4 cache-fsck -n "$IMG"
	[[ "$output" == *"UUID_GARBAGE"*"slot 0"*"it has a size, and is no flash volume"* ]]
	run -1 --separate-stderr cache-fsck -y "$IMG"
	[[ "$stderr" == *"slot 0 of the uuid table is that of "*": data where a backing device has none"* ]]
	run -0 cache-fsck -n "$IMG"
	cache-show-keys --tsv "$IMG" | cut -f3- | cmp - "$BATS_TEST_TMPDIR/was"
}

@test "a flash volume whose size is gone is left as it is, with its data" {
	image flash-73.cache
	poke "$IMG" 'uuid[0].sectors=0'
	before=$(sum "$IMG")
	run -4 --separate-stderr cache-fsck -y "$IMG"
	[[ "$stderr" == *"may be a backing device or a flash volume: name the backing devices too"* ]]
	[ "$before" = "$(sum "$IMG")" ]
}

# What lies in the cache for a device, without the buckets of the tree it hangs on.
dirty_of() { cache-show-keys --dirty "$1" | awk '$7 == "yes" { print $3, $4, $5, $6, $8 }'; }

@test "an overwritten uuid table is filled from its backing device, and the proof is named" {
	image wb-crash.cache
	image wb-crash.back1 "$BATS_TEST_TMPDIR/back"
	dirty_of "$IMG" > "$BATS_TEST_TMPDIR/was"
	poke "$IMG" uuid.table=garbage
	run -4 cache-fsck -n "$IMG" "$BATS_TEST_TMPDIR/back"
	[[ "$output" == *UUID_GARBAGE*BDEV_UNKNOWN* ]]
	run -1 --separate-stderr cache-fsck -p "$IMG" "$BATS_TEST_TMPDIR/back"
	[[ "$stderr" == *"slot 0 of the uuid table is that of 603466b7-8eca-4f6d-9f99-dfe2b575798a: no other backing device at hand can own it"* ]]
	run -0 cache-fsck -n "$IMG" "$BATS_TEST_TMPDIR/back"
	dirty_of "$IMG" | cmp - "$BATS_TEST_TMPDIR/was"
	[ "$(cache-show-uuids "$IMG" | wc -l)" = 2 ]
}

@test "without its backing device an overwritten slot stays so, and all else is repaired" {
	image wb-crash.cache
	image wb-crash.back1 "$BATS_TEST_TMPDIR/back"
	dirty_of "$IMG" > "$BATS_TEST_TMPDIR/was"
	poke "$IMG" uuid.table=garbage
	run -5 --separate-stderr cache-fsck -y "$IMG"
	[[ "$stderr" == *"slot was overwritten: name the backing devices too"* ]]
	run -4 cache-fsck -n "$IMG"
	[ "$(grep -c UUID_GARBAGE <<< "$output")" = 1 ]
	before=$(sum "$IMG")
	run -4 cache-fsck -y "$IMG"
	[ "$before" = "$(sum "$IMG")" ]
	run -1 cache-fsck -y "$IMG" "$BATS_TEST_TMPDIR/back"
	run -0 cache-fsck -n "$IMG" "$BATS_TEST_TMPDIR/back"
	dirty_of "$IMG" | cmp - "$BATS_TEST_TMPDIR/was"
}

@test "a bit of a uuid that has flipped is put right where the device is named" {
	image wb-crash.cache
	image wb-crash.back1 "$BATS_TEST_TMPDIR/back"
	poke "$IMG" 'uuid[0].uuid=603466b7-8eca-4f6d-9f99-dfe2b575798b'
	run -0 cache-fsck -n "$IMG"
	run -4 cache-fsck -n "$IMG" "$BATS_TEST_TMPDIR/back"
	run -1 --separate-stderr cache-fsck -p "$IMG" "$BATS_TEST_TMPDIR/back"
	[[ "$stderr" == *"uuid differs in one bit"* ]]
	run -0 cache-fsck -n "$IMG" "$BATS_TEST_TMPDIR/back"
	poke "$IMG" 'uuid[0].uuid=603466b7-8eca-4f6d-9f99-dfe2b5757980'
	before=$(sum "$IMG")
	run -4 --separate-stderr cache-fsck -y "$IMG" "$BATS_TEST_TMPDIR/back"
	[[ "$stderr" == *"nothing proves which slot it had"* ]]
	[ "$before" = "$(sum "$IMG")" ]
}

@test "dirty data past the end of a backing device at hand is named, and dropped only with --allow-data-loss" {
	image wb-clean.cache
	cp --sparse=always "$BUILD/images/wb-clean.back1" "$BATS_TEST_TMPDIR/back"
	truncate -s 78M "$BATS_TEST_TMPDIR/back"
	run -4 --separate-stderr cache-fsck -y "$IMG" "$BATS_TEST_TMPDIR/back"
	[[ "$output" == *"may be lost: "*" ($BATS_TEST_TMPDIR/back), sectors "*"it goes past the end of its device"* ]]
	run -1 --separate-stderr cache-fsck -q -y --allow-data-loss --losses "$IMG.tsv" -J "$IMG" "$BATS_TEST_TMPDIR/back"
	jq -e '.repair.lost_dirty_sectors == .repair.dropped_dirty_sectors and .repair.lost_dirty_sectors > 0' <<< "$output"
	jq -e '[.losses[] | .certain and .code == "PAST_END"] | all' <<< "$output"
	# the last dirty sector of the image, without the data offset
	jq -e '.losses[-1] | .start_sector + .sectors == 159976' <<< "$output"
	jq -e ".losses[0].path == \"$BATS_TEST_TMPDIR/back\"" <<< "$output"
	[ "$(awk -F'\t' 'NR > 1 { n += $5 } END { print n }' "$IMG.tsv")" = \
	  "$(jq .repair.lost_dirty_sectors <<< "$output")" ]
	[ "$(cut -f1,8 "$IMG.tsv" | tail -1)" = "$(jq -r '.losses[-1] | "\(.device_uuid)\t\(.code)"' <<< "$output")" ]
	run -0 cache-fsck -n "$IMG" "$BATS_TEST_TMPDIR/back"
}

@test "of a set that cannot be repaired, what can still be read is said, and with which command" {
	image two-backs.cache
	poke "$IMG" 'uuid[1].copy=0'
	run -4 --separate-stderr cache-fsck -y "$IMG"
	echo "$stderr"
	[[ "$stderr" == *"next: "*" of dirty data can still be read, in "*" extents: cache-show-keys --dirty $IMG"* ]]
	cache-fsck -y -J "$IMG" > "$BATS_TEST_TMPDIR/j" || true
	grep -q '"next_steps": \[' "$BATS_TEST_TMPDIR/j"
	[ "$(cache-show-keys --dirty "$IMG" | wc -l)" -gt 1 ]
}

@test "a repaired superblock can be taken back" {
	image registered.cache
	poke "$IMG" raw:sb.label=hello
	before=$(sum "$IMG")
	run -1 cache-fsck -y -z "$BATS_TEST_TMPDIR/undo" "$IMG"
	run -0 cache-undo "$BATS_TEST_TMPDIR/undo" "$IMG"
	[ "$before" = "$(sum "$IMG")" ]
}

@test "a backing device's superblock is repaired by its checksum alone" {
	image wb-crash.back1
	before=$(sum "$IMG")
	poke "$IMG" raw:sb.block_size=9
	run -1 cache-fsck -y "$IMG"
	[ "$before" = "$(sum "$IMG")" ]
	poke "$IMG" raw:sb.label=hello
	run -4 --separate-stderr cache-fsck -y "$IMG"
	[[ "$stderr" == *"more than one byte"* ]]
}

@test "a node that a key with a false generation marks as freed is kept, also the last one of its parent" {
	# level 2 over two nodes of level 1: whether the false key is read before the parent or after
	for liar in 0 230; do
		img=$BATS_TEST_TMPDIR/set$liar
		truncate -s 512M "$img"
		make-cache -q -C -w 4k -b 8k "$img"
		poke "$img" start=0 'uuid[0].uuid=11111111-2222-3333-4444-555555555555' extents=60000
		last=$(cache-show-keys --nodes "$img" | awk '$1 == 0 { b = $2 } END { print b }')
		poke "$img" "node[$last].key[0][5].dirty=1" \
			"leaf[$liar].key[0][0].bucket=$last" "leaf[$liar].key[0][0].gen=+2"
		run -4 cache-fsck -n "$img"
		[[ "$output" == *BUCKET_FALSELY_FREED* || "$output" == *BUCKET_MARKS* ]]
		run -1 cache-fsck -y "$img"
		[[ "$output" == *"4.0 KiB of it dirty"* ]]
		run -0 cache-fsck -n "$img"
	done
}

@test "a range in doubt begins where the last live node before it ends" {
	image churn-lru.cache
	# what the parent has of a node that was replaced, amid the range of the damaged one
	poke "$IMG" 'root.key[0][5].offset=24000'
	run -0 cache-fsck -n "$IMG"
	poke "$IMG" 'raw:node[1568].set[0].csum=0'
	# losses are on stdout, and -q does not hide them
	run -1 --separate-stderr cache-fsck -q -y "$IMG"
	[[ "$output" == *"may be lost: "*", sectors 22912 to 26976 (1.9 MiB): updates of this range may be lost"* ]]
	[[ "$output" == *"1.9 MiB in doubt in 1 ranges"* ]]
}

@test "a bucket that cannot be read while cut-off nodes are looked for is named" {
	image churn-lru.cache
	poke "$IMG" root=zero
	bucket=$(poke "$IMG" where=free) && bucket=${bucket% *}
	sectors=$(cache-super-show -J "$IMG" | jq .bucket_sectors)
	run --separate-stderr env TEST_EIO="$bucket,8" LD_PRELOAD="$BUILD/tests/eio.so" \
		ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0" \
		cache-fsck -y --dry-run --allow-data-loss -J "$IMG"
	jq -e '.repair.unread_buckets == 1' <<< "$output"
	run --separate-stderr env TEST_EIO="$bucket,8" LD_PRELOAD="$BUILD/tests/eio.so" \
		ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0" \
		cache-fsck -y --dry-run --allow-data-loss "$IMG"
	[[ "$stderr" == *"bucket $((bucket / sectors)) cannot be read: if a node is there that nothing leads to"* ]]
}

# with_eio FIRST,COUNT [TIMES] COMMAND...: reads of these sectors fail, always or TIMES times
with_eio() {
	local times=()
	[[ $2 =~ ^[0-9]+$ ]] && times=(TEST_EIO_TIMES="$2")
	env TEST_EIO="$1" "${times[@]}" LD_PRELOAD="$BUILD/tests/eio.so" \
		ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0" "${@:2+${#times[@]}}"
}

@test "what cannot be read is not repaired without permission, and the exit status says both" {
	image wb-crash.cache
	before=$(sha256sum "$IMG")
	bucket=$(poke "$IMG" where=journal2) && bucket=${bucket% *}
	for how in -p -y; do
		run -12 --separate-stderr with_eio "$bucket,8" cache-fsck $how -J "$IMG"
		jq -e '.result == "errors" and (.repair == null or .repair.safe == false)' <<< "$output"
		[ "$before" = "$(sha256sum "$IMG")" ]
	done
	run -12 --separate-stderr with_eio "$bucket,8" cache-fsck -y "$IMG"
	[[ "$stderr" == *"a part of the metadata cannot be read"* ]]
}

@test "a read that fails once is tried again" {
	image wb-crash.cache
	run -0 with_eio "16,1" 1 cache-fsck -n "$IMG"
	bucket=$(poke "$IMG" where=journal2) && bucket=${bucket% *}
	run -0 with_eio "$bucket,8" 2 cache-fsck -n "$IMG"
	run -4 with_eio "$bucket,8" 3 cache-fsck -n "$IMG"
}

@test "where metadata cannot be read for a moment, no set is changed or counted wrong" {
	image flash-73.cache
	before=$(sum "$IMG")
	counts='.summary | [.extents, .dirty_sectors, .btree_nodes, .journal_keys, .metadata_buckets]'
	want=$(cache-fsck -n -J "$IMG" | jq -c "$counts")
	sectors=$(cache-super-show -J "$IMG" | jq .bucket_sectors)
	for bucket in $(cache-show-prios -a "$IMG" |
			awk '$4 ~ /^(superblock|journal|prio|uuid|btree)$/ { print $1 }'); do
		for how in -n -p -y; do
			run --separate-stderr with_eio "$((bucket * sectors + 16)),1" 3 cache-fsck "$how" -J "$IMG"
			[ "$before" = "$(sum "$IMG")" ]
			((status == 0)) || { ((status & 12)); continue; }
			[ "$(jq -c "$counts" <<< "$output")" = "$want" ]
		done
	done
}

@test "a full file system stops a repair, and no clean data is dropped for it" {
	image churn-lru.cache
	poke "$IMG" 'raw:leaf[2].set[0].csum=flip'
	mkdir "$IMG.small"
	mount -t tmpfs -o size=64k none "$IMG.small" 2> /dev/null || skip "cannot mount a tmpfs"
	run --separate-stderr cache-fsck -y -z "$IMG.small/undo" "$IMG"
	umount "$IMG.small"
	[ "$status" = 12 ]
	[[ "$stderr" == *"No space left on device"* ]]
	run -1 --separate-stderr cache-fsck -y -J "$IMG"
	jq -e '.repair.kept_sectors > .repair.dropped_clean_sectors' <<< "$output"
}

@test "a device to give up that the set does not have is an error, and nothing is written" {
	image wb-crash.cache
	before=$(sha256sum "$IMG")
	run --separate-stderr cache-fsck -y --drop-device 12345678-1234-1234-1234-123456789abc "$IMG"
	((status & 8))
	[[ "$stderr" == *"12345678-1234-1234-1234-123456789abc"* ]]
	[ "$before" = "$(sha256sum "$IMG")" ]
	uuid=$(cache-show-uuids -J "$IMG" | jq -r '.uuids[0].uuid')
	run -1 --separate-stderr cache-fsck -y --drop-device "$uuid" -J "$IMG"
	jq -e '.repair.lost_dirty_sectors > 0 and ([.losses[].code] | unique == ["GIVEN_UP"])' <<< "$output"
	jq -e '.repair.lost_dirty_sectors == ([.losses[].sectors] | add)' <<< "$output"
}

@test "of two lost slots each goes to the device that is said with --slot, and to no other" {
	image two-backs.cache
	uuid0=$(cache-show-uuids -J "$IMG" | jq -r '.uuids[0].uuid')
	uuid1=$(cache-show-uuids -J "$IMG" | jq -r '.uuids[1].uuid')
	set=$(cache-super-show -J "$IMG" | jq -r .set_uuid)
	cd "$BATS_TEST_TMPDIR"
	for n in 0 1; do
		uuid=uuid$n
		truncate -s 1G "back$n"
		make-cache -q -B -U "${!uuid}" --cset-uuid "$set" "back$n" > /dev/null
		poke "back$n" sb.state=2
	done
	dirty_of "$IMG" > was
	[ "$(cut -d' ' -f1 was | sort -u | tr '\n' ' ')" = "0 1 " ]
	poke "$IMG" uuid.table=zero
	before=$(sum "$IMG" back?)
	run -4 --separate-stderr cache-fsck -y "$IMG" back0 back1
	[[ "$stderr" == *"next: if you know which device has which lost slot, cache-fsck --slot UUID=N"* ]]
	run -12 --separate-stderr cache-fsck -y --slot "$uuid0=0" "$IMG" back1
	[[ "$stderr" == *"slot 0 cannot be given to $uuid0: name the backing device too"* ]]
	run -12 cache-fsck -y --slot "$uuid0=4000000" "$IMG" back0 back1
	run -16 cache-fsck -y --slot "$uuid0" "$IMG" back0 back1
	run -16 cache-fsck -y --slot "$uuid0=" "$IMG" back0 back1
	run -16 cache-fsck -y --slot "x$uuid0=0" "$IMG" back0 back1
	run cache-fsck -n --slot "$uuid0=0" "$IMG" back0 back1
	[ "$before" = "$(sum "$IMG" back?)" ]
	run -1 --separate-stderr cache-fsck -p -J --slot "$uuid0=0" --slot "$uuid1=1" "$IMG" back0 back1
	jq -e ".repair.slots == [{slot: 0, uuid: \"$uuid0\", proof: \"the slot was given by hand\"},
		{slot: 1, uuid: \"$uuid1\", proof: \"the slot was given by hand\"}]" <<< "$output"
	run -0 cache-fsck -n "$IMG" back0 back1
	dirty_of "$IMG" | cmp - was
	# what is so already is no error; what is otherwise is one
	run -0 cache-fsck -y --slot "$uuid0=0" "$IMG" back0 back1
	before=$(sum "$IMG")
	run -8 --separate-stderr cache-fsck -y --slot "$uuid0=1" "$IMG" back0 back1
	[[ "$stderr" == *"slot 1 cannot be given to $uuid0: the slot has another owner"* ]]
	[ "$before" = "$(sum "$IMG")" ]
}

# With the checksum of its superblock right. Of wb-crash: in writeback mode, whose flag is that of a
# cache that has run.
@test "a backing device whose version is that of a cache is not made one, and its data stays" {
	cp --sparse=always "$BUILD/images/wb-crash.back1" "$IMG"
	chmod u+w "$IMG"
	for more in "" "raw:sb.label=x" "sb.nr_in_set=1 sb.nbuckets=6000 sb.first_bucket=2" \
		"sb.nr_in_set=1 sb.nbuckets=6000 sb.first_bucket=2 raw:sb.label=x"; do
		# shellcheck disable=SC2086 # words
		poke "$IMG" sb.version=0 $more
		tail -c +8193 "$IMG" | sha256sum > "$IMG.was"
		for how in -p -y "-y --allow-data-loss --guess"; do
			# shellcheck disable=SC2086
			run cache-fsck $how "$IMG"
			[ "$status" -ge 4 ]
			tail -c +8193 "$IMG" | sha256sum | cmp - "$IMG.was"
		done
	done
	[[ "$output" == *"nothing of a cache set is on the device"* ]]
}

# Slot and sector of each dirty sector, of those behind SECTOR of the cache.
behind() {
	cache-show-keys --dirty "$1" | awk -v end="$2" '$7 == "yes" && $8 + $6 > end {
		for (i = 0; i < $6; i++) print $3, $4 + i }' | sort -u
}

@test "of a truncated device the dirty ranges past its end are named, and nothing is written" {
	image churn-510.cache
	cd "$BATS_TEST_TMPDIR"
	behind "$IMG" 24000 > was
	[ -s was ]
	truncate -s $((24000 * 512)) "$IMG"
	before=$(sum "$IMG")
	for how in -n -p -y --dry-run; do
		run -4 --separate-stderr cache-fsck $how -J "$IMG"
		jq -e '[.losses[] | select(.certain)] | length > 0 and all(.code == "PAST_TRUNCATION")' <<< "$output"
		# the sectors of -J are those of the bcache device
		jq -r '.losses[] | "\(.inode) \(.start_sector + 16) \(.sectors // 1e15)"' <<< "$output" > named
		[ -z "$(awk 'NR == FNR { d[NR] = $1; a[NR] = $2; b[NR] = $2 + $3; n = NR; next }
			{ for (i = 1; i <= n && !(d[i] == $1 && a[i] <= $2 && $2 < b[i]); i++); if (i > n) print }' \
			named was)" ]
	done
	[ "$before" = "$(sum "$IMG")" ]
	for how in -n -y; do
		run cache-fsck $how "$IMG"
		[[ "$output" == *"sectors "*"its place in the cache is past the end of the cache device"* ]]
	done
}

@test "-f checks a clean set as fully as without it" {
	image wb-clean.cache
	cd "$BATS_TEST_TMPDIR"
	before=$(sum "$IMG")
	for f in "" -f; do
		run -0 cache-fsck -p $f -J "$IMG"
		jq -S 'walk(if type == "object" then del(.seconds, .seed) else . end)' <<< "$output" > "full$f"
	done
	cmp full full-f
	jq -e '.summary.btree_nodes > 0 and .summary.read_bytes > 0' full
	[ "$before" = "$(sum "$IMG")" ]
}

@test "-C counts every pass of a check and of repairing to its end" {
	image churn-lru.cache
	poke "$IMG" 'raw:leaf[2].set[0].csum=flip'
	cache-fsck -n -C 3 "$IMG" 3> "$IMG.look" > /dev/null || true
	[ "$(cut -d' ' -f1 "$IMG.look" | uniq | tr '\n' ' ')" = "2 3 5 " ]
	cache-fsck -y -C 3 "$IMG" 3> "$IMG.repair" > /dev/null || true
	[ "$(cut -d' ' -f1 "$IMG.repair" | uniq | tr '\n' ' ')" = "2 3 5 2 3 5 6 8 9 11 2 3 5 " ]
	[ -z "$(cat "$IMG.look" "$IMG.repair" | grep -vxE "[0-9]+ [0-9]+ [0-9]+ $IMG")" ]
	awk '$2 > $3 || ($1 == p && $2 <= c) { exit 1 } { p = $1; c = $2 }' "$IMG.repair"
	# the last line of a pass whose end is known says that it was reached
	awk '$1 != p && p ~ /^(2|3|6|8|9)$/ && c != m { exit 1 } { p = $1; c = $2; m = $3 }' "$IMG.repair"
	image churn-lru.cache
	poke "$IMG" root=zero
	cache-fsck -y -C 3 "$IMG" 3> "$IMG.scan" > /dev/null || true
	grep -qx "10 2048 2048 $IMG" "$IMG.scan"
}

@test "on a terminal a bar has the rate and the time left, and is gone before a line" {
	command -v script > /dev/null || skip "no script(1)"
	image churn-lru.cache
	poke "$IMG" 'raw:leaf[2].set[0].csum=flip'
	script -qec "cache-fsck -y $IMG" /dev/null < /dev/null > "$IMG.tty" || true
	tr '\r' '\n' < "$IMG.tty" > "$IMG.lines"
	for pass in extents doubts collecting writing; do
		grep -qE "^$pass +\[#+\] 100%  [0-9]+/s  .* left" "$IMG.lines"
	done
	run -1 grep -E '^(nodes|extents|doubts|collecting|writing) .*(repaired|clean|warning)' "$IMG.lines"
}

@test "the discard bit is cleared on request, and no other byte of the device" {
	image registered.cache
	without=$(sum "$IMG")
	poke "$IMG" sb.discard=1
	with=$(sum "$IMG")
	run -0 cache-fsck -y "$IMG"
	run -0 cache-fsck -n --clear-discard "$IMG"
	run -0 --separate-stderr cache-fsck -y --clear-discard --dry-run "$IMG"
	[[ "$stderr" == *"superblock flags was 3, should be 1: asked for"* ]]
	[ "$with" = "$(sum "$IMG")" ]
	run -1 --separate-stderr cache-fsck -p --clear-discard -z "$BATS_TEST_TMPDIR/undo" "$IMG"
	[[ "$output" == *"$IMG: discard bit cleared"* ]]
	[ "$without" = "$(sum "$IMG")" ]
	run -0 cache-fsck -y --clear-discard "$IMG"
	[[ "$output" != *"cleared"* ]]
	run -0 cache-undo "$BATS_TEST_TMPDIR/undo" "$IMG"
	[ "$with" = "$(sum "$IMG")" ]
}

@test "in JSON a cleared discard bit is a repair that was planned, or done" {
	image registered.cache
	poke "$IMG" sb.discard=1
	run -0 --separate-stderr cache-fsck -y --clear-discard --dry-run --json "$IMG"
	jq -e '.repair | .clear_discard and .safe and (.done or .super | not)' <<< "$output"
	run -1 --separate-stderr cache-fsck -y --clear-discard --json "$IMG"
	jq -e '.repair | .clear_discard and .safe and .done' <<< "$output"
	jq -e '.findings[] | select(.code == "SB_DISCARD") | .fixed' <<< "$output"
	run -0 --separate-stderr cache-fsck -y --clear-discard --json "$IMG"
	jq -e 'has("repair") | not' <<< "$output"
}

@test "a journal with a gap that needs the discard bit gets a checkpoint before the bit is cleared" {
	image churn-lru.cache
	poke "$IMG" sb.discard=1 'journal[2297]=zero' 'journal[2296]=zero'
	cache-show-keys "$IMG" | awk '{ $1 = $2 = ""; print }' > "$BATS_TEST_TMPDIR/was"
	run -1 --separate-stderr cache-fsck -p --clear-discard "$IMG"
	[[ "$output" == *"one journal entry"*"discard bit cleared"* ]]
	run -0 cache-fsck -n -v "$IMG"
	[[ "$output" != *"DISCARD"* ]]
	cache-show-keys "$IMG" | awk '{ $1 = $2 = ""; print }' | cmp - "$BATS_TEST_TMPDIR/was"
}

@test "other damage is repaired as usual, and the bit is cleared only in a sound set" {
	image churn-lru.cache
	poke "$IMG" sb.discard=1 'journal[2297]=zero'
	before=$(sum "$IMG")
	run -4 cache-fsck -p --clear-discard "$IMG"
	[ "$before" = "$(sum "$IMG")" ]
	run -1 cache-fsck -y --clear-discard "$IMG"
	run -0 cache-fsck -n -v "$IMG"
	[[ "$output" != *"DISCARD"* ]]
}

@test "of several members each that is named loses its discard bit, and one that has not run too" {
	cd "$BATS_TEST_TMPDIR"
	truncate -s 16M a b c
	make-cache -q -b 16k -C --set-size 2 --discard a b > /dev/null
	make-cache -q -B c > /dev/null
	before=$(sum c)
	run -5 cache-fsck -y --clear-discard a b c
	[[ "$output" == *"a: discard bit cleared"*"b: discard bit cleared"* ]]
	[[ "$output" != *"c: discard bit cleared"* ]]
	cache-super-show -J a | jq -e '.discard | not'
	cache-super-show -J b | jq -e '.discard | not'
	[ "$before" = "$(sum c)" ]
}

@test "a repair says its seed, and the same seed writes the same bytes" {
	for n in a b; do
		image wb-crash.cache "$IMG.$n"
		poke "$IMG.$n" prio[0].csum=1
	done
	run -1 --separate-stderr cache-fsck -y --seed 77 "$IMG.a"
	[[ "$stderr" == *"--seed 77 repeats this repair"* ]]
	seed=$(cache-fsck -y -J --seed 77 "$IMG.b" | jq .repair.seed) || [ $? = 1 ]
	[ "$seed" = 77 ]
	cmp "$IMG.a" "$IMG.b"
}

@test "an undo file is named once it is there to stay" {
	image wb-crash.cache
	poke "$IMG" prio[0].csum=1
	run -1 --separate-stderr cache-fsck -y -z "$IMG.undo" "$IMG"
	[[ "$stderr" == *"take it back with: cache-undo $IMG.undo $IMG"* ]]
	[ -s "$IMG.undo" ]
	cache-undo -q "$IMG.undo" "$IMG"
	rm "$IMG.undo"
	run --separate-stderr cache-fsck -y --dry-run -z "$IMG.undo" "$IMG"
	[[ "$stderr" != *"take it back"* ]]
	[ ! -e "$IMG.undo" ]
	run -12 --separate-stderr cache-fsck -y -z "$IMG.no/such/undo" "$IMG"
	[[ "$stderr" != *"take it back"* ]]
}

@test "what cannot be opened to be repaired is an operational error too" {
	command -v flock > /dev/null || skip "no flock(1)"
	image wb-crash.cache
	poke "$IMG" prio[0].csum=1
	before=$(sum "$IMG")
	run --separate-stderr flock "$IMG" cache-fsck -y "$IMG"
	[ $((status & 8)) = 8 ]
	[ $((status & 4)) = 4 ]
	[[ "$stderr" == *"locked by another program"* ]]
	[ "$before" = "$(sum "$IMG")" ]
}

@test "of two devices with the same UUID neither is checked, and nothing is written" {
	image two-backs.cache
	cp "$IMG" "$IMG.2"
	poke "$IMG" 'uuid[1].copy=0'
	before=$(sum "$IMG")
	run -8 --separate-stderr cache-fsck -y "$IMG" "$IMG.2"
	[[ "$stderr" == *"$IMG: it has the same UUID as $IMG.2: one of them is a copy of the other"* ]]
	[[ "$stderr" == *"$IMG.2: it has the same UUID as $IMG: one of them"* ]]
	[ "$before" = "$(sum "$IMG")" ]
	image wb-clean.cache
	cp "$BUILD/images/wb-clean.back1" "$IMG.3"
	cp "$IMG.3" "$IMG.4"
	before=$(sum "$IMG")
	run -8 cache-fsck -p --fold-journal "$IMG" "$IMG.3" "$IMG.4"
	[ "$before" = "$(sum "$IMG")" ]
}
